//! The breakers of all targets with one fixed address, over tables, and what other sidecars have seen of
//! them: the `health` document (docs/contracts.md, section 3).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;

use crate::breaker::{Breaker, Told};
use crate::limits;
use crate::table::Model;

/// Breakers by model and base URL: a model that moved to another URL begins anew.
#[derive(Debug, Default)]
pub struct Targets(Mutex<HashMap<(String, String), Arc<Breaker>>>);

/// Why a `health` document is refused.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Larger than its bound.
    #[error("it has {0} bytes, more than {max}", max = limits::HEALTH_BYTES)]
    TooLarge(usize),
    /// More models than a table has.
    #[error("it has {0} models, more than {max}", max = limits::MODELS)]
    TooMany(usize),
    /// No JSON, or of another shape.
    #[error("it cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Debug, Deserialize)]
struct Down {
    id: u64,
    for_ms: u64,
}

impl Targets {
    /// The breaker of a model.
    #[must_use]
    pub fn of(&self, model: &Model) -> Arc<Breaker> {
        let key = (model.name.clone(), model.provider.base_url.clone());
        self.0.lock().entry(key).or_default().clone()
    }

    /// Takes the `down` object of a `health` event: the whole state, so that what it does not name is
    /// down for nobody any more. Models that no table has are left alone: the hub tells again after a
    /// table.
    ///
    /// # Errors
    /// It is no such document; nothing of it is taken.
    pub fn take(&self, document: &[u8], now_ms: u64) -> Result<(), HealthError> {
        if document.len() > limits::HEALTH_BYTES {
            return Err(HealthError::TooLarge(document.len()));
        }
        let down: HashMap<String, Down> = serde_json::from_slice(document)?;
        if down.len() > limits::MODELS {
            return Err(HealthError::TooMany(down.len()));
        }
        for ((model, _), breaker) in self.0.lock().iter() {
            match down.get(model) {
                Some(&Down { id, for_ms }) => breaker.hear(Told { id, for_ms }, now_ms),
                None => breaker.hear_no_more(now_ms),
            }
        }
        Ok(())
    }

    /// Forgets targets that no table names any more.
    pub fn retain_used(&self) {
        self.0.lock().retain(|_, breaker| Arc::strong_count(breaker) > 1);
    }
}

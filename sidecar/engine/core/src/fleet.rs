//! Self-hosted models that several endpoints serve: which there are, how loaded the hub finds each, how
//! each answers us, and which one an attempt takes. Models with one fixed address have none of this.

mod document;
mod ewma;
mod group;
mod member;
mod pick;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

pub use document::{FleetError, State, Told};
pub use group::{Group, Load};
pub use member::{Member, Occupied};
pub use pick::{Slot, pick};

use crate::table::Model;

/// Every group in use, over tables, and what the hub told last.
#[derive(Debug, Default)]
pub struct Fleet {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By model and base URL: a model that moved begins anew.
    groups: HashMap<(String, String), Arc<Group>>,
    told: HashMap<String, Told>,
}

impl Fleet {
    /// The group of a model whose endpoints the hub tells; `None`: it has one fixed address.
    ///
    /// # Errors
    /// A sentence on what is wrong with its base URL.
    pub fn group_of(&self, model: &Model) -> Result<Option<Arc<Group>>, String> {
        let Some(kind) = model.provider.endpoints else { return Ok(None) };
        let mut inner = self.inner.lock();
        let key = (model.name.clone(), model.provider.base_url.clone());
        if let Some(group) = inner.groups.get(&key) {
            return Ok(Some(group.clone()));
        }
        let group = Arc::new(Group::new(kind, &model.provider.base_url)?);
        if let Some(told) = inner.told.get(&model.name) {
            group.tell(group.members(told)?);
        }
        inner.groups.insert(key, group.clone());
        Ok(Some(group))
    }

    /// Takes the `models` object of a `fleet` event: the whole state, so that what it does not name is
    /// not known any more. Models that no table has wait for one.
    ///
    /// # Errors
    /// It is no such document; nothing of it is taken.
    pub fn take(&self, document: &[u8]) -> Result<(), FleetError> {
        let told = document::read(document)?;
        let mut inner = self.inner.lock();
        let mut built = Vec::with_capacity(inner.groups.len());
        for ((model, _), group) in &inner.groups {
            let members = match told.get(model) {
                Some(told) => group.members(told).map_err(|why| FleetError::at(model, why))?,
                None => group.untold(),
            };
            built.push((group.clone(), members));
        }
        for (group, members) in built {
            group.tell(members);
        }
        inner.told = told;
        Ok(())
    }

    /// Forgets groups that no table names any more.
    pub(crate) fn retain_used(&self) {
        self.inner.lock().groups.retain(|_, group| Arc::strong_count(group) > 1);
    }
}

/// What the hub's levels are called in metrics; the last one is our own: it failed lately.
pub const LEVELS: [&str; 6] = ["idle", "light", "busy", "heavy", "full", "resting"];

/// How many endpoints there are at each level.
#[must_use]
pub fn by_level(group: &Group, now_ms: u64) -> [usize; LEVELS.len()] {
    let mut counts = [0; LEVELS.len()];
    for slot in group.slots() {
        let resting = slot.member.breaker.is_cooling(now_ms);
        counts[if resting { LEVELS.len() - 1 } else { usize::from(slot.level) }] += 1;
    }
    counts
}

/// For `Engine::state`: what this sidecar has seen of each endpoint that the hub told.
#[must_use]
pub fn survey(group: &Group) -> Value {
    let seen = group.told_slots().into_iter().map(|Slot { level, member }| {
        let figures = json!({
            "level": level,
            "firstTokenMs": member.first_token.millis(),
            "betweenTokensMs": member.between_tokens.millis(),
            "inFlight": member.in_flight(),
            "served": member.served(),
            "failed": member.failed(),
        });
        (member.url.to_string(), figures)
    });
    Value::Object(seen.collect())
}

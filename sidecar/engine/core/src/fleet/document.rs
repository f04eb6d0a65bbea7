//! The `models` object of a `fleet` event (docs/contracts.md §3), read and checked as a whole.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::limits;
use crate::upstream::Endpoint;

/// Whether a model can be called, and where not, why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum State {
    /// At least one endpoint is listed.
    Ready,
    /// Some start.
    Starting,
    /// Some sleep: they would take a call and never answer it.
    Asleep,
    /// There is none.
    #[default]
    Absent,
}

/// What the hub says of one model.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Told {
    /// Why no endpoint is listed, where none is.
    pub state: State,
    /// Those that may be called.
    #[serde(default)]
    pub endpoints: Vec<ToldEndpoint>,
    /// Those that are there and take no calls (they start, or are on their way out): what they work on may
    /// still come. From all others nothing will: they sleep, or are gone. `None`: an older hub, which does
    /// not say.
    pub unready: Option<Vec<String>>,
}

/// One endpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct ToldEndpoint {
    /// `scheme://host:port`.
    pub url: String,
    /// 0 Idle, 1 Light, 2 Busy, 3 Heavy, 4 Full.
    #[serde(default)]
    pub level: u8,
}

/// Why a `fleet` document is refused.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Larger than its bound.
    #[error("the fleet has {0} bytes, more than {max}", max = limits::FLEET_BYTES)]
    TooLarge(usize),
    /// No JSON, or of another shape.
    #[error("the fleet cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Something in it does not hold.
    #[error("{model}: {why}")]
    Invalid {
        /// Whose.
        model: String,
        /// A sentence.
        why: String,
    },
}

impl FleetError {
    pub(super) fn at(model: &str, why: impl Into<String>) -> Self {
        Self::Invalid { model: model.to_owned(), why: why.into() }
    }
}

/// Reads and checks a whole document.
pub(super) fn read(document: &[u8]) -> Result<HashMap<String, Told>, FleetError> {
    if document.len() > limits::FLEET_BYTES {
        return Err(FleetError::TooLarge(document.len()));
    }
    let models: HashMap<String, Told> = serde_json::from_slice(document)?;
    if models.len() > limits::MODELS {
        let why = format!("the fleet has {} models, at most {}", models.len(), limits::MODELS);
        return Err(FleetError::at("models", why));
    }
    for (model, told) in &models {
        check(told).map_err(|why| FleetError::at(model, why))?;
    }
    Ok(models)
}

fn check(told: &Told) -> Result<(), String> {
    let count = told.endpoints.len() + told.unready.as_ref().map_or(0, Vec::len);
    if count > limits::ENDPOINTS {
        return Err(format!("{count} endpoints, at most {}", limits::ENDPOINTS));
    }
    let mut seen = HashSet::with_capacity(count);
    for ToldEndpoint { url, level } in &told.endpoints {
        let parsed = Endpoint::parse(url)?;
        if parsed.chat.path() != "/chat/completions" || url.ends_with('/') {
            return Err(format!("`{url}` must be scheme://host:port and nothing more"));
        }
        if *level > limits::FULL_LEVEL {
            return Err(format!("`{url}` has level {level}, at most {}", limits::FULL_LEVEL));
        }
        if !seen.insert(url) {
            return Err(format!("`{url}` stands twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_read() {
        let document = br#"{"main/llama": {"state": "Ready", "new": 1, "endpoints": [
            {"url": "http://10.1.2.3:8000", "level": 4}, {"url": "https://[fd00::1]:8000"}]},
            "main/other": {"state": "Asleep", "endpoints": []}}"#;
        let models = read(document).unwrap();
        assert_eq!(models["main/llama"].endpoints[0].level, 4);
        assert_eq!(models["main/llama"].endpoints[1].level, 0);
        assert_eq!(models["main/other"].state, State::Asleep);
    }

    #[test]
    fn what_does_not_hold_is_refused_with_its_model() {
        let endpoints = [
            r#"{"url": "10.1.2.3:8000"}"#,
            r#"{"url": "http://10.1.2.3:8000/v1"}"#,
            r#"{"url": "http://10.1.2.3:8000/"}"#,
            r#"{"url": "http://10.1.2.3:8000", "level": 5}"#,
            r#"{"url": "http://10.1.2.3:8000"}, {"url": "http://10.1.2.3:8000"}"#,
        ];
        for wrong in endpoints {
            let text = format!(r#"{{"main/m": {{"state": "Ready", "endpoints": [{wrong}]}}}}"#);
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("main/m: "), "{error}");
        }
        assert!(read(br#"{"main/m": {"state": "Dozing"}}"#).is_err());
        assert!(read(b"[]").is_err());
    }
}

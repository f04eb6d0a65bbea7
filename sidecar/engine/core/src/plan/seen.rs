//! What `Engine::state` says of the health of targets: for the debug port, reports and proxy-status.

use serde_json::{Map, Value, json};

use super::PlannedModel;
use crate::limits;

/// Of all models of a table, by name.
#[derive(Debug, Default)]
pub struct HealthSeen {
    /// The breakers' states, by what our own attempts have seen.
    pub targets: Map<String, Value>,
    /// Why those are not closed that are not, and for how long.
    pub outages: Map<String, Value>,
    /// How long ago the attempts began that they answered last.
    pub answered: Map<String, Value>,
    /// Those that are tried last because others find them down.
    pub told_down: Vec<String>,
}

/// What is seen of these models now.
pub fn seen<'a>(models: impl Iterator<Item = &'a PlannedModel>, now_ms: u64) -> HealthSeen {
    let mut all = HealthSeen::default();
    for model in models {
        let name = model.name.to_string();
        if let Some(outage) = model.outage(now_ms) {
            let figures = json!({
                "class": outage.class.label(),
                "forMs": now_ms.saturating_sub(outage.since_ms),
                "failedMs": now_ms.saturating_sub(outage.failed_ms),
            });
            all.outages.insert(name.clone(), figures);
        }
        let answered_ms = model.answered_ms();
        let ago_ms = now_ms.saturating_sub(answered_ms);
        if answered_ms != 0 && ago_ms < limits::ANSWERED_MS {
            all.answered.insert(name.clone(), json!(ago_ms));
        }
        if model.breaker.is_told(now_ms) {
            all.told_down.push(name.clone());
        }
        all.targets.insert(name, json!(format!("{:?}", model.state(now_ms))));
    }
    all
}

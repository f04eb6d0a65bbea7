//! The only place that names the swap type: a table becomes visible to all threads at once, a request
//! loads it exactly once (I4) and keeps its Plan until its last byte.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::plan::Plan;

/// The current Plan and a signal for those who wait for the first one.
#[derive(Debug)]
pub struct Current {
    plan: ArcSwapOption<Plan>,
    changed: watch::Sender<u64>,
}

impl Default for Current {
    fn default() -> Self {
        Self { plan: ArcSwapOption::empty(), changed: watch::channel(0).0 }
    }
}

impl Current {
    /// The Plan now; `None` before the first table.
    #[must_use]
    pub fn load(&self) -> Option<Arc<Plan>> {
        self.plan.load_full()
    }

    /// Makes `plan` current. Requests in flight keep theirs.
    pub fn store(&self, plan: Arc<Plan>) {
        self.plan.store(Some(plan));
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// The Plan, waiting until there is one. Cancel-safe; the caller sets the time limit.
    pub async fn wait(&self) -> Option<Arc<Plan>> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(plan) = self.load() {
                return Some(plan);
            }
            if changed.changed().await.is_err() {
                return None;
            }
        }
    }
}

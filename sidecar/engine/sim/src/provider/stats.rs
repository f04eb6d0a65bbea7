//! What `GET /_sim/stats` tells: how many calls, how many open, who went away and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// Cancellation times kept.
const CANCELLATIONS_KEPT: usize = 10_000;

/// Live counters.
#[derive(Default)]
pub(crate) struct Stats {
    inner: Mutex<Counters>,
}

#[derive(Default)]
struct Counters {
    connections: u64,
    requests: u64,
    open: u64,
    cancelled: u64,
    cancelled_at_ns: VecDeque<u64>,
    by_model: BTreeMap<String, u64>,
    images: u64,
}

impl Stats {
    /// A connection was accepted.
    pub(crate) fn connected(&self) {
        self.inner.lock().connections += 1;
    }

    /// A call begins.
    pub(crate) fn opened(&self, model: &str) {
        let mut counters = self.inner.lock();
        counters.requests += 1;
        counters.open += 1;
        *counters.by_model.entry(model.to_owned()).or_default() += 1;
    }

    /// A call brought so many images.
    pub(crate) fn looked_at(&self, images: u64) {
        self.inner.lock().images += images;
    }

    /// A call is over; `cancelled` when its client went away first.
    pub(crate) fn closed(&self, cancelled: bool) {
        let mut counters = self.inner.lock();
        counters.open -= 1;
        if cancelled {
            counters.cancelled += 1;
            if counters.cancelled_at_ns.len() == CANCELLATIONS_KEPT {
                counters.cancelled_at_ns.pop_front();
            }
            counters.cancelled_at_ns.push_back(unix_time_ns());
        }
    }

    /// The counters as JSON; times are nanoseconds since the epoch.
    pub(crate) fn report(&self) -> Value {
        let counters = self.inner.lock();
        json!({
            "connections": counters.connections,
            "requests": counters.requests,
            "open": counters.open,
            "cancelled": counters.cancelled,
            "cancelled_at_ns": counters.cancelled_at_ns,
            "by_model": counters.by_model,
            "images": counters.images,
        })
    }
}

/// Nanoseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator plays the outside world, whose clock no test moves"
)]
pub(crate) fn unix_time_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

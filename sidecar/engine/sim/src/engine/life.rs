//! The process that is played: starting, answering, hanging, asleep; and the restarts that drop
//! every connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::live::Live;

/// The process's state.
pub(crate) struct Life {
    live: Arc<Live>,
    start: Mutex<Start>,
    /// Whether it answers at all.
    answering: watch::Sender<bool>,
    /// Counts the restarts; connections of an earlier one are dropped.
    epoch: watch::Sender<u64>,
    sleep_level: AtomicU8,
    connections: AtomicU64,
}

/// The last start of the process.
#[derive(Clone, Copy)]
struct Start {
    /// When it answers.
    ready: Instant,
    /// Whether connections are refused until then, instead of answered with 503.
    refuse: bool,
}

/// What a fresh connection or a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// Every request gets 503.
    Starting,
    /// Connections are reset.
    Refusing,
}

impl Life {
    /// A process that answers after `start`.
    pub(crate) fn new(live: Arc<Live>, start: Duration) -> Self {
        Self {
            live,
            start: Mutex::new(Start { ready: Instant::now() + start, refuse: false }),
            answering: watch::Sender::new(true),
            epoch: watch::Sender::new(0),
            sleep_level: AtomicU8::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// What a connection meets now.
    pub(crate) fn phase(&self) -> Phase {
        let start = *self.start.lock();
        match (Instant::now() < start.ready, start.refuse) {
            (false, _) => Phase::Serving,
            (true, false) => Phase::Starting,
            (true, true) => Phase::Refusing,
        }
    }

    /// Stops answering, or goes on; what came meanwhile is answered then.
    pub(crate) fn set_answering(&self, answering: bool) {
        self.answering.send_replace(answering);
    }

    /// Waits until the process answers.
    pub(crate) async fn answers(&self) {
        // The sender lives as long as this does.
        let mut answering = self.answering.subscribe();
        let _open = answering.wait_for(|answering| *answering).await;
    }

    /// Drops all connections and calls and starts anew, awake and with counters at zero; answers
    /// after `start`.
    pub(crate) fn restart(&self, start: Duration, refuse: bool) {
        *self.start.lock() = Start { ready: Instant::now() + start, refuse };
        self.sleep_level.store(0, Ordering::Relaxed);
        self.connections.store(0, Ordering::Relaxed);
        self.live.restart();
        self.epoch.send_modify(|epoch| *epoch += 1);
        self.set_answering(true);
    }

    /// Waits until a restart drops the connections that exist now.
    pub(crate) fn dropped(&self) -> impl Future<Output = ()> + use<> {
        let mut epochs = self.epoch.subscribe();
        async move {
            if epochs.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Falls asleep or wakes up, which takes `time`; calls wait until it is awake again.
    pub(crate) async fn set_sleep_level(&self, level: u8, time: Duration) {
        if level > 0 {
            self.live.set_running(false);
        }
        sleep(time).await;
        self.sleep_level.store(level, Ordering::Relaxed);
        if level == 0 {
            self.live.set_running(true);
        }
    }

    /// 0 where it is awake.
    pub(crate) fn sleep_level(&self) -> u8 {
        self.sleep_level.load(Ordering::Relaxed)
    }

    /// A connection was accepted.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections accepted since the start.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

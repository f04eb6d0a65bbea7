//! The conversation with the hub about shares, on the background thread: soon while callers wait for
//! one, each second while they are spent, seldom otherwise; in growing, jittered pauses after failures.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::Quotas;
use super::document::{LimitsAnswer, LimitsRequest};
use super::model::Urgency;
use crate::ledger::{SyncError, Transport};
use crate::limits;

/// Where the hub is told of shares.
pub const PATH: &str = "/v1/limits";

/// Whose shares they are.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The sidecar's id.
    pub sidecar: Arc<str>,
    /// Random id of this engine start.
    pub boot: Arc<str>,
}

/// Speaks with the hub until `shutdown` resolves, then gives everything back.
pub async fn run<T: Transport>(
    quotas: Arc<Quotas>,
    holder: Holder,
    transport: T,
    shutdown: impl Future<Output = ()>,
) {
    let mut talk = Talk { quotas, holder, transport, seq: 0, failures: 0, again_ms: 0 };
    let mut shutdown = pin!(shutdown);
    let live = async {
        let mut last = Instant::now();
        loop {
            talk.due(last).await;
            talk.speak(false).await;
            last = Instant::now();
        }
    };
    tokio::select! {
        biased;
        () = &mut shutdown => {}
        () = live => {}
    }
    // Where nothing was ever held there is nothing to give back; else the hub waits for it otherwise.
    if talk.seq > 0 {
        let limit = Duration::from_millis(limits::FINAL_REPORT_MS);
        let _silent = tokio::time::timeout(limit, talk.speak(true)).await;
    }
}

struct Talk<T> {
    quotas: Arc<Quotas>,
    holder: Holder,
    transport: T,
    seq: u64,
    failures: u32,
    again_ms: u64,
}

impl<T: Transport> Talk<T> {
    /// Resolves when the hub should hear of this holder.
    async fn due(&self, last: Instant) {
        let bell = &self.quotas.bell;
        loop {
            let rung = bell.rung.notified();
            let now = Instant::now();
            match self.gap_ms() {
                None => rung.await,
                Some(gap_ms) => {
                    let due = last + Duration::from_millis(gap_ms);
                    if due <= now {
                        return;
                    }
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = rung => {}
                    }
                }
            }
        }
    }

    /// Milliseconds between two words; `None`: there are no limits.
    fn gap_ms(&self) -> Option<u64> {
        let urgency = self.quotas.urgency()?;
        if self.failures > 0 {
            let doubled = limits::SYNC_FIRST_PAUSE_MS << (self.failures - 1).min(20);
            return Some(doubled.min(limits::SYNC_BACKOFF_MS) * fastrand::u64(60..=100) / 100);
        }
        let asked = self.quotas.bell.urgent.load(Ordering::Acquire);
        let urgent_ms = self.again_ms.max(limits::QUOTA_URGENT_GAP_MS);
        Some(match urgency {
            _ if self.seq == 0 => 0,
            Urgency::Short => urgent_ms,
            _ if asked => urgent_ms,
            Urgency::Busy => limits::QUOTA_BUSY_GAP_MS.max(self.again_ms),
            Urgency::Idle => limits::QUOTA_IDLE_GAP_MS,
        })
    }

    async fn speak(&mut self, last: bool) {
        self.seq += 1;
        self.quotas.bell.urgent.store(false, Ordering::Release);
        // Shares run from here: the hub cannot have meant an earlier moment.
        let sent_ms = self.quotas.clock.boot_ms();
        let request = LimitsRequest {
            sidecar: self.holder.sidecar.clone(),
            boot: self.holder.boot.clone(),
            seq: self.seq,
            last,
            holds: self.quotas.report(last),
        };
        match self.exchange(&request).await {
            Ok(answer) if answer.seq == self.seq => {
                self.failures = 0;
                self.quotas.note_trouble(None);
                let range = limits::QUOTA_AGAIN_RANGE_MS;
                self.again_ms = answer.again_ms.clamp(*range.start(), *range.end());
                if !last && self.quotas.hear(&answer, sent_ms) {
                    self.quotas.bell.hurry();
                }
            }
            Ok(_) => self.failed("the hub answered another request"),
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn failed(&mut self, why: &str) {
        self.failures = self.failures.saturating_add(1);
        self.quotas.note_trouble(Some(why));
    }

    async fn exchange(&self, request: &LimitsRequest) -> Result<LimitsAnswer, SyncError> {
        let unclear = |error: serde_json::Error| SyncError::Answer(error.to_string());
        let body = serde_json::to_vec(request).map_err(unclear)?;
        let answer = self.transport.post(Bytes::from(body)).await?;
        serde_json::from_slice(&answer).map_err(unclear)
    }
}

//! What is remembered of a call (docs/contracts.md §4): one JSON document, made only for calls that are
//! kept, held in a bounded ring for `explain` and a bounded queue for Python. Money does not travel
//! here: a lost record loses none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::Serialize;

use crate::fleet::Member;
use crate::limits;

/// One call's record, borrowed from the call as it ends.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// `pm-…`, as in `x-pointsman-request-id`.
    pub id: &'a str,
    /// Unix time at which the call began.
    pub time_ms: i64,
    /// `namespace/name` of the policy.
    pub policy: String,
    /// Digest of the table that decided.
    pub digest: &'a str,
    /// The rule that matched.
    pub rule: &'a str,
    /// Its strategy.
    pub strategy: &'a str,
    /// `chat` or `embeddings`.
    pub endpoint: &'static str,
    /// What the caller asked for.
    pub requested_model: &'a str,
    /// What answered, or was tried last.
    pub model: &'a str,
    /// Its provider's label.
    pub provider: &'a str,
    /// Its name at the provider.
    pub upstream_model: &'a str,
    /// Server-sent events or one document.
    pub stream: bool,
    /// HTTP status that went down; 499: the caller left.
    pub status: u16,
    /// `ok failed cut refused cancelled`.
    pub outcome: &'static str,
    /// Class of the last failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
    /// Signals that held.
    pub signals: Vec<&'a str>,
    /// Task type, if it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'static str>,
    /// Estimate from the text's length.
    pub prompt_tokens_estimate: u64,
    /// Every candidate, also those filtered out.
    pub candidates: Vec<CandidateRow<'a>>,
    /// Every upstream attempt.
    pub attempts: &'a [AttemptRow],
    /// Tokens that were booked.
    pub usage: UsageRow,
    /// Picodollars that were booked.
    pub cost: u64,
    /// Picodollars that were reserved at most.
    pub reserved: u64,
    /// Picodollars per token.
    pub prices: PriceRow,
    /// What each account was charged.
    pub budgets: Vec<BudgetRow>,
    /// The cap that the engine spliced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capped: Option<u64>,
    /// Microseconds by stage.
    pub stage_us: StageRow,
    /// A simulator answered.
    pub simulated: bool,
    /// Attribution.
    pub team: &'a str,
    /// Attribution.
    pub key: &'a str,
    /// Attribution.
    pub workload: &'a str,
    /// Why, in one sentence.
    pub reason: String,
}

/// A candidate and how it fared.
#[derive(Debug, Serialize)]
pub struct CandidateRow<'a> {
    /// `pool/model`.
    pub model: &'a str,
    /// Micro; what the order was made by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// Micro; of a good answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<u32>,
    /// Picodollars expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// Why it was out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filtered: Option<&'static str>,
}

/// One upstream attempt; microseconds since the call began.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRow {
    /// `pool/model`.
    pub model: Arc<str>,
    /// `ok` or the error class.
    pub class: &'static str,
    /// Why nobody can be reached, where another try would end the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// HTTP status, 0 without an answer.
    pub status: u16,
    /// Dispatch.
    pub start_us: u64,
    /// Answer head, 0 without one.
    pub first_byte_us: u64,
    /// End of the attempt, 0 while it streams.
    pub end_us: u64,
    /// The provider's id of the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub upstream_id: String,
    /// Which endpoint of the model, where the hub tells them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Arc<Member>>,
    /// Given up because that fell asleep or vanished before it answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct UsageRow {
    /// Prompt, cached included.
    pub input: u64,
    /// Of which cached.
    pub cached_input: u64,
    /// Answer, reasoning included.
    pub output: u64,
    /// Of which reasoning.
    pub reasoning: u64,
    /// `reported` by the provider or `estimated` as an upper bound.
    pub source: &'static str,
}

/// Picodollars per token.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceRow {
    /// Prompt.
    pub input: u64,
    /// Cached prompt.
    pub cached_input: u64,
    /// Answer.
    pub output: u64,
}

/// One account's share.
#[derive(Debug, Serialize)]
pub struct BudgetRow {
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Picodollars.
    pub charged: u64,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct StageRow {
    /// Body read and scanned.
    pub scan: u64,
    /// Rule, features, order.
    pub choose: u64,
    /// Reservation, waiting for the hub included.
    pub budget: u64,
    /// Attempts to the first content (streams) or to the whole answer.
    pub upstream: u64,
    /// Everything.
    pub total: u64,
}

type Kept = (Arc<str>, Arc<str>);

/// The ring and the queue.
#[derive(Debug, Default)]
pub struct Records {
    ring: Mutex<VecDeque<Kept>>,
    queue: Mutex<VecDeque<Arc<str>>>,
    second: AtomicU64,
    successes: AtomicU32,
}

impl Records {
    /// Whether a record of this outcome is kept: all but successes above their rate are.
    pub fn wanted(&self, success: bool, now_ms: u64) -> bool {
        if !success {
            return true;
        }
        let second = now_ms / 1_000 + 1;
        if self.second.swap(second, Relaxed) != second {
            self.successes.store(0, Relaxed);
        }
        self.successes.fetch_add(1, Relaxed) < limits::RECORDED_SUCCESSES_PER_SECOND
    }

    /// Keeps `record`; returns how many older ones the queue lost.
    pub fn keep(&self, record: &Record<'_>) -> u64 {
        // A Record holds only strings and integers: it always serialises.
        let Ok(text) = serde_json::to_string(record) else { return 1 };
        let text: Arc<str> = text.into();
        let mut ring = self.ring.lock();
        if ring.len() >= limits::RECORD_RING {
            ring.pop_front();
        }
        ring.push_back((record.id.into(), text.clone()));
        drop(ring);
        let mut queue = self.queue.lock();
        let lost = u64::from(queue.len() >= limits::RECORD_QUEUE);
        if lost > 0 {
            queue.pop_front();
        }
        queue.push_back(text);
        lost
    }

    /// The record of `id`, if the ring still has it.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<str>> {
        let ring = self.ring.lock();
        ring.iter().rev().find(|(kept, _)| &**kept == id).map(|(_, text)| text.clone())
    }

    /// Takes all queued records as one JSON array.
    #[must_use]
    pub fn drain(&self) -> String {
        let taken = std::mem::take(&mut *self.queue.lock());
        let mut array =
            String::with_capacity(2 + taken.iter().map(|text| text.len() + 1).sum::<usize>());
        array.push('[');
        for (index, text) in taken.iter().enumerate() {
            if index > 0 {
                array.push(',');
            }
            array.push_str(text);
        }
        array.push(']');
        array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn record(id: &str) -> Record<'_> {
        Record {
            id,
            time_ms: 0,
            policy: "a/b".into(),
            digest: "",
            rule: "",
            strategy: "",
            endpoint: "chat",
            requested_model: "",
            model: "",
            provider: "",
            upstream_model: "",
            stream: false,
            status: 200,
            outcome: "ok",
            class: None,
            signals: vec![],
            task: None,
            prompt_tokens_estimate: 0,
            candidates: vec![],
            attempts: &[],
            usage: UsageRow::default(),
            cost: 0,
            reserved: 0,
            prices: PriceRow::default(),
            budgets: vec![],
            capped: None,
            stage_us: StageRow::default(),
            simulated: false,
            team: "",
            key: "",
            workload: "",
            reason: String::new(),
        }
    }

    #[test]
    fn ring_and_queue_are_bounded_and_losses_counted() {
        let records = Records::default();
        let ids: Vec<String> =
            (0..limits::RECORD_QUEUE + 3).map(|index| format!("pm-{index}")).collect();
        let lost: u64 = ids.iter().map(|id| records.keep(&record(id))).sum();
        assert_eq!(lost, 3);
        assert!(records.find("pm-0").is_none());
        assert!(records.find(&ids[ids.len() - 1]).is_some());
        let drained: Vec<serde_json::Value> = serde_json::from_str(&records.drain()).unwrap();
        assert_eq!(
            (drained.len(), drained[0]["id"].as_str()),
            (limits::RECORD_QUEUE, Some("pm-3"))
        );
        assert_eq!(records.drain(), "[]");
    }

    #[test]
    fn failures_are_always_kept_and_successes_sampled() {
        let records = Records::default();
        let kept = (0..1_000).filter(|_| records.wanted(true, 5_000)).count();
        assert_eq!(kept, limits::RECORDED_SUCCESSES_PER_SECOND as usize);
        assert!(records.wanted(false, 5_000));
        assert!(records.wanted(true, 6_000));
    }
}

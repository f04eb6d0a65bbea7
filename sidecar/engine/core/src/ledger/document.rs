//! The ledger's sync as documents (docs/contracts.md 3): what the engine posts and what it is
//! answered. Plain data; `budget` fills and applies them, `ledger` carries them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Everything a sidecar has to say; all numbers are cumulative.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The holder.
    pub sidecar: Arc<str>,
    /// Its start.
    pub boot: Arc<str>,
    /// Rises with every request of a boot; the answer repeats it.
    pub seq: u64,
    /// The last one answered; 0 before.
    pub incarnation: u64,
    /// This boot is over.
    #[serde(rename = "final")]
    pub last: bool,
    /// What the holder knows of each lease.
    pub leases: Vec<LeaseReport>,
    /// Counters that changed since the last answered request.
    pub usage: Vec<UsageReport>,
    /// What is needed.
    pub wants: Vec<Want>,
}

/// A lease as its holder knows it, picodollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReport {
    /// The hub's name, or `u-…`.
    pub id: Arc<str>,
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Absent where the holder does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Arc<str>>,
    /// As answered.
    pub granted: u64,
    /// Given back.
    pub returned: u64,
    /// Settled.
    pub spent: u64,
    /// May have been billed.
    pub unconfirmed: u64,
    /// May still be reserved: what a recall would give back.
    #[serde(default)]
    pub free: u64,
    /// The numbers are final.
    pub closed: bool,
}

/// Usage since boot of one dimension tuple.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// `pool/model`.
    pub model: String,
    /// The provider's label.
    pub provider: String,
    /// The calling workload.
    pub workload: String,
    /// Attribution.
    pub team: String,
    /// Attribution.
    pub key: String,
    /// `chat`, `embeddings`.
    pub endpoint: String,
    /// Calls.
    pub requests: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
    /// Picodollars that were booked as spent.
    pub cost: u64,
    /// Picodollars of given-up attempts, and of calls that a crash or a shutdown left open.
    #[serde(default)]
    pub unconfirmed: u64,
}

/// Money that a holder would like, picodollars above `have`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Absent: the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Arc<str>>,
    /// The window after `window`.
    #[serde(default)]
    pub next: bool,
    /// The grant that the holder knows of.
    pub have: u64,
    /// What callers wait for.
    pub need: u64,
    /// What would spare the next sync.
    pub prefer: u64,
    /// What would last through the Budget's outage horizon; at least `prefer`.
    #[serde(default)]
    pub reserve: u64,
}

/// The ledger's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// Rises when the ledger was restored: older leases that it does not list are void.
    pub incarnation: u64,
    /// The request's.
    pub seq: u64,
    /// The ledger's clock, Unix milliseconds.
    pub now_ms: i64,
    /// All open leases of this boot.
    #[serde(default)]
    pub leases: Vec<LeaseGrant>,
    /// Wants that were not met.
    #[serde(default)]
    pub denied: Vec<Denied>,
    /// How the named accounts stand.
    #[serde(default)]
    pub states: Vec<AccountState>,
}

/// An open lease as the ledger knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeaseGrant {
    /// The ledger's name.
    pub id: Arc<str>,
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Where it counts.
    pub window: WindowNames,
    /// Picodollars over the lease's life.
    pub granted: u64,
    /// Milliseconds from when the request was sent.
    pub hard_expiry_ms: u64,
    /// Milliseconds between two requests.
    pub renew_every_ms: u64,
    /// The free part is wanted back.
    #[serde(default)]
    pub recall: bool,
}

/// A window as the ledger writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowNames {
    /// Its name.
    pub key: Arc<str>,
    /// RFC 3339.
    pub start: String,
    /// RFC 3339, exclusive.
    pub end: String,
}

/// Less was left than needed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Denied {
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Its key.
    #[serde(default)]
    pub window: Option<Arc<str>>,
    /// Why.
    pub code: DeniedCode,
    /// RFC 3339.
    #[serde(default)]
    pub resets_at: Option<Arc<str>>,
    /// Milliseconds until it is worth asking again; an older ledger says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
    /// Other holders are called to give back what they do not use: callers wait, and the ledger is
    /// asked again after so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Why a want was not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedCode {
    /// Less is left than needed.
    Exhausted,
    /// A threshold blocks.
    Blocked,
    /// The ledger has no such account, or not yet.
    UnknownAccount,
    /// The next window is too far away.
    NotYet,
    /// The ledger was restored, and grants nothing until every holder has reported.
    Restored,
    /// From a newer ledger.
    #[serde(other)]
    Other,
}

/// How an account stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountState {
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// The key of the current window.
    pub window: Arc<str>,
    /// Picodollars.
    pub limit: u64,
    /// Settled and unconfirmed, picodollars.
    pub used: u64,
    /// RFC 3339.
    pub resets_at: Arc<str>,
    /// Highest percent crossed; 0: none.
    pub threshold: u8,
    /// Where a threshold blocks: milliseconds until it is worth asking whether it still does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
}

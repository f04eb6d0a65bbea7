//! What a holder and the hub say of shares (docs/contracts.md 3). Plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The kinds of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// Calls a minute.
    Requests,
    /// Tokens a minute, of prompts and answers.
    Tokens,
    /// Calls at once.
    InFlight,
}

impl Unit {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::InFlight];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InFlight => "in_flight",
        }
    }

    /// The field of a ModelPool's model.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Requests => "limits.requestsPerMinute",
            Self::Tokens => "limits.tokensPerMinute",
            Self::InFlight => "limits.maxInFlight",
        }
    }
}

/// All that a holder has to say; numbers of shares are cumulative within a term.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LimitsRequest {
    /// The holder.
    pub sidecar: Arc<str>,
    /// Its start.
    pub boot: Arc<str>,
    /// Rises with every request of a boot; the answer repeats it.
    pub seq: u64,
    /// This boot is over: what it holds is the hub's again.
    #[serde(rename = "final")]
    pub last: bool,
    /// Its shares.
    pub holds: Vec<HoldReport>,
}

/// One share as its holder knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReport {
    /// `namespace/pool/model`.
    pub limit: Arc<str>,
    /// Of what.
    pub unit: Unit,
    /// Rises when a share lapses at its holder.
    pub term: u64,
    /// As answered.
    pub granted: u64,
    /// Given back.
    pub returned: u64,
    /// What would serve all that is asked for.
    pub want: u64,
    /// The least with which any of it can be served; 0: nothing is asked for.
    pub need: u64,
    /// Units that rest or are in use.
    pub used: u64,
    /// Calls that wait for it now, that ever waited for it, and that it was refused to: for people.
    #[serde(flatten)]
    pub calls: Calls,
}

/// Calls that a share stood against since its holder's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// That wait now.
    pub waiting: u64,
    /// That had to wait, however it ended.
    pub waited: u64,
    /// That were refused.
    pub refused: u64,
}

/// The hub's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LimitsAnswer {
    /// The request's.
    pub seq: u64,
    /// How long shares may be spent from when the request was sent, milliseconds.
    pub horizon_ms: u64,
    /// When to ask again while callers wait, milliseconds.
    #[serde(default)]
    pub again_ms: u64,
    /// The shares that it named, but for limits that the hub does not know.
    #[serde(default)]
    pub holds: Vec<HoldGrant>,
}

/// One share as the hub knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HoldGrant {
    /// `namespace/pool/model`.
    pub limit: Arc<str>,
    /// Of what.
    pub unit: Unit,
    /// The request's.
    pub term: u64,
    /// Units over the term.
    pub granted: u64,
    /// What is free above this is wanted back.
    pub keep: u64,
    /// What the holder is meant to have now.
    pub meant: u64,
}

//! Rules, routes and the default.

use serde::Deserialize;

use crate::limits;

/// When and where to route.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// For records and explanations.
    pub name: String,
    /// All members must hold.
    #[serde(default)]
    pub when: When,
    /// How to choose.
    pub route: Route,
}

/// Signals by name and globs over the requested model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct When {
    /// At least one; empty holds.
    pub any_of: Vec<String>,
    /// Every one.
    pub all_of: Vec<String>,
    /// None of them.
    pub none_of: Vec<String>,
    /// The requested model matches one of these globs; empty holds.
    pub models: Vec<String>,
}

/// Candidates and how to choose and try them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// How to order candidates.
    pub strategy: Strategy,
    /// What may be chosen.
    pub candidates: Vec<Candidate>,
    /// For `Quality` and `Cheapest`.
    #[serde(default)]
    pub quality: QualityTarget,
    /// Attempts.
    #[serde(default)]
    pub retries: Retries,
    /// Limits on waiting.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When the next candidate takes over.
    #[serde(default)]
    pub overflow: Overflow,
    /// What becomes of a setting that a candidate's dialect has no place for.
    #[serde(default)]
    pub untranslatable: Untranslatable,
    /// Who is refused first where room is short.
    #[serde(default)]
    pub priority: Priority,
    /// How much of a stream's beginning is held back.
    pub hold_back: Option<HoldBack>,
}

impl Route {
    /// To one model alone, for calls by name.
    #[must_use]
    pub fn to(model: &str) -> Self {
        Self {
            strategy: Strategy::Failover,
            candidates: vec![Candidate { model: model.to_owned(), weight: 1, priority: 0 }],
            quality: QualityTarget::default(),
            retries: Retries::default(),
            timeouts: Timeouts::default(),
            overflow: Overflow::default(),
            untranslatable: Untranslatable::default(),
            priority: Priority::default(),
            hold_back: None,
        }
    }

    /// The same at a gateway: the caller's sidecar chooses, tries again and knows how long to wait. Which
    /// endpoints a model has it does not know, so another one of them is the gateway's to try, once.
    #[must_use]
    pub fn of_gateway(model: &str) -> Self {
        let ms = limits::GATEWAY_WAIT_MS;
        Self {
            retries: Retries { max_attempts: 2, budget_percent: 0, min_per_second: 0 },
            timeouts: Timeouts { first_token_ms: ms, stream_idle_ms: ms, total_ms: ms },
            ..Self::to(model)
        }
    }
}

/// How candidates are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Strategy {
    /// argmax P - lambda * cost.
    Quality,
    /// By priority, then list order.
    Failover,
    /// At random by weight.
    Weighted,
    /// Least expected cost at or above the floor.
    Cheapest,
}

impl Strategy {
    /// The name that records and tables use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quality => "Quality",
            Self::Failover => "Failover",
            Self::Weighted => "Weighted",
            Self::Cheapest => "Cheapest",
        }
    }
}

/// A model within a route.
#[derive(Debug, Clone, Deserialize)]
pub struct Candidate {
    /// `Model::name`.
    pub model: String,
    /// For `Weighted`.
    #[serde(default = "one")]
    pub weight: u32,
    /// Lower first, for `Failover`.
    #[serde(default)]
    pub priority: u32,
}

const fn one() -> u32 {
    1
}

/// Quality aims of a route.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QualityTarget {
    /// Percent of the best candidate's expected mean quality.
    pub target_percent: u8,
    /// Percent; candidates whose catalogue mean is below are out.
    pub floor: u8,
    /// Micro-probability per dollar, solved at compile time.
    pub lambda0: i64,
}

/// When the next candidate takes over from one that is preferred to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overflow {
    /// Every endpoint of it is full.
    pub on_saturated: bool,
    /// Its endpoints start or sleep.
    pub on_cold_start: bool,
    /// It failed, or rests because it failed.
    pub on_error: bool,
}

impl Default for Overflow {
    fn default() -> Self {
        Self { on_saturated: true, on_cold_start: true, on_error: true }
    }
}

/// What becomes of a setting that a candidate's dialect has no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Untranslatable {
    /// It is left out, and the answer's headers name it.
    #[default]
    Drop,
    /// The candidate is passed over.
    Refuse,
}

/// How much a route's calls matter beside those of others, where room is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Priority {
    /// Refused while half of the room is free.
    Low,
    /// Refused when the room is full, or all but what is kept for `High`.
    #[default]
    Normal,
    /// Refused when nothing is left.
    High,
}

/// How much of a stream is held back after its first content, whichever is reached first; what breaks
/// there is tried again as if nothing had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct HoldBack {
    /// About so many tokens.
    pub tokens: Option<u32>,
    /// Milliseconds.
    pub ms: Option<u64>,
}

/// Attempts of one request and of all requests.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    /// Over all candidates.
    pub max_attempts: u8,
    /// Retries as a share of requests.
    pub budget_percent: u8,
    /// Retries always allowed.
    pub min_per_second: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max_attempts: 3, budget_percent: 20, min_per_second: 3 }
    }
}

/// Limits on waiting, milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// To the first content of a stream, or to the headers of a plain answer's first byte.
    pub first_token_ms: u64,
    /// Between two pieces of a stream.
    pub stream_idle_ms: u64,
    /// The whole request, all attempts.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_token_ms: 30_000, stream_idle_ms: 30_000, total_ms: 600_000 }
    }
}

/// What happens to a model name that nothing takes.
#[derive(Debug, Clone, Deserialize)]
pub struct DefaultAction {
    /// Which.
    pub action: DefaultKind,
    /// For `Route`.
    pub route: Option<Route>,
}

/// Kinds of default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DefaultKind {
    /// 404 model_not_found.
    Deny,
    /// To the first model's provider with the caller's own model name, at the dearest price of the pool.
    PassThrough,
    /// By a route of its own.
    Route,
}

//! RouteTable version 1 as it crosses the border (docs/contracts.md §1): plain data, integers only.
//! `check` validates it, `plan` indexes it; nothing else reads it. Unknown fields are ignored (skew).

use serde::Deserialize;

/// The newest table version that this engine reads.
pub const READER_VERSION: u32 = 1;

/// One policy's slice of the world: what may be called, how to choose, what it may cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteTable {
    /// Version of the format.
    pub version: u32,
    /// The oldest reader that understands this table.
    pub min_reader: u32,
    /// The RoutingPolicy that this table serves.
    pub policy: ObjectName,
    /// Digest of the price catalogue behind `pricing`.
    #[serde(default)]
    pub catalogue: String,
    /// Callable models, by name.
    pub models: Vec<Model>,
    /// Named predicates over a request.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// First match wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What happens to a model name that no rule and no model takes.
    pub default: DefaultAction,
    /// Budgets that bind this workload.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}

/// A namespaced object's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct ObjectName {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Object name.
    pub name: String,
}

/// One model of a pool, priced and resolved.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// `pool/model`: the name in metrics, records and candidates.
    pub name: String,
    /// The ModelPool it comes from.
    pub pool: ObjectName,
    /// Globs (`*` only) under which callers may ask for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// 0..=9; `Downgrade` keeps tiers up to its `maxTier`.
    #[serde(default)]
    pub tier: u8,
    /// Where and how it is called.
    pub provider: Provider,
    /// Picodollars per token.
    pub pricing: Pricing,
    /// `chat`, `json`, `tools`, `vision`, `embeddings`, …
    pub capabilities: Vec<String>,
    /// Tokens of prompt and answer together.
    pub context_window: u64,
    /// Most tokens that an answer may have.
    pub max_output_tokens: u64,
    /// Catalogue or pool quality, percent.
    #[serde(default)]
    pub quality: Quality,
    /// Expected answer length, tokens.
    #[serde(default)]
    pub output_tokens: OutputTokens,
    /// Logistic head; absent: the quality prior stands in.
    pub head: Option<Head>,
}

/// How a model's provider is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Wire family.
    #[serde(rename = "type")]
    pub kind: ProviderType,
    /// Bounded label for metrics and spend.
    pub label: String,
    /// The model's name at the provider.
    pub model: String,
    /// `scheme://host[:port]/prefix`.
    #[serde(rename = "baseURL")]
    pub base_url: String,
    /// Answers come from a simulator and say so.
    #[serde(default)]
    pub simulated: bool,
    /// Which key to send; absent: none.
    pub credential: Option<Credential>,
    /// Hosts to which this provider type's keys may go.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// What ends a stream properly.
    #[serde(default)]
    pub stream_end: StreamEnd,
    /// The request field that caps the answer.
    #[serde(default = "default_cap_field")]
    pub cap_field: String,
}

fn default_cap_field() -> String {
    "max_completion_tokens".to_owned()
}

/// Wire families that this reader speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ProviderType {
    /// api.openai.com.
    OpenAI,
    /// Any server with OpenAI's chat and embeddings endpoints.
    OpenAICompatible,
    /// A model that the user runs; costed by GPU-hour.
    SelfHosted,
}

/// A key's place; never the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Credential {
    /// Secret's name.
    pub secret: String,
    /// Entry in the Secret.
    pub key: String,
    /// The provider's usual variable (file mode only).
    #[serde(default)]
    pub env: String,
}

/// What a complete stream ends with, after a finish_reason for every choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum StreamEnd {
    /// `data: [DONE]`.
    #[default]
    Done,
    /// The end of the body.
    Eof,
}

/// Picodollars per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pricing {
    /// Prompt tokens.
    pub input: u64,
    /// Prompt tokens that the provider had cached; absent: as input.
    pub cached_input: Option<u64>,
    /// Answer tokens, reasoning included.
    pub output: u64,
}

/// Percent of good answers, from catalogue or pool.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Quality {
    /// Over all tasks.
    pub prior: u8,
    /// By task type.
    pub by_task: std::collections::BTreeMap<String, u8>,
}

/// Expected answer tokens, for a candidate's cost.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutputTokens {
    /// Over all tasks.
    pub default: u32,
    /// By task type.
    pub by_task: std::collections::BTreeMap<String, u32>,
}

/// A logistic head in micro units.
#[derive(Debug, Clone, Deserialize)]
pub struct Head {
    /// Identity of the artefact.
    pub digest: String,
    /// Added to the weighted sum.
    pub bias: i64,
    /// One weight a feature, in the order of `features`.
    pub weights: Vec<i64>,
}

/// A named predicate; exactly one of the optional members is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Signal {
    /// What rules refer to.
    pub name: String,
    /// `PII`.
    pub detector: Option<String>,
    /// A task type.
    pub task: Option<String>,
    /// Estimated prompt tokens, inclusive.
    pub tokens: Option<TokenRange>,
    /// A request header.
    pub header: Option<HeaderMatch>,
    /// Whole words of the last user text, any case.
    pub keywords: Option<Vec<String>>,
    /// Globs over the requested model.
    pub models: Option<Vec<String>>,
}

/// Inclusive bounds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct TokenRange {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}

/// A header and the values that match; none means presence.
#[derive(Debug, Clone, Deserialize)]
pub struct HeaderMatch {
    /// Lower-case name.
    pub name: String,
    /// Exact values.
    #[serde(default)]
    pub values: Vec<String>,
}

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

/// A Budget that binds this workload.
#[derive(Debug, Clone, Deserialize)]
pub struct Budget {
    /// Namespace of the Budget.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which requests it counts.
    #[serde(default)]
    pub subject: Subject,
    /// One account each.
    pub limits: Vec<Limit>,
    /// Ascending by percent.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// How strictly.
    pub enforcement: Enforcement,
}

/// All members must match; empty ones do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Caller namespaces.
    pub namespaces: Vec<String>,
    /// Caller workloads.
    pub workloads: Vec<String>,
    /// Attribution by header.
    pub header: Option<HeaderMatch>,
    /// `Model::name` globs.
    pub models: Vec<String>,
}

/// Money within a window.
#[derive(Debug, Clone, Deserialize)]
pub struct Limit {
    /// Within the Budget.
    pub name: String,
    /// Picodollars.
    pub amount: u64,
}

/// What happens at a share of a limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Of any limit.
    pub percent: u8,
    /// What happens.
    pub action: ThresholdAction,
    /// For `Downgrade`.
    #[serde(default)]
    pub max_tier: u8,
}

/// Threshold actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ThresholdAction {
    /// An event; calls go on.
    Notify,
    /// Only models up to `maxTier`.
    Downgrade,
    /// Calls are refused.
    Block,
}

/// How strictly a Budget is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// Refuse, or only count.
    pub mode: EnforcementMode,
    /// When the hub is away.
    pub on_ledger_unavailable: OnLedgerUnavailable,
    /// How long leases outlive the hub.
    pub outage_horizon_seconds: u64,
    /// Cap spliced into calls that have none.
    pub default_max_tokens: u64,
}

/// Enforcement modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum EnforcementMode {
    /// Refuse what does not fit.
    Enforce,
    /// Count only.
    Audit,
}

/// What a missing ledger means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum OnLedgerUnavailable {
    /// Spend what is leased, then refuse.
    SpendLease,
    /// Go on, counted.
    Allow,
    /// Refuse at once.
    Deny,
}

//! RouteTable version 1 as it crosses the border (docs/contracts.md §1): plain data, integers only.
//! `check` validates it, `plan` indexes it; nothing else reads it. Unknown fields are ignored (skew).

mod budget;
mod credential;
mod route;

use pointsman_wire::openai_chat::quirks::Quirks;
use serde::Deserialize;

pub use budget::{
    Budget, Enforcement, EnforcementMode, Limit, OnLedgerUnavailable, Subject, Threshold,
    ThresholdAction,
};
pub use credential::{Cloud, Credential};
pub use route::{
    Candidate, DefaultAction, DefaultKind, HoldBack, Overflow, Priority, QualityTarget, Retries,
    Route, Rule, Strategy, Timeouts, Untranslatable, When,
};

/// The newest table version that this engine reads.
pub const READER_VERSION: u32 = 5;

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
    /// The table of a pool's gateway.
    pub gateway: Option<TableGateway>,
    /// The policy was deleted: nothing else is in the table.
    #[serde(default)]
    pub removed: bool,
}

/// Who may use a pool's gateway.
#[derive(Debug, Clone, Deserialize)]
pub struct TableGateway {
    /// Other namespaces; absent: all.
    pub namespaces: Option<Vec<String>>,
}

impl RouteTable {
    /// Whether this is the table of a pool's gateway, open to callers of this namespace.
    #[must_use]
    pub fn admits(&self, namespace: &str) -> bool {
        self.gateway.as_ref().is_some_and(|gateway| {
            gateway.namespaces.as_ref().is_none_or(|names| names.iter().any(|it| it == namespace))
        })
    }
}

/// The way to a model of another namespace.
#[derive(Debug, Clone, Deserialize)]
pub struct Way {
    /// Whose tickets it takes.
    pub audience: String,
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
    /// Where it computes; told with `allowed_regions`.
    pub region: Option<String>,
    /// Where its pool and the policy let it compute; absent: anywhere.
    pub allowed_regions: Option<Vec<String>>,
    /// What its provider allows the whole fleet; absent: nobody said.
    pub limits: Option<ModelLimits>,
}

/// What a provider allows all who call a model together; absent: no such limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelLimits {
    /// `namespace/pool/model`: whose share is meant, whatever a policy calls the model.
    pub account: String,
    /// Calls a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, of prompts and answers.
    pub tokens_per_minute: Option<u64>,
    /// Calls at once.
    pub max_in_flight: Option<u64>,
}

impl Model {
    /// Whether it is where it may be; one of no region is so only where none are asked for.
    #[must_use]
    pub fn is_at_home(&self) -> bool {
        self.allowed_regions.as_ref().is_none_or(|allowed| {
            self.region.as_ref().is_some_and(|region| allowed.contains(region))
        })
    }
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
    /// The model is behind the gateway of another namespace's pool; there is no credential here.
    pub gateway: Option<Way>,
    /// Hosts to which this provider type's keys may go.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// What ends a stream properly.
    #[serde(default)]
    pub stream_end: StreamEnd,
    /// The request field that caps the answer.
    #[serde(default = "default_cap_field")]
    pub cap_field: String,
    /// Where it differs from OpenAI's chat.
    #[serde(default)]
    pub quirks: Quirks,
    /// Where the hub finds its endpoints; absent: `base_url` is the only one.
    pub endpoints: Option<EndpointSource>,
    /// What it speaks besides its type's own dialect; names that we do not know are no use to us.
    #[serde(default)]
    pub surfaces: Vec<String>,
    /// Azure's `api-version`, where its URLs need one.
    pub api_version: Option<String>,
    /// The region that requests to Bedrock are signed for; absent: as its host says.
    pub region: Option<String>,
}

fn default_cap_field() -> String {
    "max_completion_tokens".to_owned()
}

/// Wire families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ProviderType {
    /// api.openai.com.
    OpenAI,
    /// Any server with OpenAI's chat and embeddings endpoints.
    OpenAICompatible,
    /// A model that the user runs; costed by GPU-hour.
    SelfHosted,
    /// api.anthropic.com.
    Anthropic,
    /// generativelanguage.googleapis.com.
    Gemini,
    /// Gemini's models in a Google Cloud project.
    Vertex,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// OpenAI's models at Azure.
    AzureOpenAI,
}

impl ProviderType {
    /// The cloud whose credentials it takes beside plain keys.
    #[must_use]
    pub const fn cloud(self) -> Option<Cloud> {
        match self {
            Self::Bedrock => Some(Cloud::Aws),
            Self::Vertex => Some(Cloud::Google),
            Self::AzureOpenAI => Some(Cloud::Azure),
            _ => None,
        }
    }
}

/// What tells a self-hosted model's endpoints apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum EndpointSource {
    /// A Service, which answers under `base_url` until the hub has told its endpoints.
    Service,
    /// Pods that no Service names: of `base_url` only scheme, port and path count.
    Pods,
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
    /// Prompt tokens that the provider writes to its cache for five minutes, or its usual time; absent:
    /// a quarter more than input at Anthropic, else as input.
    pub cache_write: Option<u64>,
    /// The same for an hour or longer; absent: twice input at Anthropic, else as `cache_write`.
    pub cache_write_long: Option<u64>,
    /// Sound and images; absent: they are billed as text.
    pub media: Option<MediaPricing>,
}

/// What sound and images cost, where that is not what text costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaPricing {
    /// Their tokens in what is sent; absent: as text's.
    pub input: Option<u64>,
    /// Their tokens in what is made; absent: as text's.
    pub output: Option<u64>,
    /// A second of sound that is written down, a character that is read aloud, an image that is made, by
    /// what the model does; absent: nothing is billed so.
    pub unit: Option<u64>,
}

impl Pricing {
    /// With what the provider charges for writing to its cache, where the table does not say it.
    #[must_use]
    pub const fn at(mut self, provider: ProviderType) -> Self {
        if matches!(provider, ProviderType::Anthropic) {
            if self.cache_write.is_none() {
                self.cache_write = Some(self.input.saturating_add(self.input.div_ceil(4)));
            }
            if self.cache_write_long.is_none() {
                self.cache_write_long = Some(self.input.saturating_mul(2));
            }
        }
        self
    }
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

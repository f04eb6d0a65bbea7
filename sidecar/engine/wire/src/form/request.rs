//! A request.

use serde_json::{Map, Number, Value};

use super::{Cannot, Loss, Part, Payload};

/// Whose words a conversation was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's legacy completions.
    OpenAiCompletions,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    AnthropicMessages,
    /// Google's generateContent.
    Gemini,
    /// AWS Bedrock's Converse.
    BedrockConverse,
}

/// A request for an answer, in no provider's words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    /// Whose words it was read from; `None`: unknown, so no writer takes it for its own. By this a writer
    /// knows whether `extra`, foreign parts and signatures mean anything to it.
    pub origin: Option<Dialect>,
    /// As the caller named it; writers put the target's name instead.
    pub model: String,
    /// System, user and model in the caller's order; results of tools are parts of `User` turns.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// `Some(false)`: at most one call at a time.
    pub parallel_tools: Option<bool>,
    /// Everything that tunes the answer.
    pub settings: Settings,
    /// A stream is wanted.
    pub stream: bool,
    /// OpenAI's chat: the caller wants the usage event of a stream.
    pub stream_usage: bool,
    /// Top-level members that the form has no place for, as they stood: a writer of the same dialect puts
    /// them back, any other loses them ([`Conversation::begin_losses`]).
    pub extra: Map<String, Value>,
    /// What the reader found in deeper places and the form cannot hold (`messages[0].name`).
    pub lost: Vec<Loss>,
    /// Paths of what makes sense at the caller's own provider alone: state that it holds
    /// (`previous_response_id`, `cachedContent`), or a wish that no other dialect can express.
    pub state: Vec<String>,
}

impl Conversation {
    /// What any writer of another dialect loses: begin with these.
    ///
    /// # Errors
    /// It hangs on [`Conversation::state`], which no other dialect can carry.
    pub fn begin_losses(&self) -> Result<Vec<Loss>, Cannot> {
        if let Some(path) = self.state.first() {
            let why = "belongs to a provider that speaks your own format; leave it out, or name a \
                       model of that provider";
            return Err(Cannot { path: Loss::at(path).path, why });
        }
        let extra = self.extra.keys().map(|name| Loss::at(name));
        Ok(self.lost.iter().cloned().chain(extra).collect())
    }

    /// The tool that a call's id names, from the turns before.
    #[must_use]
    pub fn tool_of(&self, id: &str) -> Option<&str> {
        self.turns.iter().flat_map(|turn| &turn.parts).find_map(|part| match &part.payload {
            Payload::Call(call) if call.id == id => Some(call.name.as_str()),
            _ => None,
        })
    }
}

/// One speaker's turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `system` and `developer`.
    System,
    /// The caller, and its tools.
    User,
    /// The model.
    Assistant,
}

/// A tool that the caller runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// JSON schema of its arguments; `None`: it takes none.
    pub parameters: Option<Value>,
    /// OpenAI's `strict`.
    pub strict: Option<bool>,
    /// As in [`Part::cache`].
    pub cache: Option<String>,
    /// A tool that the provider runs (web search, code) or of OpenAI's `custom` kind: the whole entry, for
    /// a writer of the same dialect.
    pub foreign: Option<Value>,
}

/// Whether a tool must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// None may be.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// Some of these; the flag says whether at least one must be.
    Allowed(Vec<String>, bool),
}

/// What tunes an answer. `None`: the caller did not say, and a writer says nothing either.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Most answer tokens, reasoning included.
    pub max_output: Option<u64>,
    /// As written, whatever the provider's range.
    pub temperature: Option<Number>,
    /// Nucleus.
    pub top_p: Option<Number>,
    /// Most likely tokens considered.
    pub top_k: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Choices wanted.
    pub n: Option<u64>,
    /// For repeatable answers.
    pub seed: Option<i64>,
    /// OpenAI's and Gemini's.
    pub presence_penalty: Option<Number>,
    /// OpenAI's and Gemini's.
    pub frequency_penalty: Option<Number>,
    /// Token biases, as written.
    pub logit_bias: Option<Value>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many a token.
    pub top_logprobs: Option<u64>,
    /// The answer's form.
    pub format: Format,
    /// How the model may think.
    pub reasoning: Option<Reasoning>,
    /// How long the answer should be (OpenAI).
    pub verbosity: Option<Verbosity>,
    /// The caller's end user.
    pub user: Option<String>,
    /// The caller's own marks.
    pub metadata: Map<String, Value>,
    /// As written: each provider has names of its own.
    pub service_tier: Option<String>,
    /// What the answer may hold besides text (`audio`, `image`), as written.
    pub modalities: Vec<String>,
}

/// The form of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Format {
    /// Text, or nothing asked.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON of this schema.
    Schema {
        /// OpenAI wants one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// JSON schema.
        schema: Value,
        /// OpenAI's `strict`.
        strict: Option<bool>,
    },
}

/// How the model may think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard; `None`: not said.
    pub effort: Option<Effort>,
    /// Most tokens of it (Anthropic's `budget_tokens`, Gemini's `thinkingBudget`).
    pub budget: Option<u64>,
    /// The provider decides how much (Anthropic's `adaptive`, Gemini's -1).
    pub adaptive: bool,
    /// Whether the answer should show it; `None`: not said.
    pub show: Option<bool>,
}

/// How hard a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// OpenAI's least.
    Minimal,
    /// Little.
    Low,
    /// Usual.
    Medium,
    /// Much.
    High,
    /// More than that.
    ExtraHigh,
    /// All it can.
    Max,
}

/// How long an answer should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Short.
    Low,
    /// Usual.
    Medium,
    /// Long.
    High,
}

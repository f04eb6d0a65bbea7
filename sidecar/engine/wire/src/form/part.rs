//! What turns and answers are made of.

use serde_json::Value;

/// One piece of a turn, and whether the caller marked the prompt's cache to end after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub payload: Payload,
    /// A cache mark of Anthropic's (`cache_control`), Bedrock's (`cachePoint`) or OpenAI's
    /// (`prompt_cache_breakpoint`), with its time to live as written there (`5m`, `1h`); empty: the default.
    pub cache: Option<String>,
}

/// A part's content.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Text of user, system or model.
    Text(String),
    /// The model says that it will not answer.
    Refusal(String),
    /// An image, sound or document.
    Media(Media),
    /// The model's reasoning.
    Thinking(Thinking),
    /// The model calls a tool.
    Call(Call),
    /// What a tool gave.
    Result(ToolResult),
    /// Something that only its own dialect knows (a server tool's block, a citation's document): kept for
    /// a writer of the same dialect, lost in any other.
    Foreign {
        /// `type` as the dialect calls it.
        kind: String,
        /// The whole part.
        value: Value,
    },
}

impl From<Payload> for Part {
    fn from(payload: Payload) -> Self {
        Self { payload, cache: None }
    }
}

impl Part {
    /// A part of text without a cache mark.
    pub fn text(text: impl Into<String>) -> Self {
        Payload::Text(text.into()).into()
    }
}

/// What a [`Media`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A PDF or text.
    Document,
}

/// An image, sound or document.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source,
    /// File name or title, where one was given.
    pub name: Option<String>,
    /// OpenAI's `detail`, for images.
    pub detail: Option<String>,
}

/// Where a [`Media`]'s bytes are. Nothing is ever fetched here.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// In the request.
    Inline {
        /// e.g. `image/png`.
        media_type: String,
        /// Base64, standard alphabet, as it came.
        data: String,
    },
    /// Plain text in the request (Anthropic's text documents).
    Text(String),
    /// At an address that the provider fetches.
    Url(String),
    /// Stored at one provider, useless at any other.
    File(String),
}

/// Reasoning of a model; a signature is valid at the provider that made it and nowhere else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thinking {
    /// Its text or summary; empty where it is hidden.
    pub text: String,
    /// Anthropic's `signature`, Gemini's `thoughtSignature`, OpenAI's `encrypted_content`: byte-exact.
    pub signature: Option<String>,
    /// Anthropic's `redacted_thinking`, Bedrock's `redactedContent`: `signature` holds its data.
    pub redacted: bool,
    /// OpenAI's id of a reasoning item.
    pub id: Option<String>,
}

/// A tool call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// The model's id of the call; empty where the dialect has none (older Gemini): a writer makes one.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON text exactly as the model wrote it: it may be cut (`max_tokens`) and is never repaired. An
    /// empty text and `{}` both say: none.
    pub arguments: String,
    /// OpenAI's `custom` tools take free text instead of JSON.
    pub custom: bool,
    /// Gemini's `thoughtSignature` on the call.
    pub signature: Option<String>,
}

/// What a tool gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub id: String,
    /// The tool; Gemini wants it, OpenAI and Anthropic do not say it (readers find it by the id).
    pub name: Option<String>,
    /// Text and media.
    pub parts: Vec<Part>,
    /// The tool failed.
    pub failed: bool,
}

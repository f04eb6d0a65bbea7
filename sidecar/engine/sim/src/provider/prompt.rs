//! What is asked, whatever dialect it was asked in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::replay::hex;

/// Tokens of one image, whatever its size.
const IMAGE_TOKENS: u64 = 258;

/// A well-formed request.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// The upstream model.
    pub(crate) model: String,
    /// The answer is streamed.
    pub(crate) stream: bool,
    /// A stream reports its usage (chat only; elsewhere it always does).
    pub(crate) include_usage: bool,
    /// Number of choices.
    pub(crate) choices: usize,
    /// The caller's limit on output tokens of one choice.
    pub(crate) cap: Option<usize>,
    /// Tokens of all message text and images.
    pub(crate) tokens: u64,
    /// Images among the messages.
    pub(crate) images: u64,
    /// Text of the last user message.
    pub(crate) last_user: String,
    /// The tool that has to be called.
    pub(crate) forced_tool: Option<Tool>,
    /// The JSON schema that the answer has to fit; an empty object for any JSON.
    pub(crate) schema: Option<Value>,
    /// Texts that end the answer.
    pub(crate) stops: Vec<String>,
    /// The model is asked to think.
    pub(crate) thinks: bool,
    /// Thinking is part of the answer; else it is only counted.
    pub(crate) shows_thinking: bool,
    /// The limit holds for thinking, too.
    pub(crate) cap_holds_thinking: bool,
    /// What made-up identifiers of tool calls begin with.
    pub(crate) call_prefix: &'static str,
    /// What of the request the answer repeats.
    pub(crate) echo: Value,
    /// Whose signatures these are.
    pub(crate) realm: &'static str,
}

/// A tool's name and the schema of its arguments.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) parameters: Value,
}

/// The weight of a request, added up while it is read.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    chars: usize,
    images: u64,
}

impl Weight {
    /// Adds a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.chars += text.chars().count();
    }

    /// Adds an image or another file.
    pub(crate) fn image(&mut self) {
        self.images += 1;
    }

    /// All tokens.
    pub(crate) fn tokens(&self) -> u64 {
        tokens_of(self.chars) + self.images * IMAGE_TOKENS
    }

    /// The images among them.
    pub(crate) fn images(&self) -> u64 {
        self.images
    }
}

/// Tokens of a text of `chars` characters.
pub(crate) fn tokens_of(chars: usize) -> u64 {
    chars.div_ceil(4) as u64
}

/// The signature of a `realm` under `text`: only what was signed there is accepted there.
pub(crate) fn signature(realm: &str, text: &str) -> String {
    let digest = Sha256::new()
        .chain_update(realm)
        .chain_update([0])
        .chain_update(text.as_bytes())
        .finalize();
    STANDARD.encode(format!("{realm}:{}", hex(&digest)))
}

//! Reads a request body once, as it arrives, without building a document: the values that routing
//! needs, where they stand, and the last user text. `handle` feeds it; `rules`, `features`,
//! `budget` and the `wire` modules read the [`Scan`]; [`splice()`] applies the edits that it makes.
//!
//! It accepts exactly the JSON objects that `serde_json` accepts, at every chunk split, and
//! allocates the same few bounded buffers whatever the body's size.

mod error;
mod keep;
mod meaning;
mod number;
mod place;
mod scanner;
mod source;
mod splice;
mod text;
mod word;

use std::ops::Range;

use bytes::Bytes;

use crate::detect::PiiKind;
use crate::limits::FEATURE_SIDE_CHARS;

pub use error::ScanError;
pub use place::{Key, Profile};
pub use scanner::Scanner;
pub use splice::{Edit, splice};
pub(crate) use text::skip_blocks;

/// What a scan does beyond reading members; each costs time a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Look for personal data in all message text.
    pub detect_pii: bool,
    /// Keep the last user text's head and tail; without it `last_user_text` stays empty.
    pub keep_text: bool,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// Absolute byte offsets of the value in the body, quotes included.
    pub span: Range<usize>,
    /// The value, unescaped.
    pub value: T,
}

/// The kind of answer that `response_format` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseFormat {
    /// `text`, or nothing asked.
    #[default]
    Text,
    /// `json_object`
    JsonObject,
    /// `json_schema`
    JsonSchema,
    /// A type that we do not know.
    Other,
}

/// A text's first and last characters: `head` and `tail` together are the whole text where it has
/// at most 1,000 characters, else its first and its last 500.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastText {
    /// The first 500 characters.
    pub head: String,
    /// The last 500 of the characters after `head`.
    pub tail: String,
    /// All characters of the text.
    pub chars: u32,
}

impl LastText {
    /// Whether characters between `head` and `tail` were left out.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.chars > 2 * FEATURE_SIDE_CHARS
    }
}

/// What a request asks, read from its body. `null` counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The requested model.
    pub model: Option<Spanned<String>>,
    /// Whether a stream is wanted.
    pub stream: Option<Spanned<bool>>,
    /// `stream_options.include_usage`
    pub include_usage: Option<bool>,
    /// `max_tokens`
    pub max_tokens: Option<Spanned<u64>>,
    /// `max_completion_tokens`
    pub max_completion_tokens: Option<Spanned<u64>>,
    /// Choices asked for.
    pub n: Option<u64>,
    /// `tools` or `functions` holds at least one.
    pub has_tools: bool,
    /// Structured output asked for.
    pub response_format: ResponseFormat,
    /// `service_tier`
    pub service_tier: Option<String>,
    /// `messages` is there.
    pub has_messages: bool,
    /// `input` is there.
    pub has_input: bool,
    /// Elements of `messages`.
    pub message_count: u32,
    /// Bytes of all message and input text, unescaped.
    pub text_bytes: u64,
    /// Numbers in `input`: tokens that the caller has counted already.
    pub input_tokens: u64,
    /// Images in messages.
    pub image_parts: u32,
    /// Bytes of `data:` URLs of images (not part of `text_bytes`).
    pub image_data_bytes: u64,
    /// Some message holds audio.
    pub has_audio: bool,
    /// Some message holds a file.
    pub has_file: bool,
    /// The last message of role `user`, its text parts joined by line breaks; the last text of `input`.
    pub last_user_text: LastText,
    /// Offset of the body's `{`.
    pub open_brace: usize,
    /// Members of the body's object.
    pub members: usize,
    /// Personal data found first in message text; always `None` without `detect_pii`.
    pub pii: Option<PiiKind>,
    /// Bytes of the body.
    pub body_len: usize,
    /// By [`Key`]; empty where absent.
    spans: [Range<usize>; Key::COUNT],
    usage_span: Option<Range<usize>>,
    stream_options: Option<Braces>,
    generation_config: Option<Braces>,
}

/// Where an object begins, and whether it has members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Braces {
    open_brace: usize,
    empty: bool,
}

impl Scan {
    /// Where a member's value stands, `null` included.
    #[must_use]
    pub fn span(&self, key: Key) -> Option<Range<usize>> {
        let span = &self.spans[key as usize];
        (!span.is_empty()).then(|| span.clone())
    }

    /// Takes what the path says in place of the body; it stands nowhere in the body.
    pub fn note_path(&mut self, model: Option<String>, stream: Option<bool>) {
        let nowhere = || 0..0;
        if let Some(value) = model {
            self.model = Some(Spanned { span: nowhere(), value });
        }
        if let Some(value) = stream {
            self.stream = Some(Spanned { span: nowhere(), value });
        }
    }

    /// The edit that gives `key` this JSON value: in place of the one it has (`null` too, so that
    /// no key is ever sent twice), or as a new first member.
    #[must_use]
    pub fn set(&self, key: Key, json: &str) -> Edit {
        if let Some(at) = self.span(key) {
            return Edit { at, with: Bytes::copy_from_slice(json.as_bytes()) };
        }
        insert(self.open_brace, key.as_str(), json, self.members == 0)
    }

    /// The edit that caps the answer of a Gemini request.
    #[must_use]
    pub fn set_gemini_cap(&self, json: &str) -> Edit {
        const NAME: &str = "maxOutputTokens";
        if let Some(cap) = &self.max_tokens {
            return Edit { at: cap.span.clone(), with: Bytes::copy_from_slice(json.as_bytes()) };
        }
        match &self.generation_config {
            Some(config) => insert(config.open_brace, NAME, json, config.empty),
            None => self.set(Key::GenerationConfig, &format!("{{\"{NAME}\":{json}}}")),
        }
    }

    /// The edit that makes a stream end with its usage; `None` where the caller asked for it too.
    #[must_use]
    pub fn ask_usage(&self) -> Option<Edit> {
        const NAME: &str = "include_usage";
        if self.include_usage == Some(true) {
            return None;
        }
        if let Some(at) = self.usage_span.clone() {
            return Some(Edit { at, with: Bytes::from_static(b"true") });
        }
        Some(match &self.stream_options {
            Some(options) => insert(options.open_brace, NAME, "true", options.empty),
            None => self.set(Key::StreamOptions, "{\"include_usage\":true}"),
        })
    }
}

/// A new first member of the object whose `{` is at `open_brace`.
fn insert(open_brace: usize, name: &str, json: &str, only: bool) -> Edit {
    let comma = if only { "" } else { "," };
    let at = open_brace + 1;
    Edit { at: at..at, with: ["\"", name, "\":", json, comma].concat().into() }
}

#[cfg(test)]
mod tests;

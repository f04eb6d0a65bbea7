//! Reads a chat request as the engine does, and decides what is answered.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::Value;

use super::config::{Config, Dialect};
use super::errors::Refused;

/// Lengths that answers have where nothing says how long they are.
const LENGTHS: [usize; 4] = [64, 128, 256, 512];

/// A well-formed chat request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) continuous_usage: bool,
    pub(crate) prompt_tokens: usize,
    /// Equal for equal prompts.
    pub(crate) prompt_key: u64,
    pub(crate) output_tokens: usize,
    /// Whether the caller's limit ends the answer.
    pub(crate) cut: bool,
}

impl Ask {
    /// Reads a request's body.
    ///
    /// # Errors
    /// In the engine's own words where it is malformed or too long.
    pub(crate) fn read(body: &[u8], config: &Config) -> Result<Self, Refused> {
        let dialect = config.engine;
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| dialect.bad_json(error.column().saturating_sub(1)))?;
        let Some(messages) = body["messages"].as_array() else {
            return Err(dialect.missing("messages"));
        };
        let model = body["model"].as_str().unwrap_or(&config.model);
        if model != config.model && dialect != Dialect::LlamaCpp {
            return Err(dialect.unknown_model(model));
        }
        if body["n"].as_u64().is_some_and(|n| n != 1) {
            return Err(dialect.bad_value("the simulated engine makes one choice only", "n"));
        }
        let mut hasher = DefaultHasher::new();
        let mut chars = 0;
        for message in messages {
            message["role"].as_str().hash(&mut hasher);
            let text = text_of(&message["content"]);
            text.hash(&mut hasher);
            chars += text.chars().count();
        }
        let prompt_key = hasher.finish();
        let prompt_tokens = chars.div_ceil(4).max(1);
        let most = config.max_model_len;
        if prompt_tokens >= most {
            return Err(dialect.too_long(prompt_tokens, most));
        }
        let room = most - prompt_tokens;
        let cap = limit(&body, dialect, most)?;
        let natural = config.answer_tokens.unwrap_or_else(|| {
            LENGTHS[usize::try_from(prompt_key % LENGTHS.len() as u64).unwrap_or(0)]
        });
        let natural = if body["ignore_eos"] == true { usize::MAX } else { natural };
        let output_tokens = natural.min(cap.unwrap_or(usize::MAX)).min(room);
        let options = &body["stream_options"];
        Ok(Self {
            model: config.model.clone(),
            stream: body["stream"] == true,
            include_usage: options["include_usage"] == true,
            continuous_usage: options["continuous_usage_stats"] == true,
            prompt_tokens,
            prompt_key,
            output_tokens,
            cut: output_tokens < natural,
        })
    }
}

/// The caller's limit of output tokens.
fn limit(body: &Value, dialect: Dialect, most: usize) -> Result<Option<usize>, Refused> {
    for name in ["max_completion_tokens", "max_tokens"] {
        let value = &body[name];
        if value.is_null() {
            continue;
        }
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        return match number {
            Some(number) if number > most && dialect == Dialect::Vllm => Err(dialect.bad_value(
                &format!(
                    "{name}={number} cannot be greater than max_model_len=max_total_tokens={most}. \
                     Please request fewer output tokens. (parameter={name}, value={number})"
                ),
                name,
            )),
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(dialect.bad_value(
                &format!(
                    "{name} must be at least 1, got {value}. (parameter={name}, value={value})"
                ),
                name,
            )),
        };
    }
    Ok(None)
}

/// All text of a message's content: a string, or the text parts of a list.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

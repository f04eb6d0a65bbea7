//! `usage`.

use serde_json::{Value, json};

use crate::form::Tokens;
use crate::json::Members;

/// Reads a `usage` object; `None`: it says nothing that can be billed.
pub(crate) fn read(usage: Value) -> Option<Tokens> {
    let mut usage = Members::of(usage, String::new()).ok()?;
    let mut count = |key: &str| usage.count(key).ok().flatten();
    let input = count("prompt_tokens")?;
    let total = count("total_tokens");
    let output = count("completion_tokens").or_else(|| total?.checked_sub(input))?;
    let hit = count("prompt_cache_hit_tokens");
    let mut prompt = usage.object("prompt_tokens_details").ok().flatten();
    let mut completion = usage.object("completion_tokens_details").ok().flatten();
    let of = |details: &mut Option<Members>, key: &str| details.as_mut()?.count(key).ok()?;
    Some(Tokens {
        input,
        cache_read: of(&mut prompt, "cached_tokens").or(hit).unwrap_or(0).min(input),
        cache_write: of(&mut prompt, "cache_write_tokens").unwrap_or(0).min(input),
        audio_input: of(&mut prompt, "audio_tokens").unwrap_or(0),
        output,
        reasoning: of(&mut completion, "reasoning_tokens").unwrap_or(0).min(output),
        audio_output: of(&mut completion, "audio_tokens").unwrap_or(0),
        ..Tokens::default()
    })
}

/// A `usage` object with all the details that SDKs read.
pub(crate) fn write(tokens: &Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input.saturating_add(tokens.output),
        "prompt_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write.saturating_add(tokens.cache_write_long),
            "audio_tokens": tokens.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": tokens.audio_output,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

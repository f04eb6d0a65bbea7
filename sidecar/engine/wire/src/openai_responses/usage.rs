//! `usage`.

use serde_json::{Value, json};

use crate::form::Tokens;
use crate::json::Members;

/// Reads a response's `usage`, and the searches from its `tool_usage`; `None`: nothing that can be billed.
pub(super) fn read(response: &mut Members) -> Option<Tokens> {
    let mut usage = response.object("usage").ok()??;
    let mut count = |key: &str| usage.count(key).ok().flatten();
    let input = count("input_tokens")?;
    let total = count("total_tokens");
    let output = count("output_tokens").or_else(|| total?.checked_sub(input))?;
    let mut of_input = usage.object("input_tokens_details").ok().flatten();
    let mut of_output = usage.object("output_tokens_details").ok().flatten();
    let of = |details: &mut Option<Members>, key: &str| details.as_mut()?.count(key).ok()?;
    let written = of(&mut of_input, "cache_write_tokens").unwrap_or(0).min(input);
    let mut by_age =
        of_input.as_mut().and_then(|details| details.object("cache_write_tokens_details").ok()?);
    let long = of(&mut by_age, "ttl_12h_tokens").unwrap_or(0).min(written);
    let mut tools = response.object("tool_usage").ok().flatten();
    let mut searches = tools.as_mut().and_then(|tools| tools.object("web_search").ok()?);
    Some(Tokens {
        input,
        cache_read: of(&mut of_input, "cached_tokens").unwrap_or(0).min(input),
        cache_write: written - long,
        cache_write_long: long,
        output,
        reasoning: of(&mut of_output, "reasoning_tokens").unwrap_or(0).min(output),
        web_searches: of(&mut searches, "num_requests").unwrap_or(0),
        // vLLM repeats the wish, OpenAI names the tier that it used.
        service_tier: response.text("service_tier").ok().flatten().filter(|tier| tier != "auto"),
        ..Tokens::default()
    })
}

/// A `usage` object with all the details that SDKs require.
pub(super) fn write(tokens: &Tokens) -> Value {
    let (short, long) = (tokens.cache_write, tokens.cache_write_long);
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": short.saturating_add(long),
            "cache_write_tokens_details": {"ttl_30m_tokens": short, "ttl_12h_tokens": long},
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input.saturating_add(tokens.output),
    })
}

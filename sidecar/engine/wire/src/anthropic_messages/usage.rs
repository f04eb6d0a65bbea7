//! `usage`, of answers and in streams.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::form::Tokens;

/// What the provider has said so far; a later report replaces an earlier one member by member.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<Creation>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<Details>,
    server_tool_use: Option<Searches>,
    service_tier: Option<String>,
    speed: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Creation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Searches {
    web_search_requests: Option<u64>,
}

impl Counts {
    /// `message_delta`'s counts are cumulative and override `message_start`'s; what they leave out stays.
    pub(super) fn replace(&mut self, later: Self) {
        fn over<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        over(&mut self.input_tokens, later.input_tokens);
        over(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        over(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        over(&mut self.cache_creation, later.cache_creation);
        over(&mut self.output_tokens, later.output_tokens);
        over(&mut self.output_tokens_details, later.output_tokens_details);
        over(&mut self.server_tool_use, later.server_tool_use);
        over(&mut self.service_tier, later.service_tier);
        over(&mut self.speed, later.speed);
    }

    /// Here the input excludes what went through the cache; in the form it does not.
    pub(super) fn tokens(&self) -> Tokens {
        let long = self.cache_creation.as_ref().and_then(|some| some.ephemeral_1h_input_tokens);
        let short = self.cache_creation.as_ref().and_then(|some| some.ephemeral_5m_input_tokens);
        let told = long.unwrap_or(0).saturating_add(short.unwrap_or(0));
        let written = self.cache_creation_input_tokens.unwrap_or(told);
        let cache_write_long = long.unwrap_or(0).min(written);
        let cache_read = self.cache_read_input_tokens.unwrap_or(0);
        let fresh = self.input_tokens.unwrap_or(0);
        let output = self.output_tokens.unwrap_or(0);
        let thinking = self.output_tokens_details.as_ref().and_then(|some| some.thinking_tokens);
        let searches = self.server_tool_use.as_ref().and_then(|some| some.web_search_requests);
        // Fast mode has a price of its own, whatever the tier.
        let fast = self.speed.as_deref() == Some("fast");
        let service_tier = if fast { self.speed.clone() } else { self.service_tier.clone() };
        Tokens {
            input: fresh.saturating_add(cache_read).saturating_add(written),
            cache_read,
            cache_write: written - cache_write_long,
            cache_write_long,
            output,
            reasoning: thinking.unwrap_or(0).min(output),
            web_searches: searches.unwrap_or(0),
            service_tier,
            ..Tokens::default()
        }
    }
}

/// A `usage` object with every member that SDKs read.
pub(super) fn write(tokens: &Tokens) -> Value {
    let written = tokens.cache_write.saturating_add(tokens.cache_write_long);
    let cached = written.saturating_add(tokens.cache_read);
    let mut usage = json!({
        "input_tokens": tokens.input.saturating_sub(cached),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": tokens.cache_write_long,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning},
    });
    let Some(members) = usage.as_object_mut() else { return usage };
    if tokens.web_searches > 0 {
        let searches = json!({"web_search_requests": tokens.web_searches, "web_fetch_requests": 0});
        members.insert("server_tool_use".into(), searches);
    }
    match tokens.service_tier.as_deref() {
        None => {}
        Some("fast") => drop(members.insert("speed".into(), "fast".into())),
        // OpenAI's and Bedrock's word for it.
        Some("default") => drop(members.insert("service_tier".into(), "standard".into())),
        Some(tier) => drop(members.insert("service_tier".into(), tier.into())),
    }
    usage
}

/// What a stream's first event tells: the prompt as estimated, nothing answered.
pub(super) fn estimate(input: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(value: Value) -> Counts {
        serde_json::from_value(value).unwrap()
    }

    /// A11: Anthropic reports cached tokens beside the input; the form holds them in it.
    #[test]
    fn cached_tokens_are_input() {
        let tokens = counts(json!({
            "input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 70,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 20},
            "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4},
            "server_tool_use": {"web_search_requests": 2}, "service_tier": "priority",
        }))
        .tokens();
        let expected = Tokens {
            input: 180,
            cache_read: 100,
            cache_write: 50,
            cache_write_long: 20,
            output: 7,
            reasoning: 4,
            web_searches: 2,
            service_tier: Some("priority".into()),
            ..Tokens::default()
        };
        assert_eq!(tokens, expected);
        assert_eq!(counts(write(&tokens)).tokens(), expected);
    }

    /// Counts that contradict each other saturate instead of wrapping.
    #[test]
    fn contradictions_saturate() {
        let tokens = Tokens { input: 5, cache_read: 9, output: 1, ..Tokens::default() };
        assert_eq!(write(&tokens)["input_tokens"], 0);
        let most = json!({"input_tokens": u64::MAX, "cache_read_input_tokens": u64::MAX});
        assert_eq!(counts(most).tokens().input, u64::MAX);
        let odd = json!({"cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 9}});
        let tokens = counts(odd).tokens();
        assert_eq!((tokens.cache_write, tokens.cache_write_long), (0, 3));
    }

    /// An explicit zero replaces; a missing or null member does not (a recorded GLM stream).
    #[test]
    fn a_later_report_overrides_member_by_member() {
        let mut all =
            counts(json!({"input_tokens": 34_824, "output_tokens": 1, "service_tier": "standard"}));
        all.replace(counts(json!({
            "input_tokens": 3_883, "cache_read_input_tokens": 30_464, "output_tokens": 0, "service_tier": null,
        })));
        let tokens = all.tokens();
        assert_eq!((tokens.input, tokens.cache_read, tokens.output), (34_347, 30_464, 0));
        assert_eq!(tokens.service_tier.as_deref(), Some("standard"));
    }

    /// Fast mode is billed apart, so it is the tier.
    #[test]
    fn fast_mode_is_the_tier() {
        let tokens = counts(json!({"service_tier": "standard", "speed": "fast"})).tokens();
        assert_eq!(tokens.service_tier.as_deref(), Some("fast"));
        assert_eq!(write(&tokens)["speed"], "fast");
    }
}

//! `usage`.

use serde::{Deserialize, Serialize};

use crate::form::Tokens;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
    /// Beside `input_tokens`, not in it.
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_write_input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_details: Option<Vec<CacheDetail>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail {
    ttl: String,
    input_tokens: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct ServiceTier {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

impl Usage {
    pub(super) fn into_tokens(self, tier: Option<ServiceTier>) -> Tokens {
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_write_input_tokens.unwrap_or(0);
        let details = self.cache_details.unwrap_or_default();
        let long = details.iter().filter(|detail| detail.ttl != "5m");
        let long = long.fold(0_u64, |sum, detail| sum.saturating_add(detail.input_tokens));
        let long = long.min(written);
        Tokens {
            input: self.input_tokens.saturating_add(read).saturating_add(written),
            cache_read: read,
            cache_write: written - long,
            cache_write_long: long,
            output: self.output_tokens,
            service_tier: tier.map(|tier| tier.kind),
            ..Tokens::default()
        }
    }

    pub(super) fn from_tokens(tokens: &Tokens) -> Self {
        let written = tokens.cache_write.saturating_add(tokens.cache_write_long);
        let cached = tokens.cache_read.saturating_add(written);
        let detail = |ttl: &str, input_tokens| CacheDetail { ttl: ttl.to_owned(), input_tokens };
        let details = [("1h", tokens.cache_write_long), ("5m", tokens.cache_write)];
        let details = details.into_iter().filter(|(_, count)| *count > 0);
        let details: Vec<_> = details.map(|(ttl, count)| detail(ttl, count)).collect();
        Self {
            input_tokens: tokens.input.saturating_sub(cached),
            output_tokens: tokens.output,
            total_tokens: tokens.input.saturating_add(tokens.output),
            cache_read_input_tokens: Some(tokens.cache_read),
            cache_write_input_tokens: Some(written),
            cache_details: (!details.is_empty()).then_some(details),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Tokens {
        serde_json::from_str::<Usage>(json).unwrap().into_tokens(None)
    }

    /// A11: Bedrock's input excludes the cache, the form's includes it; explicit zeros are values.
    #[test]
    fn usage_cache_beside_input() {
        let tokens = read(
            r#"{"inputTokens":10,"outputTokens":5,"totalTokens":145,"cacheReadInputTokens":100,
                "cacheWriteInputTokens":30,"cacheDetails":[{"ttl":"1h","inputTokens":20},{"ttl":"5m","inputTokens":10}]}"#,
        );
        let expected = Tokens {
            input: 140,
            cache_read: 100,
            cache_write: 10,
            cache_write_long: 20,
            output: 5,
            ..Tokens::default()
        };
        assert_eq!(tokens, expected);
        let back = serde_json::to_string(&Usage::from_tokens(&tokens)).unwrap();
        assert_eq!(read(&back), expected);
        assert_eq!(
            read(r#"{"inputTokens":0,"outputTokens":0,"totalTokens":0}"#),
            Tokens::default()
        );
    }

    /// What does not add up is clamped, never wrapped.
    #[test]
    fn usage_saturates() {
        let most = u64::MAX;
        let tokens = read(&format!(
            r#"{{"inputTokens":{most},"outputTokens":1,"cacheReadInputTokens":{most},"cacheWriteInputTokens":2,
                "cacheDetails":[{{"ttl":"1h","inputTokens":{most}}},{{"ttl":"1h","inputTokens":9}}]}}"#
        ));
        assert_eq!((tokens.input, tokens.cache_write, tokens.cache_write_long), (most, 0, 2));
        let odd = Tokens { input: 1, cache_read: 7, ..Tokens::default() };
        assert_eq!(Usage::from_tokens(&odd).input_tokens, 0);
    }
}

//! `usageMetadata`. The prompt's count includes what a cache held; the candidates' count excludes
//! thoughts; what server tools put into the prompt is counted beside it and billed as input.

use serde_json::{Map, Value, json};

use super::spelling::{count, object, objects};
use crate::form::{Tokens, Unreadable};
use crate::json::Members;

/// Reads `usageMetadata`; `None`: it says nothing that can be billed. Google leaves zeros out.
pub(super) fn read(of: &mut Members) -> Option<Tokens> {
    let mut usage = object(of, "usageMetadata").ok().flatten()?;
    let mut told = |key: &str| count(&mut usage, key).ok().flatten();
    let (prompt, total) = (told("promptTokenCount"), told("totalTokenCount"));
    let (said, thoughts) = (told("candidatesTokenCount"), told("thoughtsTokenCount"));
    if prompt.is_none() && total.is_none() && said.is_none() {
        return None;
    }
    let cached = told("cachedContentTokenCount").unwrap_or(0);
    let tools = told("toolUsePromptTokenCount").unwrap_or(0);
    let input = prompt.unwrap_or(0).saturating_add(tools);
    let reasoning = thoughts.unwrap_or(0);
    let rest = || total.unwrap_or(0).saturating_sub(input).saturating_sub(reasoning);
    Some(Tokens {
        input,
        cache_read: cached.min(input),
        output: said.unwrap_or_else(rest).saturating_add(reasoning),
        reasoning,
        audio_input: sound(&mut usage, "promptTokensDetails").unwrap_or(0),
        audio_output: sound(&mut usage, "candidatesTokensDetails").unwrap_or(0),
        service_tier: tier(&mut usage),
        ..Tokens::default()
    })
}

/// Searches of a candidate, which are billed by the query.
pub(super) fn searches(candidate: &mut Members) -> Result<u64, Unreadable> {
    let Some(mut grounding) = object(candidate, "groundingMetadata")? else { return Ok(0) };
    let queries = grounding.list("webSearchQueries")?.unwrap_or_default();
    Ok(u64::try_from(queries.len()).unwrap_or(u64::MAX))
}

/// `usageMetadata` with all its counts.
pub(super) fn write(tokens: &Tokens) -> Value {
    let said = tokens.output.saturating_sub(tokens.reasoning);
    let mut usage = Map::new();
    let mut tell = |key: &str, count: u64| usage.insert(key.into(), count.into());
    tell("promptTokenCount", tokens.input);
    tell("candidatesTokenCount", said);
    tell("totalTokenCount", tokens.input.saturating_add(tokens.output));
    tell("cachedContentTokenCount", tokens.cache_read);
    tell("thoughtsTokenCount", tokens.reasoning);
    let mut detail = |key: &str, sound: u64, all: u64| {
        if sound > 0 {
            usage.insert(key.into(), details(sound, all));
        }
    };
    detail("promptTokensDetails", tokens.audio_input, tokens.input);
    detail("candidatesTokensDetails", tokens.audio_output, said);
    Value::Object(usage)
}

fn details(sound: u64, all: u64) -> Value {
    json!([
        {"modality": "TEXT", "tokenCount": all.saturating_sub(sound)},
        {"modality": "AUDIO", "tokenCount": sound},
    ])
}

fn sound(usage: &mut Members, key: &str) -> Option<u64> {
    let mut details = objects(usage, key).ok().flatten()?;
    let is_sound =
        |detail: &mut Members| detail.text("modality").ok().flatten() == Some("AUDIO".into());
    let detail = details.iter_mut().find_map(|detail| is_sound(detail).then_some(detail))?;
    count(detail, "tokenCount").ok().flatten()
}

/// The tier that was really used: the Gemini API names it, Vertex says what traffic it was.
fn tier(usage: &mut Members) -> Option<String> {
    let named = usage.text("serviceTier").ok().flatten();
    let traffic = usage.text("trafficType").ok().flatten();
    let tier = named.or_else(|| {
        let traffic = traffic?;
        Some(traffic.strip_prefix("ON_DEMAND_").unwrap_or(&traffic).to_owned())
    })?;
    Some(tier.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(usage: Value) -> Option<Tokens> {
        read(&mut Members::of(json!({"usageMetadata": usage}), String::new()).unwrap())
    }

    /// A11 usage: the prompt includes the cache and excludes tool prompts, candidates exclude thoughts.
    #[test]
    fn counts_are_what_is_billed() {
        let tokens = of(json!({
            "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 7,
            "thoughtsTokenCount": 30, "toolUsePromptTokenCount": 5, "totalTokenCount": 142,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90}, {"modality": "AUDIO", "tokenCount": 10}],
            "trafficType": "ON_DEMAND_FLEX",
        }));
        let expected = Tokens {
            input: 105,
            cache_read: 60,
            output: 37,
            reasoning: 30,
            audio_input: 10,
            service_tier: Some("flex".into()),
            ..Tokens::default()
        };
        assert_eq!(tokens, Some(expected));
    }

    /// Zeros that Google leaves out are zeros; the answer's count is found from the total.
    #[test]
    fn what_is_left_out_is_found() {
        let tokens =
            of(json!({"promptTokenCount": 9, "totalTokenCount": 14, "thoughtsTokenCount": 2}));
        assert_eq!(tokens.map(|tokens| (tokens.input, tokens.output)), Some((9, 5)));
        let blocked = of(json!({"promptTokenCount": 9, "totalTokenCount": 9}));
        assert_eq!(blocked.map(|tokens| (tokens.input, tokens.output)), Some((9, 0)));
        assert_eq!(of(json!({})), None);
        let absurd =
            of(json!({"promptTokenCount": 1, "cachedContentTokenCount": 5, "totalTokenCount": 0}));
        assert_eq!(absurd.map(|tokens| (tokens.cache_read, tokens.output)), Some((1, 0)));
    }

    /// What is written is read as the same bill.
    #[test]
    fn both_ways_are_exact() {
        let tokens = Tokens {
            input: 20,
            cache_read: 4,
            output: 10,
            reasoning: 3,
            audio_input: 2,
            audio_output: 1,
            ..Tokens::default()
        };
        assert_eq!(of(write(&tokens)), Some(tokens));
        assert_eq!(of(write(&Tokens::default())), Some(Tokens::default()));
    }
}

//! The script: which request is treated how. Rules are asked in order, the first that matches
//! and whose turn it is (`nth`, `oneIn`) decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::failure::Class;

/// One entry of the script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Which requests; empty matches all.
    #[serde(default, rename = "match")]
    when: Match,
    /// What happens to them.
    #[serde(rename = "do")]
    action: Action,
}

/// Conditions, all of which must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    model: Option<String>,
    path: Option<String>,
    header: BTreeMap<String, String>,
    nth: Vec<u64>,
}

impl Match {
    /// True when nothing of a request is asked, so that the rule can act on the bare connection.
    fn needs_no_request(&self) -> bool {
        self.model.is_none() && self.path.is_none() && self.header.is_empty()
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        self.model.as_deref().is_none_or(|model| facts.model == Some(model))
            && self.path.as_deref().is_none_or(|path| facts.path == path)
            && self.header.iter().all(|(name, value)| {
                facts.headers.get(name).is_some_and(|got| got.as_bytes() == value.as_bytes())
            })
    }
}

/// What a matched request gets. Everything is optional; an empty action is a healthy answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Action {
    pub(crate) status: Option<u16>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    pub(crate) delay_ms: u64,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) tokens_per_second: Option<u64>,
    pub(crate) output_tokens: Option<usize>,
    pub(crate) text: Option<String>,
    /// What the model thinks first; shown where dialect and request show it.
    pub(crate) thinking: Option<String>,
    /// Tokens of thinking that is never shown.
    pub(crate) thinking_tokens: u64,
    /// The model declines in these words.
    pub(crate) refusal: Option<String>,
    /// The reason for the end, in the dialect's own word.
    pub(crate) finish: Option<String>,
    pub(crate) tool_calls: Vec<ToolCall>,
    /// A streamed tool call's arguments come in one piece.
    pub(crate) whole_arguments: bool,
    /// Input tokens read from the provider's cache.
    pub(crate) cached_tokens: u64,
    /// Input tokens written to it for the usual time.
    pub(crate) cache_write_tokens: u64,
    /// Input tokens written to it for long.
    pub(crate) cache_write_long_tokens: u64,
    /// `Some(Null)`: no usage is reported; an object: it is reported and billed.
    #[serde(deserialize_with = "present")]
    pub(crate) usage: Option<Value>,
    /// What a stream reports first, if something else (Anthropic).
    pub(crate) start_usage: Option<Value>,
    /// The failure to answer with, or to break off with at `error_at_event`.
    pub(crate) error: Option<Class>,
    pub(crate) chunk_bytes: Option<usize>,
    pub(crate) cut_at_byte: Option<u64>,
    pub(crate) cut_at_event: Option<usize>,
    pub(crate) cut: Cut,
    pub(crate) stall_at_event: Option<usize>,
    pub(crate) stall_at_byte: Option<u64>,
    pub(crate) garbage_at_event: Option<usize>,
    pub(crate) error_at_event: Option<usize>,
    pub(crate) no_done: bool,
    pub(crate) crlf: bool,
    pub(crate) comments: bool,
    pub(crate) compress: Option<Compression>,
    pub(crate) refuse: bool,
    pub(crate) accept_and_stall: bool,
    pub(crate) one_in: Option<u64>,
    /// Base64 of the bytes that go on the socket instead of an HTTP answer.
    pub(crate) raw: Option<String>,
}

/// How a scripted cut looks on the wire.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cut {
    /// RST (HTTP/2: `RST_STREAM`).
    #[default]
    Reset,
    /// FIN without the terminating chunk (HTTP/2: `END_STREAM`).
    Eof,
    /// A complete HTTP message whose content ends early.
    End,
}

/// Content codings that can be forced on a client that asked for none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Gzip,
    /// The zlib format, as HTTP's `deflate` means it.
    Deflate,
}

/// A tool call of the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolCall {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    /// A JSON text, or a value that is written as one.
    pub(crate) arguments: Value,
}

/// What a rule may ask of a request.
pub(crate) struct Facts<'a> {
    pub(crate) path: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

/// What happens to a connection before a byte of it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Refuse,
    Stall,
}

/// The live script with its counters.
#[derive(Default)]
pub(crate) struct Script {
    rules: Mutex<Vec<(Arc<Rule>, Turns)>>,
    /// `oneIn` of per-request actions counts here.
    header_turns: Mutex<u64>,
}

/// How often a rule matched and how often its turn was counted.
#[derive(Default)]
struct Turns {
    matched: u64,
    counted: u64,
}

impl Turns {
    /// Counts a match and says whether the rule acts on it.
    fn take(&mut self, nth: &[u64], one_in: Option<u64>) -> bool {
        self.matched += 1;
        if !nth.is_empty() && !nth.contains(&self.matched) {
            return false;
        }
        self.counted += 1;
        one_in.is_none_or(|every| every > 0 && self.counted.is_multiple_of(every))
    }
}

impl Script {
    /// Starts with `rules`, all counters at zero.
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let script = Self::default();
        script.replace(rules);
        script
    }

    /// Replaces the rules; counters start again.
    pub(crate) fn replace(&self, rules: Vec<Rule>) {
        *self.rules.lock() =
            rules.into_iter().map(|rule| (Arc::new(rule), Turns::default())).collect();
    }

    /// Decides about a fresh connection.
    pub(crate) fn gate(&self) -> Gate {
        for (rule, turns) in self.rules.lock().iter_mut() {
            let acts = rule.action.refuse || rule.action.accept_and_stall;
            if acts
                && rule.when.needs_no_request()
                && turns.take(&rule.when.nth, rule.action.one_in)
            {
                return if rule.action.refuse { Gate::Refuse } else { Gate::Stall };
            }
        }
        Gate::Open
    }

    /// Decides about a request: its own `x-sim-do` header first, then the rules.
    ///
    /// # Errors
    /// When the header is no valid action.
    pub(crate) fn decide(&self, facts: &Facts<'_>) -> Result<Action, serde_json::Error> {
        if let Some(text) = facts.headers.get("x-sim-do") {
            let action: Action = serde_json::from_slice(text.as_bytes())?;
            let mut turns = self.header_turns.lock();
            *turns += 1;
            if action.one_in.is_none_or(|every| every > 0 && turns.is_multiple_of(every)) {
                return Ok(action);
            }
            return Ok(Action::default());
        }
        for (rule, turns) in self.rules.lock().iter_mut() {
            let gate = rule.action.refuse || rule.action.accept_and_stall;
            if gate && rule.when.needs_no_request() {
                continue;
            }
            if rule.when.holds(facts) && turns.take(&rule.when.nth, rule.action.one_in) {
                return Ok(rule.action.clone());
            }
        }
        Ok(Action::default())
    }
}

/// Keeps an explicit `null` apart from an absent field.
fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(source).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        Script::new(serde_json::from_str(text).unwrap())
    }

    fn status(script: &Script, model: &str) -> Option<u16> {
        let headers = HeaderMap::new();
        let facts = Facts { path: "/v1/chat/completions", model: Some(model), headers: &headers };
        script.decide(&facts).unwrap().status
    }

    /// The first rule that matches and whose turn it is decides; `nth` counts its own matches.
    #[test]
    fn first_match_whose_turn_it_is_wins() {
        let script = script(
            r#"[{"match":{"model":"a","nth":[2]},"do":{"status":500}},{"match":{"model":"a"},"do":{"status":429}}]"#,
        );
        assert_eq!(status(&script, "b"), None);
        assert_eq!(status(&script, "a"), Some(429));
        assert_eq!(status(&script, "a"), Some(500));
        assert_eq!(status(&script, "a"), Some(429));
    }

    /// `oneIn` applies to exactly one match in N.
    #[test]
    fn one_in_applies_to_every_nth_match() {
        let script = script(r#"[{"do":{"status":503,"oneIn":5}}]"#);
        let failed = (0..50).filter(|_| status(&script, "a") == Some(503)).count();
        assert_eq!(failed, 10);
    }

    /// A refusing rule without request conditions acts on connections only.
    #[test]
    fn refuse_acts_on_connections() {
        let script = script(r#"[{"match":{"nth":[1]},"do":{"refuse":true}}]"#);
        assert_eq!(status(&script, "a"), None);
        assert_eq!(script.gate(), Gate::Refuse);
        assert_eq!(script.gate(), Gate::Open);
    }

    /// A misspelt action is refused instead of being a healthy answer, and null usage is kept.
    #[test]
    fn unknown_fields_are_refused_and_null_usage_kept() {
        assert!(serde_json::from_str::<Action>(r#"{"cutAtBite":3}"#).is_err());
        let action: Action = serde_json::from_str(r#"{"usage":null}"#).unwrap();
        assert_eq!(action.usage, Some(Value::Null));
        assert_eq!(serde_json::from_str::<Action>("{}").unwrap().usage, None);
    }
}

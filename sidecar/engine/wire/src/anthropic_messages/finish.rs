//! `stop_reason` and what goes with it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::form::{Finish, FinishReason};

/// `stop_reason`, `stop_sequence` and `stop_details` as they are written.
#[derive(Debug, Serialize)]
pub(super) struct Stop<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<Value>,
    /// The provider's word, where Anthropic has none that says as much.
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

/// What the answer held, by which a reason is told that its provider does not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) call: bool,
    pub(super) refusal: bool,
}

/// A finish in Anthropic's words.
pub(super) fn write(finish: &Finish, held: Held) -> Stop<'_> {
    let stop_reason = match &finish.reason {
        FinishReason::Stop | FinishReason::Other if held.call => "tool_use",
        FinishReason::Stop | FinishReason::Other if held.refusal => "refusal",
        FinishReason::Stop | FinishReason::Other => "end_turn",
        FinishReason::StopText(_) => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::Window => "model_context_window_exceeded",
        FinishReason::Calls => "tool_use",
        FinishReason::Filter | FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause_turn",
    };
    let stop_sequence = match &finish.reason {
        FinishReason::StopText(text) => text.as_deref(),
        _ => None,
    };
    let stop_details = (finish.reason == FinishReason::Filter).then(|| {
        let explanation = format!("The provider's filter ended the answer ({}).", finish.raw);
        json!({"type": "refusal", "category": null, "explanation": explanation})
    });
    let untold = finish.reason == FinishReason::Other && !finish.raw.is_empty();
    let native_finish_reason = untold.then_some(finish.raw.as_str());
    Stop { stop_reason, stop_sequence, stop_details, native_finish_reason }
}

/// The end of an answer as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) stop_reason: Option<String>,
    pub(super) stop_sequence: Option<String>,
    pub(super) stop_details: Option<StopDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StopDetails {
    explanation: Option<String>,
}

impl Told {
    /// Why it ended, and what a refusal says for itself; `None`: it has not.
    pub(super) fn read(self) -> Option<(Finish, Option<String>)> {
        let raw = self.stop_reason?;
        let reason = match raw.as_str() {
            "end_turn" => FinishReason::Stop,
            "max_tokens" => FinishReason::Length,
            "stop_sequence" => FinishReason::StopText(self.stop_sequence),
            "tool_use" => FinishReason::Calls,
            "pause_turn" => FinishReason::Pause,
            "refusal" => FinishReason::Refusal,
            "model_context_window_exceeded" => FinishReason::Window,
            _ => FinishReason::Other,
        };
        let explanation = self.stop_details.and_then(|details| details.explanation);
        let refused =
            explanation.filter(|words| reason == FinishReason::Refusal && !words.is_empty());
        Some((Finish { reason, raw }, refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(reason: FinishReason) -> Finish {
        Finish { reason, raw: "raw".into() }
    }

    /// A11: every stop reason of Anthropic's comes back as it was.
    #[test]
    fn reasons_survive_both_ways() {
        let words = [
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "tool_use",
            "pause_turn",
            "refusal",
            "model_context_window_exceeded",
        ];
        for word in words {
            let told: Told = serde_json::from_value(json!({"stop_reason": word})).unwrap();
            let (finish, _) = told.read().unwrap();
            assert_eq!(write(&finish, Held::default()).stop_reason, word);
        }
        let told: Told = serde_json::from_value(json!({"stop_reason": "new_word"})).unwrap();
        let (finish, _) = told.read().unwrap();
        assert_eq!(finish.reason, FinishReason::Other);
        let stop = write(&finish, Held::default());
        assert_eq!((stop.stop_reason, stop.native_finish_reason), ("end_turn", Some("new_word")));
        assert!(Told::default().read().is_none());
    }

    /// Other providers say `stop` where tools are to be called, or beside a refusal.
    #[test]
    fn what_the_answer_held_decides() {
        let held = |call, refusal| Held { call, refusal };
        let reason = |held| write(&finish(FinishReason::Stop), held).stop_reason == "tool_use";
        assert!(reason(held(true, false)));
        let refused = finish(FinishReason::Stop);
        assert_eq!(write(&refused, held(false, true)).stop_reason, "refusal");
        let filtered = finish(FinishReason::Filter);
        let stop = write(&filtered, Held::default());
        assert_eq!(stop.stop_reason, "refusal");
        assert!(stop.stop_details.unwrap()["explanation"].as_str().unwrap().contains("raw"));
        let cut = finish(FinishReason::Length);
        assert_eq!(write(&cut, held(true, false)).stop_reason, "max_tokens");
    }
}

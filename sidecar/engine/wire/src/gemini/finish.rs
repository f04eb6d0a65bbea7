//! `finishReason`.

use crate::form::{Finish, FinishReason};

/// Words with which Google's filters end an answer or refuse a prompt.
const FILTERS: [&str; 13] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "JAILBREAK",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "BLOCKED_REASON_UNSPECIFIED",
];
/// Words without a counterpart: an answer that says them keeps them.
const OTHERS: [&str; 10] = [
    "LANGUAGE",
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "FINISH_REASON_UNSPECIFIED",
];
/// A call that was left out because its arguments are no whole object: Gemini says it the same way.
const MALFORMED_CALL: &str = "MALFORMED_FUNCTION_CALL";

/// The meaning of a candidate's `finishReason`, which is `STOP` for tool calls too.
pub(super) fn meaning(raw: String, has_calls: bool) -> Finish {
    let reason = match raw.as_str() {
        "STOP" if has_calls => FinishReason::Calls,
        "STOP" => FinishReason::Stop,
        // CONTINUATION: the provider's own cap on one call, to be continued by a token of Google's.
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        word if FILTERS.contains(&word) => FinishReason::Filter,
        _ => FinishReason::Other,
    };
    Finish { reason, raw }
}

/// A prompt that was not answered at all: 200 with `promptFeedback.blockReason` and no candidates.
pub(super) const fn blocked(raw: String) -> Finish {
    Finish { reason: FinishReason::Filter, raw }
}

/// A candidate's `finishReason` and `finishMessage`; `dropped`: a call that had to be left out.
pub(super) fn word(finish: &Finish, dropped: bool) -> (&str, Option<&str>) {
    let raw = finish.raw.as_str();
    let said = Some(raw).filter(|raw| !raw.is_empty());
    match finish.reason {
        FinishReason::Stop | FinishReason::StopText(_) | FinishReason::Calls if dropped => (
            MALFORMED_CALL,
            Some("a function call without a whole object of arguments was left out"),
        ),
        FinishReason::Stop | FinishReason::StopText(_) | FinishReason::Calls => ("STOP", None),
        FinishReason::Length => ("MAX_TOKENS", None),
        FinishReason::Window => ("MAX_TOKENS", said),
        FinishReason::Filter if FILTERS.contains(&raw) => (raw, None),
        FinishReason::Filter | FinishReason::Refusal => ("SAFETY", said),
        FinishReason::Other if OTHERS.contains(&raw) => (raw, None),
        FinishReason::Pause | FinishReason::Other => ("OTHER", said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A11 finish_reason: every word of Google's has one meaning, and comes back as it was.
    #[test]
    fn words_and_meanings() {
        let of = |raw: &str, calls| meaning(raw.to_owned(), calls);
        assert_eq!(of("STOP", true).reason, FinishReason::Calls);
        assert_eq!(of("STOP", false).reason, FinishReason::Stop);
        assert_eq!(of("MAX_TOKENS", true).reason, FinishReason::Length);
        assert_eq!(of("WHAT_COMES_NEXT", false).reason, FinishReason::Other);
        for filter in FILTERS {
            assert_eq!(of(filter, false).reason, FinishReason::Filter);
            assert_eq!(word(&of(filter, false), false), (filter, None));
        }
        for other in OTHERS {
            assert_eq!(of(other, false).reason, FinishReason::Other);
            assert_eq!(word(&of(other, false), false), (other, None));
        }
    }

    /// A11 finish_reason: what no word says is kept in `finishMessage`.
    #[test]
    fn other_providers_words_are_kept() {
        let of = |reason, raw: &str| Finish { reason, raw: raw.to_owned() };
        let pause = of(FinishReason::Pause, "pause_turn");
        assert_eq!(word(&pause, false), ("OTHER", Some("pause_turn")));
        let window = of(FinishReason::Window, "model_context_window_exceeded");
        assert_eq!(word(&window, false), ("MAX_TOKENS", Some("model_context_window_exceeded")));
        let refusal = of(FinishReason::Refusal, "refusal");
        assert_eq!(word(&refusal, false), ("SAFETY", Some("refusal")));
        let calls = of(FinishReason::Calls, "tool_calls");
        assert_eq!(word(&calls, false), ("STOP", None));
        assert_eq!(word(&calls, true).0, "MALFORMED_FUNCTION_CALL");
        assert_eq!(word(&of(FinishReason::Length, "length"), true).0, "MAX_TOKENS");
    }
}

//! AWS Bedrock's Converse (`POST /model/{modelId}/converse` and `/converse-stream`). Model and stream stand
//! in the path, so `request::read` leaves them to its caller. Frames of a stream are event-stream messages
//! ([`crate::eventstream`]), not server-sent events.
//! Source: wire.md A7, botocore's model of `bedrock-runtime`.

pub mod answer;
mod block;
pub mod error;
mod ids;
mod media;
mod message;
pub mod request;
pub mod stream;
mod tools;
mod tuning;
mod usage;

use crate::form::{Finish, FinishReason};

/// The meaning of a `stopReason`. Some models say `end_turn` where tools are to be called.
fn meaning(raw: &str, has_calls: bool, stop_text: Option<String>) -> Finish {
    let reason = match raw {
        "end_turn" if has_calls => FinishReason::Calls,
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopText(stop_text),
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::Window,
        "tool_use" => FinishReason::Calls,
        "guardrail_intervened" | "content_filtered" => FinishReason::Filter,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::Other,
    };
    Finish { reason, raw: raw.to_owned() }
}

/// A `stopReason`, and what it says less than the form does: a member of `additionalModelResponseFields`.
fn stop_reason(finish: &Finish) -> (&str, Option<(&'static str, &str)>) {
    match &finish.reason {
        FinishReason::Stop => ("end_turn", None),
        FinishReason::StopText(text) => {
            ("stop_sequence", text.as_deref().map(|text| ("stop_sequence", text)))
        }
        FinishReason::Length => ("max_tokens", None),
        FinishReason::Window => ("model_context_window_exceeded", None),
        FinishReason::Calls => ("tool_use", None),
        FinishReason::Filter if finish.raw == "guardrail_intervened" => (&finish.raw, None),
        FinishReason::Filter => ("content_filtered", None),
        FinishReason::Refusal => ("content_filtered", Some(("stop_reason", &finish.raw))),
        // The turn is not done: of the words there are, this one makes nobody believe it is.
        FinishReason::Pause => ("max_tokens", Some(("stop_reason", &finish.raw))),
        FinishReason::Other => match finish.raw.as_str() {
            raw @ ("malformed_model_output" | "malformed_tool_use") => (raw, None),
            raw => ("end_turn", Some(("stop_reason", raw))),
        },
    }
}

/// The house that made a model: what lies beyond Converse's own members is named by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Anthropic,
    Nova,
    OpenAi,
    Cohere,
    Mistral,
    /// Another, or an ARN that does not say.
    Unknown,
}

impl Maker {
    /// From a model's id, an inference profile's or an ARN with either in it.
    fn of(model: &str) -> Self {
        let made_by = |maker: &str| model.split(['/', ':', '.']).any(|word| word == maker);
        match () {
            () if made_by("anthropic") => Self::Anthropic,
            () if made_by("amazon") && model.contains("nova") => Self::Nova,
            () if made_by("openai") => Self::OpenAi,
            () if made_by("cohere") => Self::Cohere,
            () if made_by("mistral") => Self::Mistral,
            () => Self::Unknown,
        }
    }

    /// Whether models of this house take cache points; others refuse the request.
    const fn caches(self) -> bool {
        matches!(self, Self::Anthropic | Self::Nova)
    }
}

//! How a stream can fail, and how a caller that already has a part of it is told.

use bytes::Bytes;
use pointsman_wire::Fault;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::{Class, Refusal, classify_event, told_in};
use crate::limits;

/// Why a stream is no proper answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The provider sent an error event, or finished a choice with `error`.
    #[error("the provider reported an error in the stream")]
    ErrorEvent {
        /// By the taxonomy, from the error's own words.
        class: Class,
        /// The provider's `code` or `type`, fit for a record.
        code: Option<String>,
        /// The provider's error object, where it may be shown to the caller.
        error: Option<Bytes>,
    },
    /// The body ended before every choice had finished.
    #[error("the answer ended before it was complete")]
    Truncated,
    /// An event is no JSON object, or not a chunk.
    #[error("the answer holds something that is not an event of a chat")]
    Garbage,
    /// Too much arrived without any content.
    #[error("the answer did not begin within {} bytes", limits::STREAM_HOLD_BYTES)]
    HoldOverflow,
    /// An event is larger than we hold.
    #[error("an event is larger than {} bytes", limits::STREAM_EVENT_BYTES)]
    EventTooLarge,
    /// The content-encoding could not be undone.
    #[error("the answer could not be decoded")]
    Undecodable,
    /// Nothing came for too long.
    #[error("the answer stalled")]
    Stalled,
    /// The connection broke.
    #[error("the connection to the provider broke")]
    Broken,
}

impl StreamFault {
    /// The class of the attempt: `committed` is what `ChatStream::committed` says.
    #[must_use]
    pub fn class(&self, committed: bool) -> Class {
        match self {
            _ if committed => Class::MidStream,
            Self::ErrorEvent { class, .. } => *class,
            Self::Truncated | Self::Garbage | Self::Broken => Class::TruncatedEarly,
            Self::Stalled => Class::SlowFirstToken,
            Self::HoldOverflow | Self::EventTooLarge | Self::Undecodable => Class::Server,
        }
    }

    /// From the `error` member of an event.
    pub(super) fn of_error(error: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(error).unwrap_or(Value::Null);
        let classified = classify_event(&value);
        // What is said about our credential is not for the caller.
        let showable = classified.class != Class::Auth
            && error.len() <= limits::ERROR_BODY_BYTES
            && value.get("message").is_some_and(Value::is_string);
        Self::ErrorEvent {
            class: classified.class,
            code: classified.code,
            error: showable.then(|| Bytes::copy_from_slice(error)),
        }
    }
}

/// What callers of other dialects than chat's are told of an answer that broke off. See [`cut_event`].
pub(super) fn as_fault(fault: &StreamFault, request_id: &str) -> Fault {
    let class = fault.class(true);
    let told = match fault {
        StreamFault::ErrorEvent { error: Some(error), .. } => told_in(error),
        _ => None,
    };
    Fault {
        status: class.status().as_u16(),
        kind: "server_error".to_owned(),
        code: Some("upstream_truncated".to_owned()),
        param: None,
        message: told.unwrap_or_else(|| broke_off(fault)),
        request_id: request_id.to_owned(),
    }
}

fn broke_off(fault: &StreamFault) -> String {
    format!(
        "The model's provider broke off in mid-answer: {fault}. What came so far is not complete."
    )
}

/// OpenAI's in-stream error event for an answer that broke off: SDKs raise at it. After it the body is
/// aborted without its terminating chunk, so that raw readers notice as well.
#[must_use]
pub fn cut_event(fault: &StreamFault) -> Bytes {
    let told = match fault {
        StreamFault::ErrorEvent { error: Some(error), .. } => {
            serde_json::from_slice::<&RawValue>(error).ok().map(RawValue::get)
        }
        _ => None,
    };
    if let Some(error) = told.filter(|error| !error.contains(['\n', '\r'])) {
        return Bytes::from(format!("data: {{\"error\":{error}}}\n\n"));
    }
    let error = json!({
        "message": broke_off(fault),
        "type": "server_error",
        "param": null,
        "code": "upstream_truncated",
    });
    Bytes::from(format!("data: {}\n\n", json!({ "error": error })))
}

/// The same for an answer that we cut, by a Budget, a timeout or a drain: the refusal's own error object.
#[must_use]
pub fn refusal_cut_event(refusal: &Refusal) -> Bytes {
    let body = refusal.body();
    let mut event = Vec::with_capacity(body.len() + 8);
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(&body);
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}

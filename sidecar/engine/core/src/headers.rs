//! Names of the headers that the path reads and writes, parsed at compile time, and values written
//! without a detour over the heap.

use std::fmt::Display;
use std::io::Write;

use http::{HeaderName, HeaderValue};

/// Exact cost of a plain answer, USD.
pub const COST: HeaderName = HeaderName::from_static("x-pointsman-cost");
/// What a stream may cost, USD.
pub const COST_ESTIMATE: HeaderName = HeaderName::from_static("x-pointsman-cost-estimate");
/// The model that answers.
pub const MODEL: HeaderName = HeaderName::from_static("x-pointsman-model");
/// The model is simulated.
pub const SIMULATED: HeaderName = HeaderName::from_static("x-pointsman-simulated");
/// The cap that was spliced, tokens.
pub const CAPPED: HeaderName = HeaderName::from_static("x-pointsman-capped");
/// The call's id, for `explain`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-pointsman-request-id");
/// Whose cost it is.
pub const TEAM: HeaderName = HeaderName::from_static("x-pointsman-team");
/// Whose cost it is.
pub const KEY: HeaderName = HeaderName::from_static("x-pointsman-key");
/// Where the SDKs of OpenAI, Anthropic, Azure and Google put an API key.
pub const API_KEYS: [HeaderName; 4] =
    [http::header::AUTHORIZATION, X_API_KEY, API_KEY, X_GOOG_API_KEY];
/// Where Anthropic takes its key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Where Azure takes its key.
pub const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// Where Google takes its key.
pub const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// The version of Anthropic's API that a request is written for.
pub const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// What of Anthropic's API that is not settled yet a request uses.
pub const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// What a part of an upload to Google is.
pub const UPLOAD_COMMAND: HeaderName = HeaderName::from_static("x-goog-upload-command");
/// Where Google wants an upload's parts.
pub const UPLOAD_URL: HeaderName = HeaderName::from_static("x-goog-upload-url");
/// What headers of Google's uploads begin with.
pub const UPLOAD: &str = "x-goog-upload-";
/// Members of the request that the answering model's provider has no place for.
pub const DROPPED: HeaderName = HeaderName::from_static("x-pointsman-dropped");
/// Anthropic's id of an answer's request.
pub const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Tells SDKs not to try again.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Our id of an attempt, for the provider's support.
pub const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
/// The hub's word that a pod may use another namespace's pool.
pub const TICKET: HeaderName = HeaderName::from_static("x-pointsman-ticket");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C trace context, vendors' part.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest value that `value_of` writes: an id and a number, or an amount.
const VALUE_BYTES: usize = 64;

/// A short value; none where it is longer than 64 bytes or not printable.
#[must_use]
pub fn value_of(content: impl Display) -> Option<HeaderValue> {
    let mut text = [0; VALUE_BYTES];
    let mut rest = &mut text[..];
    write!(rest, "{content}").ok()?;
    let length = VALUE_BYTES - rest.len();
    HeaderValue::from_bytes(text.get(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn values_are_short_and_printable_or_none() {
        assert_eq!(value_of(format_args!("{}.{}", "pm-x", 12)).unwrap(), "pm-x.12");
        assert_eq!(value_of("x".repeat(64)).unwrap(), "x".repeat(64).as_str());
        assert!(value_of("x".repeat(65)).is_none());
        assert!(value_of("a\nb").is_none());
    }
}

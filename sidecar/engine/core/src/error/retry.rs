//! What SDKs are told about trying again.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};

/// What an answer of our own says of another try.
#[derive(Clone, Copy)]
pub(super) enum Retry {
    /// Nothing: the status says it.
    Silent,
    /// `x-should-retry: false`.
    Never,
    /// `retry-after`, seconds.
    After(u64),
    /// Both: it passes by then, but we have waited on the caller's behalf already.
    Later(u64),
}

impl Retry {
    /// Says so.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        if matches!(self, Self::Never | Self::Later(_)) {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Self::After(seconds) | Self::Later(seconds) = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

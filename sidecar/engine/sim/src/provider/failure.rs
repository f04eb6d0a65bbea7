//! The ways in which a provider says no, named alike for all of them; each dialect has its own
//! status, words and headers for every one.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// A kind of failure that a script can ask for by name (`"error": "rateLimit"`).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Class {
    /// The server broke.
    ServerError,
    /// The server gave up waiting for the model.
    Timeout,
    /// The model itself failed.
    ModelError,
    /// The model is being loaded.
    NotReady,
    /// Too many callers, all together.
    Overloaded,
    /// This caller asked too often.
    RateLimit,
    /// This caller used up its day.
    DailyQuota,
    /// The account has no money or quota left.
    Quota,
    /// The bill is not paid.
    Billing,
    /// No key, or a wrong one.
    Auth,
    /// A key that may not do this.
    Permission,
    /// No such model.
    ModelGone,
    /// A malformed request.
    BadRequest,
    /// A parameter that the model does not take.
    UnsupportedParameter,
    /// More input than the model takes.
    ContextTooLong,
    /// More bytes than the server takes.
    TooLarge,
    /// Input that the provider does not answer.
    ContentFilter,
    /// Somebody else is changing the same thing.
    Conflict,
    /// State of an earlier call that this provider does not have.
    UnknownState,
}

impl Class {
    /// What a bare status means.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::ModelGone,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            424 => Self::ModelError,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            _ => Self::ServerError,
        }
    }
}

/// A request that is refused, in the provider's own words.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The error document.
    pub(crate) body: Value,
    /// Headers that belong to the error.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refused {
    /// An error without headers of its own; `status` outside of HTTP's range counts as 500.
    pub(crate) fn new(status: u16, body: Value) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, body, headers: Vec::new() }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

//! What a caller is told that a gateway does not let in. None of it tells whether an id exists: who
//! hears that a key has expired or is disabled has shown the whole key.

use http::StatusCode;

use super::Class;
use super::message::short;
use super::refusal::{Facts, INVALID, RATE};
use super::retry::Retry;

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerNo {
    /// No API key was sent.
    Missing,
    /// What was sent is no API key, or was mistyped.
    Malformed,
    /// No such key: never made, or revoked.
    Unknown,
    /// The key's time is over.
    Expired,
    /// The key is shut out for now.
    Disabled,
    /// The key is not for this model.
    Model {
        /// As the caller wrote it.
        model: String,
    },
    /// It asks for a list of what the provider keeps for all callers.
    List,
    /// The key's requests of this minute are used up.
    TooFast {
        /// So many there are.
        per_minute: u32,
        /// Seconds until the next.
        wait_s: u64,
    },
    /// The key has as many calls in flight as it may.
    InFlight {
        /// So many.
        most: u32,
    },
}

impl CallerNo {
    pub(super) fn facts(&self) -> Facts {
        let fact = |status, kind, code, label, class, retry| Facts {
            status,
            kind,
            code,
            label,
            class,
            retry,
        };
        let no = |status, code| fact(status, INVALID, code, code, Class::BadRequest, Retry::Silent);
        let limited = |label, seconds| {
            let status = StatusCode::TOO_MANY_REQUESTS;
            fact(status, RATE, "rate_limit_exceeded", label, Class::Shed, Retry::After(seconds))
        };
        match self {
            Self::Missing => no(StatusCode::UNAUTHORIZED, "missing_api_key"),
            Self::Malformed | Self::Unknown => no(StatusCode::UNAUTHORIZED, "invalid_api_key"),
            Self::Expired => no(StatusCode::UNAUTHORIZED, "api_key_expired"),
            Self::Disabled => no(StatusCode::FORBIDDEN, "api_key_disabled"),
            Self::Model { .. } => no(StatusCode::FORBIDDEN, "model_not_allowed"),
            Self::List => no(StatusCode::FORBIDDEN, "list_not_allowed"),
            Self::TooFast { wait_s, .. } => limited("api_key_requests", (*wait_s).max(1)),
            Self::InFlight { .. } => limited("api_key_in_flight", 1),
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Missing => "You sent no API key. Send one as `Authorization: Bearer pmk_…`; \
                 `pointsman keys create` makes one."
                .to_owned(),
            Self::Malformed => "What you sent is no Pointsman API key, or it was mistyped or cut \
                 off: a key is pmk_, an id, _ and 38 characters. Send it whole."
                .to_owned(),
            Self::Unknown => "This API key is not known here: it was revoked, or is for another \
                 gateway. Ask its owner for a new one."
                .to_owned(),
            Self::Expired => {
                "This API key has expired. Ask its owner for a new one (`pointsman keys rotate`)."
                    .to_owned()
            }
            Self::Disabled => {
                "This API key is disabled. Ask its owner to enable it again.".to_owned()
            }
            Self::Model { model } => format!(
                "This API key may not ask for the model '{}'. GET /v1/models lists those that it \
                 may ask for.",
                short(model)
            ),
            Self::List => {
                "The provider keeps this for all callers of the gateway under one account: \
                 a list would show you theirs. Ask for what is yours by its id."
                    .to_owned()
            }
            Self::TooFast { per_minute, wait_s } => format!(
                "This API key may send {per_minute} requests a minute, and has sent them. \
                 Try again in {} s.",
                (*wait_s).max(1)
            ),
            Self::InFlight { most } => format!(
                "This API key may have {most} requests in flight, and has as many. \
                 Try again when one has ended."
            ),
        }
    }
}

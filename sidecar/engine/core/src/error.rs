//! What can go wrong, closed: the 18 classes of an attempt's failure and what each one entails.
//! `classify` turns an upstream answer into a class, `refusal` holds every answer that is our own;
//! `attempt` decides by the functions here and by nothing else.

mod caller;
mod classify;
mod hopeless;
mod limited;
mod message;
mod money;
mod refusal;
mod retry;
mod retry_after;
mod said;
mod spent;

use std::time::Duration;

use http::StatusCode;

pub use caller::CallerNo;
pub use classify::{Classified, classify, classify_event, told_in};
pub use hopeless::Hopeless;
pub use limited::Limited;
pub use money::{BudgetNo, LimitName};
pub use refusal::{NoCandidate, Refusal};
pub use retry_after::{retry_after, within_cap};
pub(crate) use spent::{upstream_code, upstream_kind};

use crate::limits;

/// Why an attempt, or the whole call, failed. The order is that of the taxonomy's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// DNS, TCP or TLS failed, or a reset before any response byte.
    Connect = 1,
    /// No header or no first content within the limit.
    SlowFirstToken,
    /// 5xx and its kin.
    Server,
    /// The provider says that it is overloaded.
    Overload,
    /// 429: too fast for this credential and model.
    RateLimit,
    /// Money or quota at the provider is gone.
    Quota,
    /// The provider does not accept our credential.
    Auth,
    /// The provider does not know the model (any more).
    ModelGone,
    /// The caller's own mistake; the provider's answer goes down unchanged.
    BadRequest,
    /// The prompt does not fit this model.
    ContextTooLong,
    /// The provider refuses the content.
    ContentFilter,
    /// Error, cut, stall or garbage after the first content went down.
    MidStream,
    /// The answer ended too early, before the caller had any of it.
    TruncatedEarly,
    /// The caller hung up.
    CallerGone,
    /// 409: a lock at the provider.
    Conflict,
    /// An id that lives at another provider or has expired.
    StatefulMiss,
    /// A Budget refused.
    Budget,
    /// We refused for want of room.
    Shed,
}

/// Who is taken out of rotation after a failure, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cooldown {
    /// Nobody; the breaker may count it.
    None,
    /// This model with this credential.
    Target(Span),
    /// Everything that uses the credential.
    Credential(Span),
}

/// How the length of a cooldown is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// What the provider said, at most `cap`; where it said nothing, `default`.
    Told {
        /// Without a Retry-After.
        default: Duration,
        /// However long the Retry-After.
        cap: Duration,
    },
    /// Until the Secret holds other bytes.
    UntilSecretChanges,
}

impl Span {
    /// The cooldown's length; `None` means until the Secret changes.
    #[must_use]
    pub fn duration(self, told: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Told { default, cap } => Some(told.unwrap_or(default).min(cap)),
            Self::UntilSecretChanges => None,
        }
    }
}

const fn told(default_s: u64, cap: Duration) -> Span {
    Span::Told { default: Duration::from_secs(default_s), cap }
}

impl Class {
    /// Every class, in the taxonomy's order.
    pub const ALL: [Self; 18] = [
        Self::Connect,
        Self::SlowFirstToken,
        Self::Server,
        Self::Overload,
        Self::RateLimit,
        Self::Quota,
        Self::Auth,
        Self::ModelGone,
        Self::BadRequest,
        Self::ContextTooLong,
        Self::ContentFilter,
        Self::MidStream,
        Self::TruncatedEarly,
        Self::CallerGone,
        Self::Conflict,
        Self::StatefulMiss,
        Self::Budget,
        Self::Shed,
    ];

    /// Row of the taxonomy, 1..=18.
    #[must_use]
    pub const fn row(self) -> u8 {
        self as u8
    }

    /// How often the same target may be tried again (budgeted and jittered by `attempt`).
    /// A rate limit is retried there only when nothing else is left, after the wait it asked for.
    #[must_use]
    pub const fn retry_same(self) -> u8 {
        match self {
            Self::Connect
            | Self::Server
            | Self::RateLimit
            | Self::TruncatedEarly
            | Self::Conflict => 1,
            _ => 0,
        }
    }

    /// May another candidate be tried? See also `larger_window_only` and `Classified::capability_gap`.
    #[must_use]
    pub const fn fall_back(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::SlowFirstToken
                | Self::Server
                | Self::Overload
                | Self::RateLimit
                | Self::Quota
                | Self::Auth
                | Self::ModelGone
                | Self::ContextTooLong
                | Self::TruncatedEarly
        )
    }

    /// Only candidates with a larger context window than the failed one make sense.
    #[must_use]
    pub const fn larger_window_only(self) -> bool {
        matches!(self, Self::ContextTooLong)
    }

    /// When attempts end with this class, the provider's own answer goes down as it is.
    #[must_use]
    pub const fn passes_answer(self) -> bool {
        matches!(
            self,
            Self::BadRequest
                | Self::ContextTooLong
                | Self::ContentFilter
                | Self::Conflict
                | Self::StatefulMiss
        )
    }

    /// Does it speak against the target's health?
    #[must_use]
    pub const fn counts_toward_breaker(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::SlowFirstToken
                | Self::Server
                | Self::MidStream
                | Self::TruncatedEarly
        )
    }

    /// Does it count among an endpoint's failed attempts? Too much load is its own doing, too.
    #[must_use]
    pub const fn counts_against_endpoint(self) -> bool {
        self.counts_toward_breaker()
            || matches!(self, Self::Overload | Self::RateLimit | Self::ModelGone)
    }

    /// May another endpoint of the same model do better at once? One that refuses a prompt or a key does
    /// so for all of them.
    #[must_use]
    pub const fn try_other_endpoint(self) -> bool {
        self.counts_against_endpoint() && !matches!(self, Self::MidStream)
    }

    /// What is taken out of rotation. A call that passed the caller's own model name through
    /// must not cool a target for `ModelGone`: the name was the caller's.
    #[must_use]
    pub const fn cooldown(self) -> Cooldown {
        match self {
            Self::Overload => Cooldown::Target(told(5, limits::OVERLOAD_COOLDOWN)),
            Self::RateLimit => Cooldown::Target(told(1, limits::RETRY_AFTER)),
            Self::Quota => Cooldown::Credential(told(900, limits::RETRY_AFTER)),
            Self::Auth => Cooldown::Credential(Span::UntilSecretChanges),
            Self::ModelGone => Cooldown::Target(told(60, limits::RETRY_AFTER)),
            _ => Cooldown::None,
        }
    }

    /// Status that the caller gets when attempts end with this class and no answer is passed on.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Connect
            | Self::Server
            | Self::Auth
            | Self::ModelGone
            | Self::MidStream
            | Self::TruncatedEarly => StatusCode::BAD_GATEWAY,
            Self::SlowFirstToken => StatusCode::GATEWAY_TIMEOUT,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Overload | Self::Quota | Self::Shed => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadRequest | Self::ContextTooLong | Self::ContentFilter => {
                StatusCode::BAD_REQUEST
            }
            // 499, nginx's "client closed request": never sent, only recorded.
            Self::CallerGone => match StatusCode::from_u16(499) {
                Ok(status) => status,
                Err(_) => StatusCode::BAD_REQUEST,
            },
            Self::Conflict => StatusCode::CONFLICT,
            Self::StatefulMiss => StatusCode::NOT_FOUND,
            Self::Budget => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Name in metrics and records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "Connect",
            Self::SlowFirstToken => "SlowFirstToken",
            Self::Server => "Server",
            Self::Overload => "Overload",
            Self::RateLimit => "RateLimit",
            Self::Quota => "Quota",
            Self::Auth => "Auth",
            Self::ModelGone => "ModelGone",
            Self::BadRequest => "BadRequest",
            Self::ContextTooLong => "ContextTooLong",
            Self::ContentFilter => "ContentFilter",
            Self::MidStream => "MidStream",
            Self::TruncatedEarly => "TruncatedEarly",
            Self::CallerGone => "CallerGone",
            Self::Conflict => "Conflict",
            Self::StatefulMiss => "StatefulMiss",
            Self::Budget => "Budget",
            Self::Shed => "Shed",
        }
    }

    /// What happened, for messages: completes "the model's provider …".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Connect => "could not be reached",
            Self::SlowFirstToken => "did not begin to answer in time",
            Self::Server => "failed",
            Self::Overload => "is overloaded",
            Self::RateLimit => "limits the rate of calls",
            Self::Quota => "has no quota left for this credential",
            Self::Auth => "did not accept the credential",
            Self::ModelGone => "does not know the model",
            Self::BadRequest => "rejected the request",
            Self::ContextTooLong => "cannot take a prompt of this length",
            Self::ContentFilter => "refused the content",
            Self::MidStream => "broke off in mid-answer",
            Self::TruncatedEarly => "ended its answer too early",
            Self::CallerGone => "was left by the caller",
            Self::Conflict => "reported a conflict",
            Self::StatefulMiss => "does not know an id in the request",
            Self::Budget => "was not called: a Budget refused",
            Self::Shed => "was not called: there is no room",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The taxonomy is closed: 18 rows in order, each with a name of its own.
    #[test]
    fn has_eighteen_distinct_rows() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(class.row()), index + 1);
            assert_eq!(class.label(), format!("{class:?}"));
            assert!(!class.phrase().is_empty());
        }
    }

    /// The action column of the taxonomy, row by row: (row, SAME, NEXT, status).
    #[test]
    fn actions_are_those_of_the_taxonomy() {
        let rows = [
            (1, 1, true, 502),
            (2, 0, true, 504),
            (3, 1, true, 502),
            (4, 0, true, 503),
            (5, 1, true, 429),
            (6, 0, true, 503),
            (7, 0, true, 502),
            (8, 0, true, 502),
            (9, 0, false, 400),
            (10, 0, true, 400),
            (11, 0, false, 400),
            (12, 0, false, 502),
            (13, 1, true, 502),
            (14, 0, false, 499),
            (15, 1, false, 409),
            (16, 0, false, 404),
            (17, 0, false, 429),
            (18, 0, false, 503),
        ];
        for (class, (row, same, next, status)) in Class::ALL.into_iter().zip(rows) {
            let found =
                (class.row(), class.retry_same(), class.fall_back(), class.status().as_u16());
            assert_eq!(found, (row, same, next, status), "{class:?}");
        }
    }

    /// Rows 4 to 8 rest a target or a credential, for as long as the provider says within a cap.
    #[test]
    fn cooldowns_are_told_and_capped() {
        let seconds = Duration::from_secs;
        let span = |class: Class| match class.cooldown() {
            Cooldown::Target(span) | Cooldown::Credential(span) => span,
            Cooldown::None => panic!("{class:?}"),
        };
        assert_eq!(span(Class::Overload).duration(Some(seconds(90))), Some(seconds(30)));
        assert_eq!(span(Class::Overload).duration(None), Some(seconds(5)));
        assert_eq!(span(Class::RateLimit).duration(Some(seconds(90))), Some(seconds(90)));
        assert_eq!(span(Class::Quota).duration(None), Some(seconds(900)));
        assert!(matches!(Class::Quota.cooldown(), Cooldown::Credential(_)));
        assert_eq!(Class::Auth.cooldown(), Cooldown::Credential(Span::UntilSecretChanges));
        assert_eq!(span(Class::Auth).duration(Some(seconds(1))), None);
        assert_eq!(Class::BadRequest.cooldown(), Cooldown::None);
    }
}

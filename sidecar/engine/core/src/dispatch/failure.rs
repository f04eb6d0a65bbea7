//! Why an attempt failed, and what follows for its target.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::error::{Class, Cooldown, Hopeless, Span};
use crate::limits;

/// Why an attempt failed.
#[derive(Debug)]
pub struct Failure {
    /// Of the taxonomy.
    pub class: Class,
    /// HTTP status, 0 without an answer.
    pub status: u16,
    /// What the target asked for.
    pub retry_after: Option<Duration>,
    /// Another model may do what this one cannot.
    pub capability_gap: bool,
    /// The provider may bill something: the request reached it and was not refused.
    pub billable: bool,
    /// What is lacking is lacking here alone: the key may not go to this target's host, or there is no
    /// (good) ticket for its gateway.
    pub target_alone: bool,
    /// The endpoint fell asleep or vanished before it answered, which is no fault of its own.
    pub left: bool,
    /// Nobody was reached, and another try would end the same.
    pub hopeless: Option<Hopeless>,
    /// The provider's own answer, for classes that pass it on.
    pub answer: Option<(StatusCode, HeaderValue, Bytes)>,
}

impl Failure {
    pub(super) const fn new(class: Class, status: u16, billable: bool) -> Self {
        Self {
            class,
            status,
            retry_after: None,
            capability_gap: false,
            billable,
            target_alone: false,
            left: false,
            hopeless: None,
            answer: None,
        }
    }

    /// There was no endpoint to send anything to.
    pub const fn no_endpoint() -> Self {
        Self::new(Class::Connect, 0, false)
    }

    /// Nothing of the request went out.
    #[must_use]
    pub fn unsent(&self) -> bool {
        self.class == Class::Connect && !self.billable
    }

    /// The provider answered that it does not take what was shown to it.
    pub const fn refuses_key(&self) -> bool {
        matches!((self.class, self.status), (Class::Auth, 401 | 403)) && !self.target_alone
    }

    /// Who rests because of it: as its class says, but for what this target alone lacks.
    pub const fn cooldown(&self) -> Cooldown {
        if !self.target_alone {
            return self.class.cooldown();
        }
        let again = Duration::from_millis(limits::KEY_REREAD_MS);
        Cooldown::Target(Span::Told { default: again, cap: again })
    }
}

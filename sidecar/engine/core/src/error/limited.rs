//! What a caller is told where its model's limits are used up: which one, whose, and what helps.

use http::StatusCode;

use super::Class;
use super::message::short;
use super::refusal::{Facts, RATE};
use super::retry::Retry;
use crate::quota::{Shortage, Unit};

/// The last candidate is limited, and its limit is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// `pool/model`.
    pub model: String,
    /// Which limit.
    pub by: Shortage,
    /// Why the hub gives nothing more out, where it cannot be asked.
    pub away: Option<String>,
}

impl Limited {
    pub(super) const fn facts(&self) -> Facts {
        Facts {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: RATE,
            code: "rate_limit_exceeded",
            label: "limit",
            class: Class::RateLimit,
            retry: Retry::Later(self.by.wait_s),
        }
    }

    pub(super) fn message(&self) -> String {
        let (model, field) = (short(&self.model), self.by.unit.field());
        let allowed = match self.by.unit {
            Unit::Requests => format!("{} calls a minute", self.by.limit),
            Unit::Tokens => format!("{} tokens a minute", self.by.limit),
            Unit::InFlight => format!("{} calls at once", self.by.limit),
        };
        let why = match &self.away {
            Some(why) if self.by.held == 0 => format!(
                "this router holds no share of that, because the hub cannot be asked ({})",
                short(why)
            ),
            _ => format!("this router's share of that, {}, is in use", self.by.held),
        };
        format!(
            "Model {model} is limited to {allowed} over all its routers ({field}), and {why}. Try again \
             in {} s, give the rule another candidate, or raise the limit in the ModelPool.",
            self.by.wait_s
        )
    }
}

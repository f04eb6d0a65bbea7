//! How an error is called whose cause is a provider's.

use super::Class;
use super::refusal::{INVALID, QUOTA, RATE, SERVER};

/// `error.type` of a call whose attempts are spent: SDKs tell by the status, people and logs by this.
pub(crate) const fn upstream_kind(class: Class) -> &'static str {
    match class {
        Class::RateLimit => RATE,
        Class::BadRequest | Class::ContextTooLong | Class::ContentFilter => INVALID,
        Class::Conflict | Class::StatefulMiss | Class::CallerGone => INVALID,
        Class::Budget => QUOTA,
        _ => SERVER,
    }
}

/// `error.code` of a call whose attempts are spent.
pub(crate) const fn upstream_code(class: Class) -> &'static str {
    match class {
        Class::Connect => "upstream_unreachable",
        Class::SlowFirstToken => "upstream_timeout",
        Class::Overload => "upstream_overloaded",
        Class::RateLimit => "upstream_rate_limited",
        Class::Quota => "upstream_quota_exhausted",
        Class::Auth => "upstream_credential_rejected",
        Class::ModelGone => "upstream_model_gone",
        Class::MidStream | Class::TruncatedEarly => "upstream_truncated",
        _ => "upstream_failed",
    }
}

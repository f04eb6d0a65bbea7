//! `status` and `incomplete_details.reason`: how a response ended.

use serde_json::Value;

use crate::form::{Finish, FinishReason};

/// How an answer ended, as `status` and the reason that an incomplete one gives. What no word of OpenAI's
/// says (a paused turn, a malformed call) is incomplete, too, and gives the provider's own word.
pub(super) fn ending(finish: &Finish) -> (&'static str, Option<&str>) {
    use FinishReason as R;
    match finish.reason {
        R::Stop | R::StopText(_) | R::Calls => ("completed", None),
        R::Length | R::Window => ("incomplete", Some("max_output_tokens")),
        R::Filter | R::Refusal => ("incomplete", Some("content_filter")),
        R::Pause | R::Other if finish.raw.is_empty() => ("incomplete", Some("other")),
        R::Pause | R::Other => ("incomplete", Some(&finish.raw)),
    }
}

/// What a response's `status` means.
pub(super) enum Status {
    /// It ended so.
    Ended(Finish),
    /// It failed, or somebody called it off.
    Failed,
    /// It goes on elsewhere.
    Pending,
}

/// Reads `status` (`None`: a server that says none) and `incomplete_details`.
pub(super) fn meaning(status: Option<&str>, details: Option<&Value>, has_calls: bool) -> Status {
    use FinishReason as R;
    let (reason, raw) = match status {
        Some("failed" | "cancelled") => return Status::Failed,
        Some("in_progress" | "queued") => return Status::Pending,
        Some("incomplete") => {
            let why = details.and_then(|details| details.get("reason")).and_then(Value::as_str);
            let reason = match why {
                Some("max_output_tokens") => R::Length,
                Some("content_filter") => R::Filter,
                _ => R::Other,
            };
            (reason, why.unwrap_or("incomplete"))
        }
        other => (if has_calls { R::Calls } else { R::Stop }, other.unwrap_or_default()),
    };
    Status::Ended(Finish { reason, raw: raw.to_owned() })
}

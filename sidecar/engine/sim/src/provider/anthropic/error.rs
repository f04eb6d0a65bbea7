//! Anthropic's error shape: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

use serde_json::{Value, json};

use super::super::failure::{Class, Refused};
use super::super::shape::{Fault, Step, What};

const INVALID: &str = "invalid_request_error";

/// The caller's mistake (400).
pub(super) fn bad_request(message: &str) -> Refused {
    refused(400, INVALID, message)
}

/// An error of this status, type and message.
pub(super) fn refused(status: u16, kind: &str, message: &str) -> Refused {
    Refused::new(status, json!({"type": "error", "error": {"type": kind, "message": message}}))
}

/// A fault in the request's form, as pydantic words it.
pub(super) fn malformed(fault: &Fault) -> Refused {
    let words = match &fault.what {
        What::Missing => "Field required".to_owned(),
        What::Unknown => "Extra inputs are not permitted".to_owned(),
        What::Kind(wanted) => format!("Input should be {}", pydantic(wanted)),
        What::Blank => "String should have at least 1 character".to_owned(),
        What::Below(least) => format!("Input should be greater than or equal to {least}"),
        What::Above(most) => format!("Input should be less than or equal to {most}"),
        What::Short(least) => format!("List should have at least {least} item after validation"),
        What::Long(most) => format!("List should have at most {most} items after validation"),
        What::Word(words) | What::Union(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
            format!("Input should be {}", words.join(" or "))
        }
    };
    bad_request(&format!("{}: {words}", path(&fault.path)))
}

/// Status, words and headers of each class.
pub(super) fn failure(class: Class) -> Refused {
    let (status, kind, message) = row(class);
    let made = refused(status, kind, message);
    match class {
        Class::RateLimit => made
            .with("retry-after", "1")
            .with("anthropic-ratelimit-requests-limit", "50")
            .with("anthropic-ratelimit-requests-remaining", "0"),
        Class::DailyQuota => made.with("retry-after", "3600"),
        Class::Quota => {
            let mut made = made.with("x-should-retry", "false");
            made.body["error"]["details"] = json!({"error_code": "enforced_spend_limit_reached"});
            made
        }
        _ => made,
    }
}

fn row(class: Class) -> (u16, &'static str, &'static str) {
    match class {
        Class::ServerError | Class::ModelError => (500, "api_error", "Internal server error"),
        Class::Timeout => (504, "timeout_error", "Request timed out"),
        Class::Overloaded | Class::NotReady => (529, "overloaded_error", "Overloaded"),
        Class::RateLimit => (
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.",
        ),
        Class::DailyQuota => (
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 1,000,000 input tokens \
             per day.",
        ),
        Class::Quota => {
            (429, "rate_limit_error", "You have reached your specified API usage limits.")
        }
        Class::Billing => (
            402,
            "billing_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & \
             Billing to upgrade or purchase credits.",
        ),
        Class::Auth => (401, "authentication_error", "invalid x-api-key"),
        Class::Permission => (
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
        ),
        Class::ModelGone => (404, "not_found_error", "model: claude-gone"),
        Class::BadRequest => (400, INVALID, "messages: Input should be a valid list"),
        Class::UnsupportedParameter => {
            (400, INVALID, "top_k: This parameter is not supported with this model.")
        }
        Class::ContextTooLong => {
            (400, INVALID, "prompt is too long: 210000 tokens > 200000 maximum")
        }
        Class::TooLarge => (413, "request_too_large", "Request exceeds the maximum size"),
        Class::ContentFilter => (400, INVALID, "Output blocked by content filtering policy"),
        Class::Conflict => (409, "conflict_error", "The resource is being changed."),
        Class::UnknownState => (404, "not_found_error", "File not found: file_gone"),
    }
}

/// The error with the request's identifier.
pub(super) fn sealed(body: &Value, mark: &str) -> Value {
    let mut body = body.clone();
    body["request_id"] = format!("req_{mark}").into();
    body
}

fn pydantic(wanted: &str) -> &str {
    match wanted {
        "a string" => "a valid string",
        "an integer" => "a valid integer",
        "a number" => "a valid number",
        "a boolean" => "a valid boolean",
        "a list" => "a valid list",
        "an object" => "a valid dictionary",
        other => other,
    }
}

fn path(steps: &[Step]) -> String {
    let words = steps.iter().map(|step| match step {
        Step::Name(name) => name.clone(),
        Step::Index(index) => index.to_string(),
    });
    words.collect::<Vec<_>>().join(".")
}

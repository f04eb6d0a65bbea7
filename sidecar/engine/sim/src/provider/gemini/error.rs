//! Google's error shape: `{"error": {"code", "message", "status", "details"}}`.

use serde_json::{Value, json};

use super::super::failure::{Class, Refused};
use super::super::names::snake;
use super::super::shape::{Fault, Step, What};

const INVALID: &str = "INVALID_ARGUMENT";

/// The caller's mistake (400).
pub(super) fn bad_request(message: &str) -> Refused {
    refused(400, INVALID, message)
}

/// An error of this code, status and message.
pub(super) fn refused(code: u16, status: &str, message: &str) -> Refused {
    Refused::new(code, json!({"error": {"code": code, "message": message, "status": status}}))
}

/// A fault in the request's form, as Google's JSON reader and its validators word it.
pub(super) fn malformed(fault: &Fault) -> Refused {
    let place = path(&fault.path);
    let words = match &fault.what {
        What::Unknown => return unknown_name(fault),
        What::Missing | What::Short(_) => {
            return bad_request(&format!(
                "* GenerateContentRequest.{place}: {} is not specified\n",
                last(&fault.path)
            ));
        }
        What::Kind("a list") => "Proto field is not a list".to_owned(),
        What::Kind(wanted) => format!("(expected {wanted}), {}", fault.found),
        What::Blank => "must not be empty".to_owned(),
        What::Below(least) => format!("must be at least {least}"),
        What::Above(most) => format!("must be at most {most}"),
        What::Long(most) => format!("has more than {most} items"),
        What::Word(_) | What::Union(_) => format!("(TYPE_ENUM), {}", fault.found),
    };
    with_violation(&place, &format!("Invalid value at '{place}' {words}"))
}

fn unknown_name(fault: &Fault) -> Refused {
    let (name, above) = match fault.path.split_last() {
        Some((Step::Name(name), above)) => (name.as_str(), above),
        _ => ("", &fault.path[..]),
    };
    let place = path(above);
    let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
    with_violation(
        &place,
        &format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."),
    )
}

fn with_violation(place: &str, message: &str) -> Refused {
    let mut refused = bad_request(message);
    refused.body["error"]["details"] = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": place, "description": message}],
    }]);
    refused
}

/// Status, words and details of each class.
pub(super) fn failure(class: Class) -> Refused {
    let (code, status, message) = row(class);
    let mut made = refused(code, status, message);
    match class {
        Class::RateLimit => quota(&mut made, "PerMinute", "1s"),
        Class::DailyQuota => quota(&mut made, "PerDay", "46s"),
        Class::Auth => reason(&mut made, "API_KEY_INVALID"),
        Class::Billing => reason(&mut made, "BILLING_DISABLED"),
        Class::ContentFilter => {
            made.body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                "modelVersion": "sim"});
        }
        _ => {}
    }
    made
}

fn quota(refused: &mut Refused, period: &str, delay: &str) {
    refused.body["error"]["details"] = json!([
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": format!("GenerateRequests{period}PerProjectPerModel"), "quotaValue": "10"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]);
}

fn reason(refused: &mut Refused, reason: &str) {
    refused.body["error"]["details"] = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com"}]);
}

fn row(class: Class) -> (u16, &'static str, &'static str) {
    match class {
        Class::ServerError | Class::ModelError => {
            (500, "INTERNAL", "An internal error has occurred. Please retry.")
        }
        Class::Timeout => (504, "DEADLINE_EXCEEDED", "The request timed out. Please try again."),
        Class::Overloaded | Class::NotReady => {
            (503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        }
        Class::RateLimit | Class::DailyQuota => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Class::Quota => (
            429,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for metric: generate_content_requests, limit: 0",
        ),
        Class::Billing => {
            (403, "PERMISSION_DENIED", "This API method requires billing to be enabled.")
        }
        Class::Auth => (400, INVALID, "API key not valid. Please pass a valid API key."),
        Class::Permission => (403, "PERMISSION_DENIED", "The caller does not have permission"),
        Class::ModelGone => (
            404,
            "NOT_FOUND",
            "models/gone is not found for API version v1, or is not supported for generateContent.",
        ),
        Class::BadRequest => (400, INVALID, "Request contains an invalid argument."),
        Class::UnsupportedParameter => {
            (400, INVALID, "Thinking level is not supported for this model.")
        }
        Class::ContextTooLong => (
            400,
            INVALID,
            "The input token count (1200000) exceeds the maximum number of tokens allowed \
             (1048576).",
        ),
        Class::TooLarge => {
            (400, INVALID, "Request payload size exceeds the limit: 20971520 bytes.")
        }
        // A blocked prompt is an answer without candidates, not an error.
        Class::ContentFilter => (200, "OK", ""),
        Class::Conflict => (409, "ABORTED", "The operation was aborted."),
        Class::UnknownState => {
            (403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")
        }
    }
}

fn last(steps: &[Step]) -> String {
    let names = steps.iter().rev().find_map(|step| match step {
        Step::Name(name) => Some(name.clone()),
        Step::Index(_) => None,
    });
    names.unwrap_or_default()
}

/// The path in protobuf's names.
pub(super) fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Name(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&snake(name));
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// The body with the status that is really sent.
pub(super) fn sealed(refused: &Refused) -> Value {
    let mut body = refused.body.clone();
    if body["error"].is_object() {
        body["error"]["code"] = refused.status.as_u16().into();
    }
    body
}

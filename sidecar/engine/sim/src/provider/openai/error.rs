//! OpenAI's error shape: `{"error": {"message", "type", "param", "code"}}`.

use serde_json::{Value, json};

use super::super::failure::{Class, Refused};
use super::super::shape::{Fault, Step, What};

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// The caller's mistake (400), naming the parameter.
pub(crate) fn bad_request(message: &str, param: Option<&str>) -> Refused {
    Refused::new(400, document(message, INVALID, param, None))
}

/// The same with a code.
pub(crate) fn bad_parameter(message: &str, param: &str, code: &str) -> Refused {
    Refused::new(400, document(message, INVALID, Some(param), Some(code)))
}

/// A fault in the request's form, in the words of the newer calls (chat words its own).
pub(crate) fn malformed(fault: &Fault) -> Refused {
    let place = path(&fault.path);
    let (words, code) = match &fault.what {
        What::Missing => {
            (format!("Missing required parameter: '{place}'."), "missing_required_parameter")
        }
        What::Unknown => (format!("Unknown parameter: '{place}'."), "unknown_parameter"),
        What::Kind(wanted) => (
            format!(
                "Invalid type for '{place}': expected {wanted}, but got {} instead.",
                kind(&fault.found)
            ),
            "invalid_type",
        ),
        What::Blank => (
            format!(
                "Invalid '{place}': empty string. Expected a string with minimum length 1, but \
                 got an empty string instead."
            ),
            "empty_string",
        ),
        What::Below(least) => (
            format!(
                "Invalid '{place}': integer below minimum value. Expected a value >= {least}, but \
                 got {} instead.",
                fault.found
            ),
            "integer_below_min_value",
        ),
        What::Above(most) => (
            format!(
                "Invalid '{place}': integer above maximum value. Expected a value <= {most}, but \
                 got {} instead.",
                fault.found
            ),
            "integer_above_max_value",
        ),
        What::Short(_) => (format!("Invalid '{place}': empty array."), "empty_array"),
        What::Long(most) => (
            format!("Invalid '{place}': array too long. Expected at most {most} items."),
            "array_above_max_length",
        ),
        What::Word(words) | What::Union(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
            let words = words.join(", ");
            let found = fault.found.as_str().unwrap_or_default();
            (format!("Invalid value: '{found}'. Supported values are: {words}."), "invalid_value")
        }
    };
    bad_parameter(&words, &place, code)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Name(name) if out.is_empty() => out.push_str(name),
            Step::Name(name) => {
                out.push('.');
                out.push_str(name);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// A request without a key (401).
pub(crate) fn no_key() -> Refused {
    let message = "You didn't provide an API key. You need to provide your API key in an \
                   Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
    Refused::new(401, document(message, INVALID, None, None))
}

/// A body that is no JSON object (400).
pub(crate) fn unparsable() -> Refused {
    bad_request(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't \
         using your HTTP library correctly.)",
        None,
    )
}

/// A model that this provider does not serve (404).
pub(crate) fn unknown_model(model: &str) -> Refused {
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    Refused::new(404, document(&message, INVALID, None, Some("model_not_found")))
}

/// A path or method that does not exist (404).
pub(crate) fn unknown_path(method: &str, path: &str) -> Refused {
    let message = format!("Invalid URL ({method} {path})");
    Refused::new(404, document(&message, INVALID, None, None))
}

/// Status, words and headers of each class.
pub(crate) fn failure(class: Class) -> Refused {
    let (status, message, kind, param, code) = row(class);
    let refused = Refused::new(status, document(message, kind, param, code));
    match class {
        Class::RateLimit => refused
            .with("retry-after", "1")
            .with("retry-after-ms", "1000")
            .with("x-ratelimit-limit-requests", "500")
            .with("x-ratelimit-remaining-requests", "0")
            .with("x-ratelimit-reset-requests", "1s"),
        Class::DailyQuota => refused
            .with("retry-after", "432")
            .with("x-ratelimit-remaining-requests", "0")
            .with("x-ratelimit-reset-requests", "7m12s"),
        Class::Overloaded | Class::NotReady => refused.with("retry-after", "2"),
        _ => refused,
    }
}

type Row = (u16, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

fn row(class: Class) -> Row {
    match class {
        Class::ServerError | Class::ModelError => {
            (500, "The server had an error while processing your request.", SERVER, None, None)
        }
        Class::Timeout => (504, "The request timed out.", SERVER, None, None),
        Class::NotReady => (503, "The model is being loaded.", SERVER, None, None),
        Class::Overloaded => {
            (503, "The engine is currently overloaded.", SERVER, None, Some("server_is_overloaded"))
        }
        Class::RateLimit => {
            (429, "Rate limit reached.", "rate_limit_error", None, Some("rate_limit_exceeded"))
        }
        Class::DailyQuota => (
            429,
            "Rate limit reached on requests per day (RPD): Limit 200, Used 200, Requested 1. \
             Please try again in 7m12s.",
            "requests",
            None,
            Some("rate_limit_exceeded"),
        ),
        Class::Quota => (
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            None,
            Some("credit_balance_exhausted"),
        ),
        Class::Billing => (
            402,
            "Insufficient Balance",
            "insufficient_balance",
            None,
            Some("insufficient_balance"),
        ),
        class => mistake(class),
    }
}

/// What the caller did wrong.
fn mistake(class: Class) -> Row {
    match class {
        Class::Auth => (401, "Incorrect API key provided.", INVALID, None, Some("invalid_api_key")),
        Class::Permission => {
            (403, "You are not allowed to do this.", "permission_error", None, None)
        }
        Class::ModelGone => {
            (404, "The model does not exist.", INVALID, None, Some("model_not_found"))
        }
        Class::UnsupportedParameter => (
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
             'max_completion_tokens' instead.",
            INVALID,
            Some("max_tokens"),
            Some("unsupported_parameter"),
        ),
        Class::ContextTooLong => (
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted \
             in 9001 tokens. Please reduce the length of the messages.",
            INVALID,
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Class::TooLarge => (413, "The request is too large.", INVALID, None, None),
        Class::ContentFilter => (
            400,
            "Your request was rejected as a result of our safety system.",
            INVALID,
            None,
            Some("content_policy_violation"),
        ),
        Class::Conflict => (409, "The resource is being changed.", INVALID, None, None),
        Class::UnknownState => (
            400,
            "Previous response with id 'resp_gone' not found.",
            INVALID,
            Some("previous_response_id"),
            Some("previous_response_not_found"),
        ),
        _ => (400, "The request was not valid.", INVALID, None, None),
    }
}

/// The error document.
pub(crate) fn document(
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

//! OpenAI's error shape: `{"error": {"message", "type", "param", "code"}}`.

use http::StatusCode;
use serde_json::{Value, json};

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The error document.
    pub(crate) body: Value,
}

impl Refused {
    /// The caller's mistake (400), naming the parameter.
    pub(crate) fn bad_request(message: &str, param: Option<&str>) -> Self {
        let body = document(message, "invalid_request_error", param, None);
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// A model that this provider does not serve (404).
    pub(crate) fn unknown_model(model: &str) -> Self {
        let message =
            format!("The model `{model}` does not exist or you do not have access to it.");
        let body = document(&message, "invalid_request_error", None, Some("model_not_found"));
        Self { status: StatusCode::NOT_FOUND, body }
    }

    /// A path or method that does not exist (404).
    pub(crate) fn unknown_path(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        let body = document(&message, "invalid_request_error", None, None);
        Self { status: StatusCode::NOT_FOUND, body }
    }
}

/// The document a real provider sends with a scripted `status`.
pub(crate) fn scripted(status: u16) -> Value {
    let (message, kind, code) = match status {
        401 => ("Incorrect API key provided.", "invalid_request_error", Some("invalid_api_key")),
        403 => ("You are not allowed to do this.", "permission_error", None),
        404 => ("The model does not exist.", "invalid_request_error", Some("model_not_found")),
        413 => ("The request is too large.", "invalid_request_error", None),
        429 => ("Rate limit reached.", "rate_limit_error", Some("rate_limit_exceeded")),
        503 => {
            ("The engine is currently overloaded.", "server_error", Some("server_is_overloaded"))
        }
        400..=499 => ("The request was not valid.", "invalid_request_error", None),
        _ => ("The server had an error while processing your request.", "server_error", None),
    };
    document(message, kind, None, code)
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

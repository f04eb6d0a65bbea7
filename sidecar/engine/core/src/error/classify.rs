//! An upstream's error answer -> class, by one table that is read from the top: the first row that matches wins.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::{Class, retry_after};
use crate::limits;

/// What an upstream's error answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// The row of the taxonomy.
    pub class: Class,
    /// The wait that the provider asked for, capped.
    pub retry_after: Option<Duration>,
    /// The provider's `code`, else its `type`, at most 64 bytes of `[A-Za-z0-9_.-]`: fit for a record.
    pub code: Option<String>,
    /// A `BadRequest` whose cause is a parameter that this model lacks: a candidate that has it may be tried.
    pub capability_gap: bool,
}

/// What a row looks at besides the status.
enum Signal {
    /// The status alone.
    Status,
    /// `code` or `type` is one of these (any case).
    Code(&'static [&'static str]),
    /// The message holds one of these (any case).
    Message(&'static [&'static str]),
}

/// One row; no statuses means any status.
struct Row(&'static [u16], Signal, Class);

const ROWS: &[Row] = &[
    Row(&[402], Signal::Status, Class::Quota),
    Row(
        &[],
        Signal::Code(&[
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
        ]),
        Class::Quota,
    ),
    Row(&[429], Signal::Message(&["limit: 0,", "perday"]), Class::Quota),
    Row(
        &[],
        Signal::Code(&[
            "context_length_exceeded",
            "model_context_window_exceeded",
            "exceed_context_size_error",
        ]),
        Class::ContextTooLong,
    ),
    Row(&[413], Signal::Status, Class::ContextTooLong),
    Row(
        &[0, 400, 422, 500],
        Signal::Message(&[
            "prompt is too long",
            "maximum context length",
            "input is too long",
            "exceeds the maximum number of tokens allowed",
            "exceeds the available context size",
            "cannot be greater than max_model_len",
        ]),
        Class::ContextTooLong,
    ),
    Row(
        &[],
        Signal::Code(&[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "bio_policy",
            "invalid_prompt",
        ]),
        Class::ContentFilter,
    ),
    Row(
        &[],
        Signal::Code(&["previous_response_not_found", "file_not_found", "batch_not_found"]),
        Class::StatefulMiss,
    ),
    Row(
        &[400, 404],
        Signal::Message(&["previous response with id", "no such file", "no such batch"]),
        Class::StatefulMiss,
    ),
    Row(
        &[],
        Signal::Code(&["model_not_found", "model_decommissioned", "model_retired"]),
        Class::ModelGone,
    ),
    Row(
        &[],
        Signal::Code(&[
            "organization_on_hold",
            "invalid_api_key",
            "authentication_error",
            "permission_error",
            "accessdeniedexception",
        ]),
        Class::Auth,
    ),
    Row(
        &[],
        Signal::Code(&[
            "slow_down",
            "server_is_overloaded",
            "overloaded_error",
            "engine_overloaded",
            "modelnotreadyexception",
            "serviceunavailableexception",
        ]),
        Class::Overload,
    ),
    Row(&[498, 503, 529], Signal::Status, Class::Overload),
    Row(
        &[],
        Signal::Code(&[
            "rate_limit_exceeded",
            "rate_limit_error",
            "ramp_limit_exceeded",
            "throttlingexception",
            "servicequotaexceededexception",
            "resource_exhausted",
        ]),
        Class::RateLimit,
    ),
    Row(&[429], Signal::Status, Class::RateLimit),
    Row(&[401, 403], Signal::Status, Class::Auth),
    Row(&[404, 410], Signal::Status, Class::ModelGone),
    Row(&[409], Signal::Status, Class::Conflict),
    Row(&[408, 424], Signal::Status, Class::Server),
    Row(&[0, 200], Signal::Code(&["invalid_request_error"]), Class::BadRequest),
];

/// Classifies an error answer by status, headers and the first bytes of its body. `now` is for HTTP dates.
#[must_use]
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Classified {
    let body = body.get(..limits::ERROR_BODY_BYTES).unwrap_or(body);
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(document) => Said::of(&document),
        // Cut or not JSON: the text itself is searched, so that a phrase still counts.
        Err(_) => Said { message: String::from_utf8_lossy(body).to_lowercase(), ..Said::default() },
    };
    said.classified(status, retry_after(headers, now))
}

/// Classifies the `error` member of an event in a stream that has not begun to answer.
/// A numeric code counts as the status that the provider would have sent.
#[must_use]
pub fn classify_event(error: &Value) -> Classified {
    let said = Said::of(error);
    let status = said.codes.iter().find_map(|c| c.parse().ok()).unwrap_or(0);
    said.classified(status, None)
}

/// What the provider said, in lower case.
#[derive(Default)]
struct Said {
    codes: Vec<String>,
    message: String,
    shown: Option<String>,
}

impl Said {
    /// Reads `{"error": {…}}`, `{"error": "text"}`, `[{"error": …}]`, `{"message", "code"}` and `{"detail"}`.
    fn of(document: &Value) -> Self {
        let outer = document.get(0).unwrap_or(document);
        let error = outer.get("error").unwrap_or(outer);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let member = |name: &str| error.get(name).and_then(text);
        let inner = error.get("innererror").and_then(|e| e.get("code")).and_then(text);
        let codes: Vec<String> = [member("code"), member("type"), member("status"), inner]
            .into_iter()
            .flatten()
            .collect();
        let message = member("message")
            .or_else(|| text(error))
            .or_else(|| error.get("detail").and_then(text))
            .unwrap_or_default();
        let shown = codes.iter().find(|c| c.parse::<u64>().is_err()).or_else(|| codes.first());
        Self {
            shown: shown.map(|code| fit_for_record(code)).filter(|code| !code.is_empty()),
            codes: codes.iter().map(|code| code.to_lowercase()).collect(),
            message: message.to_lowercase(),
        }
    }

    fn classified(self, status: u16, retry_after: Option<Duration>) -> Classified {
        let class = ROWS
            .iter()
            .find(|row| self.matches(status, row))
            .map_or_else(|| by_status(status), |row| row.2);
        let unsupported = |c: &String| c == "unsupported_parameter" || c == "unsupported_value";
        let capability_gap = class == Class::BadRequest && self.codes.iter().any(unsupported);
        Classified { class, retry_after, code: self.shown, capability_gap }
    }

    fn matches(&self, status: u16, row: &Row) -> bool {
        (row.0.is_empty() || row.0.contains(&status))
            && match row.1 {
                Signal::Status => true,
                Signal::Code(names) => self.codes.iter().any(|c| names.contains(&c.as_str())),
                Signal::Message(phrases) => phrases.iter().any(|p| self.message.contains(p)),
            }
    }
}

/// What no row names: a client error is the caller's, all else (redirects too) is the server's.
const fn by_status(status: u16) -> Class {
    if 400 <= status && status < 500 { Class::BadRequest } else { Class::Server }
}

/// Codes come from outside: nothing but the characters of codes reaches records and labels.
fn fit_for_record(code: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    code.chars().filter(allowed).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classed(status: u16, body: &str) -> Class {
        told(status, body).class
    }

    fn told(status: u16, body: &str) -> Classified {
        classify(status, &HeaderMap::new(), body.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    fn error(kind: &str, code: &str) -> String {
        format!(r#"{{"error":{{"message":"m","type":"{kind}","param":null,"code":{code}}}}}"#)
    }

    /// Each signal of the taxonomy's rows 3 to 11, 15 and 16 finds its row.
    #[test]
    fn signals_find_their_rows() {
        let said = |message: &str| format!(r#"{{"error":{{"message":"{message}","code":400}}}}"#);
        let cases = [
            (3, 500, error("server_error", "null")),
            (3, 502, "<html>bad gateway</html>".to_owned()),
            (3, 504, String::new()),
            (3, 408, String::new()),
            (3, 424, String::new()),
            (3, 302, String::new()),
            (4, 503, error("server_error", r#""server_is_overloaded""#)),
            (4, 503, String::new()),
            (4, 529, String::new()),
            (4, 498, String::new()),
            (4, 429, error("requests", r#""slow_down""#)),
            (5, 429, error("tokens", r#""rate_limit_exceeded""#)),
            (5, 429, error("TooManyRequests", "429")),
            (5, 400, error("ServiceQuotaExceededException", "null")),
            (6, 402, String::new()),
            (6, 429, error("insufficient_quota", r#""credit_balance_exhausted""#)),
            (6, 429, error("insufficient_quota", r#""project_spend_limit_exceeded""#)),
            (6, 429, error("requests", r#""organization_usage_limit_exceeded""#)),
            (7, 401, error("invalid_request_error", r#""invalid_api_key""#)),
            (7, 403, String::new()),
            (7, 400, error("invalid_request_error", r#""organization_on_hold""#)),
            (8, 404, error("invalid_request_error", r#""model_not_found""#)),
            (8, 404, error("NotFoundError", "404")),
            (8, 410, String::new()),
            (8, 403, error("invalid_request_error", r#""model_not_found""#)),
            (9, 400, error("invalid_request_error", "null")),
            (9, 422, r#"{"detail":"unprocessable"}"#.to_owned()),
            (9, 415, String::new()),
            (9, 431, String::new()),
            (10, 400, error("invalid_request_error", r#""context_length_exceeded""#)),
            (10, 400, said("This model's maximum context length is 8192 tokens.")),
            (10, 400, said("max_tokens=1 cannot be greater than max_model_len=2")),
            (10, 400, error("exceed_context_size_error", "400")),
            (10, 400, r#"{"error":{"message":"Prompt is too long and cut o"#.to_owned()),
            (10, 413, String::new()),
            (11, 400, error("null", r#""content_filter""#)),
            (11, 400, error("invalid_request_error", r#""invalid_prompt""#)),
            (15, 409, String::new()),
            (16, 400, error("invalid_request_error", r#""previous_response_not_found""#)),
            (16, 404, said("No such File object: file-1")),
        ];
        for (row, status, body) in cases {
            assert_eq!(classed(status, &body).row(), row, "{status} {body}");
        }
    }

    /// Bodies in the shapes of other servers, and hostile ones, are classified and never panic.
    #[test]
    fn takes_any_shape() {
        assert_eq!(classed(400, r#"{"error":"input is too long"}"#), Class::ContextTooLong);
        assert_eq!(
            classed(429, r#"[{"error":{"status":"RESOURCE_EXHAUSTED"}}]"#),
            Class::RateLimit
        );
        assert_eq!(
            classed(400, r#"{"object":"error","message":"x","code":400}"#),
            Class::BadRequest
        );
        for body in ["[]", "[[[]]]", "null", "3", "\"x\"", "{", "\u{0}", &"[".repeat(100_000)] {
            assert_eq!(classed(500, body), Class::Server, "{body:.9}");
        }
    }

    /// Codes are shown cleaned and bounded, names before numbers; a missing parameter is a capability gap.
    #[test]
    fn shows_the_code() {
        assert_eq!(
            told(404, &error("NotFoundError", "404")).code.as_deref(),
            Some("NotFoundError")
        );
        let odd = error("x", r#""a b\nc{}""#);
        assert_eq!(told(400, &odd).code.as_deref(), Some("abc"));
        let gap = error("invalid_request_error", r#""unsupported_parameter""#);
        assert!(told(400, &gap).capability_gap);
        assert!(!told(400, &error("invalid_request_error", "null")).capability_gap);
    }

    /// An error event of a stream is classified by its own words, a numeric code being a status.
    #[test]
    fn classifies_events() {
        let class = |json: &str| classify_event(&serde_json::from_str(json).unwrap()).class;
        assert_eq!(class(r#"{"message":"x","code":502}"#), Class::Server);
        assert_eq!(class(r#"{"message":"x","code":429}"#), Class::RateLimit);
        assert_eq!(class(r#"{"message":"x","type":"overloaded_error"}"#), Class::Overload);
        assert_eq!(class(r#"{"message":"x","type":"server_error","code":null}"#), Class::Server);
        assert_eq!(class(r#"{"type":"invalid_request_error"}"#), Class::BadRequest);
        assert_eq!(class(r#""boom""#), Class::Server);
    }
}

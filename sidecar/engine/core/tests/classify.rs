//! Upstream errors find their rows of the taxonomy.

use std::time::SystemTime;

use http::HeaderMap;
use pointsman_core::error::{Class, Classified, classify, classify_event};

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
    assert_eq!(classed(429, r#"[{"error":{"status":"RESOURCE_EXHAUSTED"}}]"#), Class::RateLimit);
    assert_eq!(classed(400, r#"{"object":"error","message":"x","code":400}"#), Class::BadRequest);
    for body in ["[]", "[[[]]]", "null", "3", "\"x\"", "{", "\u{0}", &"[".repeat(100_000)] {
        assert_eq!(classed(500, body), Class::Server, "{body:.9}");
    }
}

/// Codes are shown cleaned and bounded, names before numbers; a missing parameter is a capability gap.
#[test]
fn shows_the_code() {
    assert_eq!(told(404, &error("NotFoundError", "404")).code.as_deref(), Some("NotFoundError"));
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

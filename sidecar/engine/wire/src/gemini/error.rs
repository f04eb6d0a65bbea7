//! Errors in Google's shape (`google.rpc.Status`).

use serde::Serialize;
use serde_json::{Value, json};

use crate::Fault;
use crate::json::written;

#[derive(Debug, Serialize)]
struct Envelope<'a> {
    /// First, and nothing before it: google-genai looks for `{"error":` at an event's beginning.
    error: Status<'a>,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    /// JavaScript's SDK raises only for a number from 400 to 599.
    code: u16,
    message: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

/// The body of an error answer.
#[must_use]
pub fn plain(fault: &Fault) -> Vec<u8> {
    let (code, message) = (fault.status, fault.message.as_str());
    let error = Status { code, message, status: status(code), details: details(fault) };
    written(&Envelope { error })
}

/// The event that makes Google's SDKs raise in mid-stream (`alt=sse`).
#[must_use]
pub fn event(fault: &Fault) -> Vec<u8> {
    [b"data: ".as_slice(), &plain(fault), b"\r\n\r\n"].concat()
}

/// The error as a further element of a stream that is a growing array, which stays open: nothing whole
/// has come down. For a stream of which an element is out already.
#[must_use]
pub fn element(fault: &Fault) -> Vec<u8> {
    [b",\r\n".as_slice(), &plain(fault)].concat()
}

/// Google's name for an HTTP status.
#[must_use]
pub const fn status(code: u16) -> &'static str {
    match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn details(fault: &Fault) -> Vec<Value> {
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let mut details = Vec::new();
    if let Some(code) = &fault.code {
        let reason = code.to_ascii_uppercase();
        details
            .push(json!({"@type": kind("ErrorInfo"), "reason": reason, "domain": "pointsman.dev"}));
    }
    if let Some(field) = &fault.param {
        let violation = json!({"field": field, "description": fault.message});
        details.push(json!({"@type": kind("BadRequest"), "fieldViolations": [violation]}));
    }
    if !fault.request_id.is_empty() {
        details.push(json!({"@type": kind("RequestInfo"), "requestId": fault.request_id}));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault {
            status: 429,
            kind: "insufficient_quota".into(),
            code: Some("budget_exhausted".into()),
            param: Some("contents".into()),
            message: "no money\r\n\r\ndata: {} left; raise the Budget".into(),
            request_id: "r1".into(),
        }
    }

    /// Google's SDKs find code, status, message and details where Google puts them.
    #[test]
    fn errors_have_googles_shape() {
        let error: Value = serde_json::from_slice(&plain(&fault())).unwrap();
        assert_eq!(error["error"]["code"], 429);
        assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(error["error"]["details"][0]["reason"], "BUDGET_EXHAUSTED");
        assert_eq!(error["error"]["details"][1]["fieldViolations"][0]["field"], "contents");
        assert_eq!(error["error"]["details"][2]["requestId"], "r1");
        let bare = Fault { code: None, param: None, request_id: String::new(), ..fault() };
        let error: Value = serde_json::from_slice(&plain(&bare)).unwrap();
        assert_eq!(error["error"].get("details"), None);
    }

    /// E4: an error's text cannot end its event, and no end mark follows it.
    #[test]
    fn events_hold_one_line() {
        let event = String::from_utf8(event(&fault())).unwrap();
        assert!(event.starts_with(r#"data: {"error":{"code":429,"#), "{event}");
        assert_eq!(event.matches(['\r', '\n']).count(), 4);
        assert!(event.ends_with("\r\n\r\n"));
        let element = String::from_utf8(element(&fault())).unwrap();
        assert!(element.starts_with(",\r\n{\"error\":") && element.ends_with('}'));
    }

    /// Every status that Pointsman answers with has a name.
    #[test]
    fn statuses_have_names() {
        let names = [
            (400, "INVALID_ARGUMENT"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "NOT_FOUND"),
            (409, "ABORTED"),
            (413, "INVALID_ARGUMENT"),
            (429, "RESOURCE_EXHAUSTED"),
            (499, "CANCELLED"),
            (500, "INTERNAL"),
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
        ];
        assert!(names.iter().all(|(code, name)| status(*code) == *name));
    }
}

//! Errors in Anthropic's shape.

use serde_json::json;

use crate::Fault;

/// What Claude Code and others look for before they shorten a conversation.
const TOO_LONG: &str = "prompt is too long";

/// How other providers say that.
const TOO_LONG_ELSEWHERE: [&str; 3] =
    ["maximum context length", "input is too long", "exceeds the maximum number of tokens allowed"];

/// The body of an error answer.
#[must_use]
pub fn plain(fault: &Fault) -> Vec<u8> {
    let request_id = Some(&fault.request_id).filter(|id| !id.is_empty());
    let error = json!({"type": kind(fault), "message": message(fault)});
    json!({"type": "error", "error": error, "request_id": request_id}).to_string().into_bytes()
}

/// The event that makes Anthropic's SDKs raise in mid-stream; no `message_stop` follows it.
#[must_use]
pub fn event(fault: &Fault) -> Vec<u8> {
    [b"event: error\ndata: ".as_slice(), &plain(fault), b"\n\n"].concat()
}

/// The HTTP status on this surface: money that is gone is 402 here where OpenAI says 429.
#[must_use]
pub fn status(fault: &Fault) -> u16 {
    if out_of_money(fault) { 402 } else { fault.status }
}

fn out_of_money(fault: &Fault) -> bool {
    fault.status == 402 || fault.kind == "insufficient_quota"
}

fn kind(fault: &Fault) -> &'static str {
    match fault.status {
        _ if out_of_money(fault) => "billing_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 | 410 => "not_found_error",
        408 | 504 => "timeout_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn message(fault: &Fault) -> String {
    let by_code = fault.code.as_deref() == Some("context_length_exceeded");
    let told = &fault.message;
    let by_words = || TOO_LONG_ELSEWHERE.iter().any(|words| told.contains(words));
    if told.contains(TOO_LONG) || !(by_code || by_words()) {
        return told.clone();
    }
    format!("{TOO_LONG}: {told}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fault(status: u16, kind: &str, code: Option<&str>, message: &str) -> Fault {
        Fault {
            status,
            kind: kind.into(),
            code: code.map(str::to_owned),
            param: None,
            message: message.into(),
            request_id: "req_1".into(),
        }
    }

    fn body(fault: &Fault) -> Value {
        serde_json::from_slice(&plain(fault)).unwrap()
    }

    /// Each status has the type by which SDKs choose their exception.
    #[test]
    fn types_follow_the_status() {
        let table = [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (408, "timeout_error"),
            (409, "conflict_error"),
            (413, "request_too_large"),
            (415, "invalid_request_error"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (499, "invalid_request_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ];
        for (status, expected) in table {
            let body = body(&fault(status, "any", None, "why"));
            assert_eq!(body["error"]["type"], expected, "{status}");
            assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("req_1")));
        }
    }

    /// A budget that is used up is 402 `billing_error`, plain and in mid-stream.
    #[test]
    fn a_used_up_budget_is_a_billing_error() {
        let fault = fault(429, "insufficient_quota", Some("budget_exceeded"), "why");
        assert_eq!(status(&fault), 402);
        assert_eq!(body(&fault)["error"]["type"], "billing_error");
        assert_eq!(status(&self::fault(429, "rate_limit_error", None, "")), 429);
    }

    /// A prompt that is too long says so in the words on which clients compact.
    #[test]
    fn too_long_is_said_in_anthropics_words() {
        let say = |code, message| {
            let body = body(&fault(400, "invalid_request_error", code, message));
            body["error"]["message"].as_str().unwrap().to_owned()
        };
        assert_eq!(say(Some("context_length_exceeded"), "9 > 8"), "prompt is too long: 9 > 8");
        let openai = "This model's maximum context length is 8 tokens";
        assert_eq!(say(None, openai), format!("prompt is too long: {openai}"));
        assert_eq!(say(None, "prompt is too long: 9 > 8"), "prompt is too long: 9 > 8");
        assert_eq!(say(None, "no such tool"), "no such tool");
    }

    /// Text cannot break out of the event.
    #[test]
    fn an_event_is_one_line_of_json() {
        let bytes = event(&fault(500, "x", None, "a\n\ndata: {}\r\nevent: message_stop"));
        let text = String::from_utf8(bytes).unwrap();
        let data = text.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains(['\n', '\r']));
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["error"]["type"], "api_error");
    }
}

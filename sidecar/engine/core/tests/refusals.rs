//! Every answer of our own, in OpenAI's shape.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use pointsman_core::error::{Class, NoCandidate, Refusal};

fn every_variant() -> Vec<Refusal> {
    let hostile = "\"}\r\n\u{0}\u{2028}data: x\\".repeat(200);
    let text = || hostile.clone();
    let mut all = vec![
        Refusal::BodyTooLarge { limit: 1 },
        Refusal::HeadersTooLarge { limit: 1 },
        Refusal::RequestTooSlow,
        Refusal::CallerGone,
        Refusal::BadHead,
        Refusal::EncodedBody { encoding: text() },
        Refusal::BadJson { reason: text() },
        Refusal::DuplicateKey { key: text() },
        Refusal::BadValue { param: text(), reason: text() },
        Refusal::MissingModel,
        Refusal::ModelNotFound { model: text() },
        Refusal::NoCandidate(NoCandidate::Capability { needed: text() }),
        Refusal::NoCandidate(NoCandidate::Context { tokens: 9 }),
        Refusal::NoCandidate(NoCandidate::BudgetTier { budget: text() }),
        Refusal::NoCandidate(NoCandidate::Credential),
        Refusal::NoCandidate(NoCandidate::Unresolved),
        Refusal::NoTable,
        Refusal::DeadlineExceeded { total_ms: 9 },
        Refusal::Budget { budget: text(), limit: text(), resets_at: text() },
        Refusal::LedgerUnavailable { budget: text() },
        Refusal::JournalUnavailable { budget: text(), detail: text() },
        Refusal::MinimumCap { budget: text(), affordable: 1, resets_at: text() },
        Refusal::Shed,
        Refusal::Internal,
        Refusal::NotFound { path: text() },
        Refusal::MethodNotAllowed { allow: "POST" },
    ];
    all.extend(Class::ALL.map(|class| Refusal::UpstreamFailed { class, attempts: 3 }));
    all
}

/// Whatever the input, an answer of ours is OpenAI's error object and of bounded size.
#[test]
fn every_refusal_has_the_native_shape() {
    for refusal in every_variant() {
        let answer = refusal.response();
        assert!(answer.status().as_u16() >= 400, "{refusal:?}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert!(answer.body().len() < 4096, "{refusal:?}");
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        let error = body["error"].as_object().unwrap();
        assert_eq!(error.len(), 4, "{refusal:?}");
        assert!(error["message"].as_str().unwrap().len() > 20, "{refusal:?}");
        assert_eq!(error["code"], refusal.code());
        assert!(error["param"].is_string() || error["param"].is_null());
        let kind = error["type"].as_str().unwrap();
        assert!(
            ["invalid_request_error", "server_error", "insufficient_quota"].contains(&kind),
            "{refusal:?}"
        );
        assert!(refusal.label().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    }
}

/// SDKs retry 408, 409, 429 and 5xx: each such answer of ours says when, or says never.
#[test]
fn answers_that_sdks_would_retry_say_whether_to() {
    for refusal in every_variant() {
        let (status, headers) = refusal.to_response_parts();
        let retried = status.as_u16() == 429 || status.is_server_error();
        let says = headers.contains_key("x-should-retry") || headers.contains_key(RETRY_AFTER);
        assert!(!retried || says, "{refusal:?}");
    }
}

/// A Budget's refusal names the Budget and when it resets, in the shape that SDKs know.
#[test]
fn budget_refusal_names_budget_and_reset() {
    let refusal = Refusal::Budget {
        budget: "demo/team".to_owned(),
        limit: "day (5 USD)".to_owned(),
        resets_at: "2026-11-23T00:00:00+01:00".to_owned(),
    };
    let (status, headers) = refusal.to_response_parts();
    assert_eq!((status.as_u16(), &headers["x-should-retry"]), (429, &"false".parse().unwrap()));
    let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap();
    assert_eq!(body["error"]["type"], "insufficient_quota");
    assert_eq!(body["error"]["code"], "insufficient_quota");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("demo/team") && message.contains("2026-11-23T00:00:00+01:00"));
}

//! Every answer of our own, in OpenAI's shape.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use pointsman_core::error::{BudgetNo, CallerNo, Class, LimitName, Limited, NoCandidate, Refusal};
use pointsman_core::fleet::State;
use pointsman_core::quota::{Shortage, Unit};

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
        Refusal::NoCandidate(NoCandidate::BudgetTier(limit(&hostile))),
        Refusal::NoCandidate(NoCandidate::Credential),
        Refusal::NoCandidate(NoCandidate::Unresolved),
        Refusal::NoCandidate(NoCandidate::NoPolicy { policy: text() }),
        Refusal::NoCandidate(NoCandidate::NoEndpoint { model: text(), state: State::Asleep }),
        Refusal::NoTable,
        Refusal::DeadlineExceeded { total_ms: 9 },
        Refusal::Shed,
        Refusal::Draining,
        Refusal::Internal,
        Refusal::Realtime,
        Refusal::UnpricedBatch,
        Refusal::UnpricedCache,
        Refusal::StateTorn,
        Refusal::StateElsewhere { models: String::new() },
        Refusal::StateElsewhere { models: text() },
        Refusal::NotFound { path: text() },
        Refusal::MethodNotAllowed { allow: "POST" },
        Refusal::Caller(CallerNo::Missing),
        Refusal::Caller(CallerNo::Malformed),
        Refusal::Caller(CallerNo::Unknown),
        Refusal::Caller(CallerNo::Expired),
        Refusal::Caller(CallerNo::Disabled),
        Refusal::Caller(CallerNo::Model { model: text() }),
        Refusal::Caller(CallerNo::TooFast { per_minute: 3, wait_s: 20 }),
        Refusal::Caller(CallerNo::InFlight { most: 2 }),
        limited(Unit::Requests, &hostile, None),
        limited(Unit::Tokens, &hostile, Some(text())),
        limited(Unit::InFlight, &hostile, Some(text())),
    ];
    all.extend(every_budget_no(&hostile).map(|no| Refusal::Budget { no, of: limit(&hostile) }));
    all.extend(Class::ALL.map(|class| Refusal::UpstreamFailed {
        class,
        hopeless: None,
        attempts: 3,
    }));
    all
}

fn every_budget_no(detail: &str) -> [BudgetNo; 9] {
    [
        BudgetNo::UsedUp,
        BudgetNo::Blocked,
        BudgetNo::TooLarge,
        BudgetNo::MinimumCap { affordable: 7 },
        BudgetNo::TooMany,
        BudgetNo::LedgerUnavailable,
        BudgetNo::LedgerRestored { wait_s: 42 },
        BudgetNo::JournalUnavailable { detail: detail.to_owned() },
        BudgetNo::Busy,
    ]
}

fn limited(unit: Unit, model: &str, away: Option<String>) -> Refusal {
    let by = Shortage { unit, limit: 600, held: 0, wait_s: 7 };
    Refusal::Limited(Limited { model: model.to_owned(), by, away })
}

fn limit(text: &str) -> LimitName {
    LimitName { budget: text.to_owned(), limit: text.to_owned(), resets_at: text.to_owned() }
}

fn of_team() -> LimitName {
    LimitName {
        budget: "demo/team".to_owned(),
        limit: "day (5 USD)".to_owned(),
        resets_at: "2026-11-23T00:00:00+01:00".to_owned(),
    }
}

fn message(refusal: &Refusal) -> String {
    let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap_or_default();
    body["error"]["message"].as_str().unwrap_or_default().to_owned()
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
        let kinds: &[&str] = match answer.status().as_u16() {
            429 => &["rate_limit_error", "insufficient_quota"],
            400..500 => &["invalid_request_error"],
            _ => &["server_error"],
        };
        assert!(kinds.contains(&kind), "{refusal:?}: {kind}");
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

/// A provider's rate limit that we could not go around is a rate limit to the caller as well.
#[test]
fn a_rate_limit_upstream_is_one_downstream() {
    let refusal = Refusal::UpstreamFailed { class: Class::RateLimit, hopeless: None, attempts: 2 };
    let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap();
    assert_eq!(refusal.status().as_u16(), 429);
    assert_eq!(body["error"]["type"], "rate_limit_error");
    assert_eq!(body["error"]["code"], "upstream_rate_limited");
}

/// A Budget's refusal names the Budget and when it resets, in the shape that SDKs know.
#[test]
fn budget_refusal_names_budget_and_reset() {
    let refusal = Refusal::Budget { no: BudgetNo::UsedUp, of: of_team() };
    let (status, headers) = refusal.to_response_parts();
    assert_eq!((status.as_u16(), &headers["x-should-retry"]), (429, &"false".parse().unwrap()));
    let body: serde_json::Value = serde_json::from_slice(&refusal.body()).unwrap();
    assert_eq!(body["error"]["type"], "insufficient_quota");
    assert_eq!(body["error"]["code"], "insufficient_quota");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("demo/team") && message.contains("2026-11-23T00:00:00+01:00"));
}

/// Every refusal of a Budget names it and its limit; the window's end stands where waiting helps,
/// and nowhere else.
#[test]
fn every_budget_refusal_names_budget_limit_and_the_reset_where_it_helps() {
    let mut all: Vec<(Refusal, bool)> = every_budget_no("no space")
        .into_iter()
        .map(|no| {
            let helps =
                matches!(no, BudgetNo::UsedUp | BudgetNo::Blocked | BudgetNo::MinimumCap { .. });
            (Refusal::Budget { no, of: of_team() }, helps)
        })
        .collect();
    all.push((Refusal::NoCandidate(NoCandidate::BudgetTier(of_team())), true));
    for (refusal, helps) in all {
        let said = message(&refusal);
        assert!(said.contains("Budget demo/team") && said.contains("day (5 USD)"), "{said}");
        assert_eq!(said.contains("it resets at 2026-11-23T00:00:00+01:00"), helps, "{said}");
    }
}

/// Money that is not gone is not called used up: each reason has its words, and what SDKs cannot
/// wait for has a code of its own.
#[test]
fn only_a_spent_budget_is_called_used_up() {
    for no in every_budget_no("no space") {
        let refusal = Refusal::Budget { no: no.clone(), of: of_team() };
        assert_eq!(message(&refusal).contains("used up"), no == BudgetNo::UsedUp, "{no:?}");
    }
    let large = Refusal::Budget { no: BudgetNo::TooLarge, of: of_team() };
    assert_eq!((large.code(), large.status().as_u16()), ("request_exceeds_budget", 429));
    assert!(message(&large).contains("Lower max_tokens"));
    let many = Refusal::Budget { no: BudgetNo::TooMany, of: of_team() };
    assert_eq!((many.code(), many.status().as_u16()), ("too_many_budgets", 429));
    let busy = Refusal::Budget { no: BudgetNo::Busy, of: of_team() };
    assert_eq!((busy.code(), busy.status().as_u16()), ("overloaded", 503));
}

/// Whose limit it is, what of it this router has, and what helps; the wait for SDKs that do not retry.
#[test]
fn a_used_up_limit_is_named_with_what_helps() {
    let own = Shortage { unit: Unit::Tokens, limit: 9_000, held: 450, wait_s: 7 };
    let none = Shortage { held: 0, ..own };
    let said = |by, away: Option<&str>| {
        let (model, away) = ("main/gpt".to_owned(), away.map(str::to_owned));
        Refusal::Limited(Limited { model, by, away })
    };
    let refusal = said(own, Some("no route to host"));
    let (status, headers) = refusal.to_response_parts();
    assert_eq!(
        (status.as_u16(), refusal.code(), refusal.label()),
        (429, "rate_limit_exceeded", "limit")
    );
    assert_eq!(
        (&headers[RETRY_AFTER], &headers["x-should-retry"]),
        (&"7".parse().unwrap(), &"false".parse().unwrap())
    );
    let text = message(&refusal);
    for part in [
        "main/gpt",
        "9000 tokens a minute",
        "limits.tokensPerMinute",
        "share of that, 450,",
        "in 7 s",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        message(&said(none, Some("no route to host")))
            .contains("cannot be asked (no route to host)")
    );
    assert!(!text.contains("no route"), "with a share in hand the hub is not to blame: {text}");
}

//! Every provider's errors find their rows of the taxonomy (wire.md A10), and each row says what follows:
//! retry, fallback, rest, status and metric label. Both stand in `errors/cases.json`.

#![expect(clippy::unwrap_used, reason = "a failed read fails the test")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use pointsman_core::error::{Class, Cooldown, classify};
use serde::Deserialize;
use serde_json::Value;

/// Sun, 22 Nov 2026 17:06:50 GMT, the instant at which the cases were answered.
const ANSWERED_S: u64 = 1_795_367_210;

#[derive(Deserialize)]
struct Golden {
    rows: BTreeMap<String, Row>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    class: String,
    retry_same: u8,
    fall_back: bool,
    rests: String,
    rests_ms: Value,
    caller_status: u16,
    passes_answer: bool,
    larger_window_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    provider: String,
    error: String,
    row: u8,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
    wait_ms: Option<u64>,
    #[serde(default)]
    gap: bool,
}

fn golden() -> Golden {
    serde_json::from_slice(include_bytes!("errors/cases.json")).unwrap()
}

/// Each of the 18 rows: retry on the same target, fallback, who rests and for how long where the
/// provider says nothing, the caller's status, the label in metrics and records.
#[test]
fn the_action_of_every_row_is_the_golden_one() {
    let golden = golden();
    assert_eq!(golden.rows.len(), Class::ALL.len());
    for class in Class::ALL {
        let row = &golden.rows[&class.row().to_string()];
        assert_eq!(class.label(), row.class);
        assert_eq!(class.retry_same(), row.retry_same, "{class:?}");
        assert_eq!(class.fall_back(), row.fall_back, "{class:?}");
        assert_eq!(class.status().as_u16(), row.caller_status, "{class:?}");
        assert_eq!(class.passes_answer(), row.passes_answer, "{class:?}");
        assert_eq!(class.larger_window_only(), row.larger_window_only, "{class:?}");
        let (rests, span) = match class.cooldown() {
            Cooldown::None => ("nobody", None),
            Cooldown::Target(span) => ("target", Some(span)),
            Cooldown::Credential(span) => ("credential", Some(span)),
        };
        assert_eq!(rests, row.rests, "{class:?}");
        let rests_ms = span.map(|span| span.duration(None).map(|pause| pause.as_millis() as u64));
        assert_eq!(rests_ms.flatten(), row.rests_ms.as_u64(), "{class:?}");
    }
}

/// Each provider's error bodies and headers: class, wait and capability gap.
#[test]
fn every_providers_errors_find_their_row_and_their_wait() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(ANSWERED_S);
    let mut wrong = Vec::new();
    for case in golden().cases {
        let mut headers = HeaderMap::new();
        for (name, value) in &case.headers {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let body = match &case.body {
            Value::String(text) => text.clone(),
            document => document.to_string(),
        };
        let found = classify(case.status, &headers, body.as_bytes(), now);
        let wait_ms = found.retry_after.map(|wait| wait.as_millis() as u64);
        let seen = (found.class.row(), wait_ms, found.capability_gap);
        if seen != (case.row, case.wait_ms, case.gap) {
            wrong.push(format!("{}, {}: {seen:?} {:?}", case.provider, case.error, found.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A provider that has every class of answer has every row that its answers can have.
#[test]
fn every_dialects_rows_are_covered() {
    let golden = golden();
    for provider in ["OpenAI", "AzureOpenAI", "Anthropic", "Gemini", "Vertex", "Bedrock"] {
        for row in [3, 4, 5, 6, 7, 8, 9, 10, 15] {
            let covered =
                golden.cases.iter().any(|case| case.provider == provider && case.row == row);
            assert!(covered, "{provider} has no case of row {row}");
        }
    }
    for row in (3..=11).chain([15, 16]) {
        assert!(golden.cases.iter().any(|case| case.row == row), "row {row}");
    }
}

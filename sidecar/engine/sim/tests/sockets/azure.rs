//! Azure's paths of OpenAI's calls.

use serde_json::{Value, json};

use crate::driver::{merged, provider};

const KEY: &str = "api-key: k\r\n";
const PATH: &str = "/openai/deployments/m/chat/completions?api-version=2026-01-01";

fn body() -> Value {
    json!({"messages": [{"role": "user", "content": "hi there"}]})
}

/// The deployment in the path is the model, and the content filter has its say about prompt and
/// answer, first of all in a stream.
#[test]
fn deployments_answer_with_their_filter() {
    let provider = provider(&json!({"models": ["m"]}));
    let action = json!({"text": "twelve chars"});
    let plain = provider.ask(PATH, KEY, &action, &body()).json();
    assert_eq!((&plain["model"], plain["prompt_filter_results"].is_array()), (&json!("m"), true));
    assert_eq!(plain["choices"][0]["content_filter_results"]["hate"]["severity"], "safe");
    let stream = merged(&body(), &json!({"stream": true}));
    let answer = provider.ask(PATH, KEY, &action, &stream);
    let events = answer.events();
    let first: Value = serde_json::from_str(&events[0]).unwrap();
    assert_eq!((&first["choices"], first["prompt_filter_results"].is_array()), (&json!([]), true));
    assert_eq!(events.last().unwrap(), "[DONE]");
    let newer = merged(&body(), &json!({"model": "m"}));
    assert_eq!(provider.ask("/openai/v1/chat/completions", KEY, &action, &newer).status, 200);
    let input = json!({"model": "m", "input": "hi"});
    for path in ["/openai/v1/responses", "/openai/v1/embeddings"] {
        assert_eq!(provider.ask(path, KEY, &json!({}), &input).status, 200);
    }
    let costs: Vec<Value> = provider.bill().iter().map(|line| line["cost"].clone()).collect();
    assert_eq!(costs[0], 2 * 100 + 3 * 1000);
}

/// Keys, versions and deployments are missed in Azure's words, and its failures are its own.
#[test]
fn failures_are_azures() {
    let provider = provider(&json!({"models": ["m"]}));
    let bare = "/openai/deployments/m/chat/completions";
    let gone = "/openai/deployments/gone/chat/completions?api-version=1";
    for (path, key, action, status, code) in [
        (PATH, "", json!({}), 401, json!("401")),
        (bare, KEY, json!({}), 404, json!("404")),
        (gone, KEY, json!({}), 404, json!("DeploymentNotFound")),
        (PATH, KEY, json!({"error": "rateLimit"}), 429, json!("429")),
        (PATH, KEY, json!({"error": "contentFilter"}), 400, json!("content_filter")),
        (PATH, KEY, json!({"error": "contextTooLong"}), 400, json!("context_length_exceeded")),
    ] {
        let answer = provider.ask(path, key, &action, &body());
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &code), "{action}");
        assert_eq!(answer.head.contains("retry-after-ms: 1000"), status == 429);
    }
    assert!(provider.bill().is_empty());
}

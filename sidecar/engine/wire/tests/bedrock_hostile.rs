//! Bodies made to be costly cost Converse's reader and writer no more than their length.

use std::time::{Duration, Instant};

use pointsman_wire::bedrock_converse::request;
use serde_json::{Value, json};

const MANY: usize = 20_000;
const MODEL: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

fn bodies() -> Vec<(&'static str, Value)> {
    let all = |block: &dyn Fn(usize) -> Value| (0..MANY).map(block).collect::<Value>();
    let call =
        |id: usize| json!({"toolUse": {"toolUseId": format!("t{id}"), "name": "f", "input": {}}});
    let result = |id: usize| json!({"toolResult": {"toolUseId": format!("t{id}"), "content": []}});
    let user = |content: Value| json!({"role": "user", "content": content});
    let asked = user(json!([{"text": "x"}]));
    let called = json!({"role": "assistant", "content": all(&call)});
    let tools = json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]});
    let document = |_| json!({"document": {"format": "txt", "name": "x", "source": {"text": "y"}}});
    let mut turns = vec![asked.clone(), called.clone()];
    turns.extend((0..MANY).map(|id| user(json!([result(MANY - 1 - id), {"text": "z"}]))));
    vec![
        ("results", json!({"messages": [asked, called, user(all(&result))], "toolConfig": tools})),
        ("turns", json!({"messages": turns, "toolConfig": tools})),
        ("documents", json!({"messages": [user(all(&document))]})),
        ("blanks", json!({"messages": all(&|_| user(json!([{"text": " "}, {"text": "x"}])))})),
    ]
}

/// Each takes far less than it would if every element looked at all others (20,000 times 20,000).
#[test]
fn many_elements_cost_no_more_than_each() {
    for (what, body) in bodies() {
        let body = body.to_string().into_bytes();
        let begun = Instant::now();
        let written = request::write(&request::read(&body).unwrap(), MODEL).unwrap();
        assert!(written.body.len() > MANY, "{what}");
        assert!(written.losses.len() < 100, "{what}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", begun.elapsed());
    }
}

//! Thinking, as each generation of models takes it.

use pointsman_wire::form::{Conversation, Effort, Reasoning, Role, ToolChoice};
use serde_json::{Number, Value, json};

use crate::build::{body_for, call, hello, result, tools, turn};

fn thinking(reasoning: Reasoning, max_output: Option<u64>, model: &str) -> (Value, Vec<String>) {
    let mut conversation = hello();
    conversation.settings.reasoning = Some(reasoning);
    conversation.settings.max_output = max_output;
    let (body, losses) = body_for(&conversation, model);
    let keys = ["max_tokens", "thinking", "output_config"];
    (keys.iter().map(|key| body.get(*key).cloned().unwrap_or_default()).collect(), losses)
}

/// Thinking in the words that a model's generation takes, within its cap.
#[test]
fn thinking_fits_the_model() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |budget| Reasoning { budget: Some(budget), ..Reasoning::default() };
    let (new, middle, old) = (
        "claude-sonnet-4-6",
        "claude-haiku-4-5-20251001",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    );
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let table = [
        (
            effort(Effort::High),
            None,
            new,
            json!([20_480, {"type": "adaptive"}, {"effort": "high"}]),
        ),
        (
            effort(Effort::Minimal),
            Some(9),
            new,
            json!([9, {"type": "adaptive"}, {"effort": "low"}]),
        ),
        (effort(Effort::None), None, new, json!([4096, {"type": "disabled"}, null])),
        (budget(9_000), None, new, json!([13_096, {"type": "adaptive"}, {"effort": "high"}])),
        (budget(0), None, new, json!([4096, {"type": "disabled"}, null])),
        (effort(Effort::Low), None, middle, json!([6144, enabled(2048), null])),
        (budget(100), Some(5_000), middle, json!([5000, enabled(1024), null])),
        (effort(Effort::Max), Some(8_000), middle, json!([8000, enabled(4000), null])),
    ];
    for (wish, cap, model, expected) in table {
        assert_eq!(thinking(wish, cap, model), (expected, vec![]), "{wish:?} {model}");
    }
    let lost = vec!["reasoning".to_owned()];
    assert_eq!(
        thinking(effort(Effort::High), Some(1_500), middle),
        (json!([1500, null, null]), lost.clone())
    );
    assert_eq!(thinking(effort(Effort::High), None, old), (json!([4096, null, null]), lost));
    assert_eq!(thinking(effort(Effort::None), None, old), (json!([4096, null, null]), vec![]));
}

/// What thinking forbids gives way: sampling to thinking, thinking to a forced call and to a round of tools
/// that began without it.
#[test]
fn thinking_and_its_neighbours() {
    let mut conversation = Conversation { tools: tools(), ..hello() };
    conversation.settings.reasoning =
        Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    conversation.settings.temperature = Number::from_f64(0.2);
    conversation.settings.top_k = Some(3);
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    assert!(body.get("temperature").is_none() && body.get("top_k").is_none());
    assert_eq!(losses, ["temperature", "top_k"]);
    conversation.tool_choice = Some(ToolChoice::Required);
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    assert!(body.get("thinking").is_none() && body.get("temperature").is_some());
    assert_eq!(losses, ["reasoning"]);
    conversation.tool_choice = None;
    conversation.turns.push(turn(Role::Assistant, [call("a", "f", "")]));
    conversation.turns.push(turn(Role::User, [result("a", "r")]));
    assert_eq!(body_for(&conversation, "claude-sonnet-4-5").1, ["reasoning"]);
    assert_eq!(body_for(&conversation, "claude-opus-5").1, ["temperature", "top_k"]);
}

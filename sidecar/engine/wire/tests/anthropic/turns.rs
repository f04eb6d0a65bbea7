//! Turns as Anthropic's rules want them.

use pointsman_wire::anthropic_messages::request::read;
use pointsman_wire::form::{Call, Conversation, Dialect, Part, Payload, Role, Thinking};
use serde_json::{Value, json};

use crate::build::{body, body_for, call, of, refusal, result, said, text, turn};

/// A result knows its tool's name, which its own block does not say.
#[test]
fn a_result_finds_its_tool() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
    ]});
    let conversation = read(body.to_string().as_bytes()).unwrap();
    let Payload::Result(result) = &conversation.turns[1].parts[0].payload else { panic!() };
    assert_eq!((result.name.as_deref(), &result.parts), (Some("f"), &vec![Part::text("r")]));
}

/// A11: leading system turns are `system`; later ones stand where they were said, and their role is lost.
#[test]
fn system_turns_go_where_they_may() {
    let conversation = of([
        turn(Role::System, [text("one")]),
        turn(Role::System, [text("two")]),
        turn(Role::User, [text("q")]),
        turn(Role::System, [text("mid")]),
        turn(Role::Assistant, [text("a")]),
        turn(Role::User, [text("q2")]),
    ]);
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])
    );
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "text", "text": "q"}, {"type": "text", "text": "mid"}])
    );
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_eq!(losses, ["messages[3].role"]);
}

/// A11: consecutive turns of a role become one, blank texts vanish, the first turn is the user's.
#[test]
fn turns_alternate_and_say_something() {
    let conversation = of([
        turn(Role::Assistant, [text("welcome"), text(" \n")]),
        turn(Role::User, [text("a")]),
        turn(Role::Assistant, [text("")]),
        turn(Role::User, [text("b")]),
        turn(Role::Assistant, [text("c")]),
        turn(Role::Assistant, [text("so \n")]),
    ]);
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    let expected = json!([
        {"role": "user", "content": said("(The conversation begins.)")},
        {"role": "assistant", "content": said("welcome")},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "so"}]},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(losses, ["messages[0].role"]);
}

/// Instructions alone become the user's; nothing at all is refused.
#[test]
fn a_conversation_has_a_user() {
    let (body, losses) = body_for(&of([turn(Role::System, [text("write")])]), "claude-opus-5");
    assert_eq!(body["messages"], json!([{"role": "user", "content": said("write")}]));
    assert!(body.get("system").is_none());
    assert_eq!(losses, ["messages[0].role"]);
    assert_eq!(refusal(&of([turn(Role::User, [text(" ")])])).path, "messages");
}

/// A11: results follow their calls in one turn of the user's, first and in the calls' order.
#[test]
fn results_follow_their_calls() {
    let conversation = of([
        turn(Role::User, [text("q")]),
        turn(Role::Assistant, [call("a", "f", "{}"), call("b", "g", r#"{"x":1}"#)]),
        turn(Role::User, [text("wait")]),
        turn(Role::User, [result("b", "rb")]),
        turn(Role::System, [text("note")]),
        turn(Role::User, [result("a", "")]),
    ]);
    let body = body(&conversation);
    let expected = json!([
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b", "content": said("rb")},
        {"type": "text", "text": "wait"},
        {"type": "text", "text": "note"},
    ]);
    assert_eq!(body["messages"][2]["content"], expected);
    assert_eq!(body["messages"][1]["content"][1]["input"], json!({"x": 1}));
}

/// A11: results without a call, calls without a result, and second results are refused with the place.
#[test]
fn orphans_are_refused() {
    let asked = turn(Role::Assistant, [call("a", "f", "{}")]);
    let ask = turn(Role::User, [text("q")]);
    let orphan = of([ask.clone(), turn(Role::User, [result("a", "r")])]);
    assert_eq!(refusal(&orphan).path, "messages[1]");
    let twice =
        of([ask.clone(), asked.clone(), turn(Role::User, [result("a", "r"), result("a", "r")])]);
    assert_eq!(refusal(&twice).path, "messages[2]");
    let late = of([
        ask.clone(),
        asked.clone(),
        turn(Role::User, [text("hm")]),
        turn(Role::Assistant, [text("x")]),
        turn(Role::User, [result("a", "r")]),
    ]);
    assert_eq!(refusal(&late).path, "messages");
    assert_eq!(refusal(&of([ask, asked])).path, "messages");
}

/// Ids of other providers, repeated or outside Anthropic's alphabet, become unique and legal, and their
/// results' with them.
#[test]
fn ids_become_unique_and_legal() {
    let round = || {
        [
            turn(Role::Assistant, [call("functions.f:0", "f", ""), call("", "g", "")]),
            turn(Role::User, [result("functions.f:0", "1"), result("", "2")]),
        ]
    };
    let turns = [turn(Role::User, [text("q")])].into_iter().chain(round()).chain(round());
    let body = body(&of(turns));
    let ids = |place: usize, key: &str| -> Vec<Value> {
        let content = body["messages"][place]["content"].as_array().unwrap();
        content.iter().map(|block| block[key].clone()).collect()
    };
    assert_eq!(ids(1, "id"), ["functions_f_0", "toolu"]);
    assert_eq!(ids(2, "tool_use_id"), ids(1, "id"));
    assert_eq!(ids(4, "tool_use_id"), ids(3, "id"));
    assert_eq!(ids(3, "id"), ["functions_f_0_2", "toolu_3"]);
}

/// A11: arguments that are no object are never repaired: such a history is refused.
#[test]
fn broken_arguments_in_the_history_are_refused() {
    for arguments in ["{\"a\": tru", "[]", "1"] {
        let conversation = of([
            turn(Role::User, [text("q")]),
            turn(Role::Assistant, [call("a", "f", arguments)]),
            turn(Role::User, [result("a", "r")]),
        ]);
        assert_eq!(refusal(&conversation).path, "messages[1]", "{arguments}");
    }
}

/// A11: another provider's thoughts and signatures are left out, and that is said.
#[test]
fn foreign_thoughts_are_left_out() {
    let signature = Some("s".to_owned());
    let thought =
        Thinking { text: "t".into(), signature: signature.clone(), ..Thinking::default() };
    let signed = Call { id: "a".into(), name: "f".into(), signature, ..Call::default() };
    let conversation = Conversation {
        origin: Some(Dialect::Gemini),
        ..of([
            turn(Role::User, [text("q")]),
            turn(Role::Assistant, [Payload::Thinking(thought), Payload::Call(signed)]),
            turn(Role::User, [result("a", "r")]),
        ])
    };
    let (body, losses) = body_for(&conversation, "claude-opus-5");
    let expected = json!([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]);
    assert_eq!(body["messages"][1]["content"], expected);
    assert_eq!(losses, ["thinking", "thought_signature"]);
}

/// A call's signature rides on its id, and both come back parted.
#[test]
fn a_signature_on_an_id_comes_back() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c__thought__a_2fb", "name": "f", "input": {"INVALID_JSON": "{x"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c__thought__a_2fb"}]},
    ]});
    let conversation = read(body.to_string().as_bytes()).unwrap();
    let Payload::Call(call) = &conversation.turns[0].parts[0].payload else { panic!() };
    assert_eq!((call.id.as_str(), call.signature.as_deref()), ("c", Some("a/b")));
    assert_eq!(call.arguments, "{x");
    let Payload::Result(result) = &conversation.turns[1].parts[0].payload else { panic!() };
    assert_eq!((result.id.as_str(), result.name.as_deref()), ("c", Some("f")));
}

/// Hostile conversations cost no more than others: many late system turns, many calls of one id.
#[test]
fn hostile_turns_cost_no_more() {
    let mut turns = vec![turn(Role::User, [text("q")])];
    for _ in 0..20_000 {
        turns.push(turn(Role::System, [text("mid")]));
    }
    let calls = (0..20_000).map(|_| call("toolu", "f", ""));
    turns.push(turn(Role::Assistant, calls));
    turns.push(turn(Role::User, (0..20_000).map(|_| result("toolu", "r"))));
    let started = std::time::Instant::now();
    let (body, losses) = body_for(&of(turns), "claude-opus-5");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(body["messages"][2]["content"].as_array().unwrap().len(), 20_000);
    assert_eq!(losses.len(), 32);
}

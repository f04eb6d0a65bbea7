//! A conversation goes on at another maker's model: what only the first understands is left out.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::PROVIDERS;
use super::world::{World, model, run};

/// A11: Gemini's signed call goes to an OpenAI caller on its id, back to Gemini as it was, and comes off
/// before OpenAI.
#[test]
fn signatures_come_off_before_another_maker() {
    run(async {
        let (gemini, openai) = (Origin::start().await, Origin::start().await);
        let world = World::new(&[model("Gemini", &gemini), model("OpenAI", &openai)]);
        let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
        let user = json!({"role": "user", "content": "Hi"});
        let call = json!({"functionCall": {"name": "f", "args": {}, "id": "c1"}, "thoughtSignature": "c2ln"});
        let reply = json!({"candidates": [{"content": {"role": "model", "parts": [call]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}});
        gemini.say(Says::json(200, &reply));
        let first = json!({"model": "m", "messages": [user], "tools": tools});
        let answer = world.post("/v1/chat/completions", &first).await;
        gemini.asked();
        let said = answer.json()["choices"][0]["message"].clone();
        let id = said["tool_calls"][0]["id"].as_str().unwrap().to_owned();
        assert!(id.ends_with("c2ln"), "{id}");
        let result = json!({"role": "tool", "tool_call_id": id, "content": "1"});
        let next = json!({"model": "m", "messages": [user, said, result], "tools": tools});
        gemini.say(Says::json(500, &json!({"error": {"code": 500, "message": "down"}})));
        openai.say(Says::json(200, &(PROVIDERS[0].plain)()));
        let answer = world.post("/v1/chat/completions", &next).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let again = gemini.asked().body;
        assert_eq!(again["contents"][1]["parts"][0]["thoughtSignature"], "c2ln");
        let heard = openai.asked().body;
        assert_eq!(heard["messages"][1]["tool_calls"][0]["id"], "c1");
        assert_eq!(heard["messages"][2]["tool_call_id"], "c1");
        assert_eq!(heard["model"], "OpenAI-upstream");
    });
}

/// A11: thoughts of another maker have no signature at Anthropic's surface, plain or streamed, and do not
/// come to Anthropic, which would refuse them; its own pass byte for byte.
#[test]
fn thoughts_of_others_stay_away_from_anthropic() {
    run(async {
        let (gemini, anthropic) = (Origin::start().await, Origin::start().await);
        let world = World::new(&[model("Gemini", &gemini), model("Anthropic", &anthropic)]);
        let parts = json!([{"text": "Hm.", "thought": true, "thoughtSignature": "c2ln"}, {"text": "Hello."}]);
        let reply = json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}});
        let user = json!({"role": "user", "content": "Hi"});
        let ask = |messages: Value, stream: bool| json!({"model": "m", "max_tokens": 50, "messages": messages, "stream": stream});
        gemini.say(Says::json(200, &reply));
        let answer = world.post("/v1/messages", &ask(json!([user]), false)).await;
        let content = answer.json()["content"].clone();
        assert_eq!(content[0], json!({"type": "thinking", "thinking": "Hm.", "signature": ""}));
        gemini.asked();
        gemini.say(Says::events(format!("data: {reply}\r\n\r\n")));
        let answer = world.post("/v1/messages", &ask(json!([user]), true)).await;
        assert!(
            answer.body.contains("thinking_delta") && !answer.body.contains("c2ln"),
            "{answer:?}"
        );
        gemini.asked();
        let signed = json!({"type": "thinking", "thinking": "t", "signature": "EqQBCkYIB/=="});
        let own = json!([signed, {"type": "text", "text": "x"}]);
        let turns = json!([user, {"role": "assistant", "content": content}, user,
            {"role": "assistant", "content": own}, user]);
        gemini.say(Says::json(500, &json!({"error": {"code": 500, "message": "down"}})));
        anthropic.say(Says::json(200, &(PROVIDERS[1].plain)()));
        let headers = "anthropic-version: 2026-10-21\r\nanthropic-beta: a\r\n";
        let answer = world.send("/v1/messages", headers, &ask(turns, false)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let heard = anthropic.asked();
        assert_eq!(
            heard.body["messages"][1]["content"],
            json!([{"type": "text", "text": "Hello."}])
        );
        assert_eq!(heard.body["messages"][3]["content"], own);
        assert_eq!(
            (heard.header("anthropic-version"), heard.header("anthropic-beta")),
            (Some("2026-10-21"), Some("a"))
        );
    });
}

/// A stream of Responses that breaks off is told with the numbers that follow those that are out.
#[test]
fn broken_responses_count_on() {
    run(async {
        let anthropic = Origin::start().await;
        let world = World::new(&[model("Anthropic", &anthropic)]);
        let events = (PROVIDERS[1].stream)();
        anthropic.say(Says { whole: false, ..Says::events(events[..4].concat()) });
        let asked = json!({"model": "m", "input": "Hi", "stream": true});
        let answer = world.post("/v1/responses", &asked).await;
        assert!(!answer.whole, "{answer:?}");
        let told = answer.events();
        let numbers: Vec<u64> =
            told.iter().map(|(_, data)| data["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..told.len() as u64).collect::<Vec<_>>());
        let last = &told.last().unwrap().1;
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["id"], told[0].1["response"]["id"]);
    });
}

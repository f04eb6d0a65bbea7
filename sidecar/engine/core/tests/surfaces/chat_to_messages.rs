//! OpenAI's chat on this side, Anthropic's Messages on the other.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::world::{World, model, run};

const PATH: &str = "/v1/chat/completions";

fn ask(stream: bool, more: &Value) -> Value {
    let mut body = json!({
        "model": "gpt-5", "stream": stream, "max_completion_tokens": 100,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn reply() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "cache_read_input_tokens": 60, "output_tokens": 7},
    })
}

/// What the recorded usage costs at the prices of `model`: cache writes at 1.25 and 2 times input.
const COST: u64 = 10 * 1_000 + 20 * 1_250 + 10 * 2_000 + 60 * 100 + 7 * 5_000;

fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

fn stream() -> Vec<String> {
    let text = |text: &str| {
        event(
            "content_block_delta",
            json!({"index": 0, "delta": {"type": "text_delta", "text": text}}),
        )
    };
    let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
    let mut message = reply();
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    message["usage"]["output_tokens"] = json!(1);
    vec![
        event("message_start", json!({"message": message})),
        event("content_block_start", block),
        event("ping", json!({})),
        text("Hel"),
        text("lo."),
        event("content_block_stop", json!({"index": 0})),
        event(
            "message_delta",
            json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": reply()["usage"]}),
        ),
        event("message_stop", json!({})),
    ]
}

/// A plain call goes up in Anthropic's words with its own key, comes down in OpenAI's, and costs what
/// Anthropic bills, cache writes apart.
#[test]
fn a_plain_call() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("Anthropic", &origin)]);
        origin.say(Says::json(200, &reply()));
        let answer = world.post(PATH, &ask(false, &json!({"seed": 1, "x_own": true}))).await;
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/messages HTTP/1.1");
        assert_eq!(asked.header("x-api-key"), Some("sk-Anthropic"));
        assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(asked.header("authorization"), None, "the app's own is never forwarded");
        assert_eq!(asked.body["model"], "Anthropic-upstream");
        assert_eq!(asked.body["max_tokens"], 100);
        assert_eq!(asked.body["messages"][0]["role"], "user");
        assert!(asked.body["system"].to_string().contains("Be brief."));
        let told = answer.json();
        assert_eq!(answer.status, 200, "{told}");
        assert_eq!(told["object"], "chat.completion");
        assert_eq!(told["choices"][0]["message"]["content"], "Hello.");
        assert_eq!(told["choices"][0]["finish_reason"], "stop");
        assert_eq!(told["usage"]["prompt_tokens"], 100);
        assert_eq!(told["usage"]["prompt_tokens_details"]["cached_tokens"], 60);
        let dropped = answer.header("x-pointsman-dropped").unwrap();
        assert!(dropped.contains("seed") && dropped.contains("x_own"), "{dropped}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let record = world.record().await;
        assert_eq!(record["cost"], COST);
        assert_eq!(
            answer.header("x-pointsman-cost").unwrap(),
            format!("0.{COST:012}").trim_end_matches('0')
        );
        assert_eq!((&record["outcome"], &record["endpoint"]), (&json!("ok"), &json!("chat")));
        assert_eq!(record["usage"]["source"], "reported");
    });
}

/// A stream comes down as OpenAI's chunks with its usage where the caller asks for it, and is booked as
/// Anthropic's last report says.
#[test]
fn a_stream() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("Anthropic", &origin)]);
        for asks in [false, true] {
            origin.say(Says::events(stream().concat()));
            let more = json!({"stream_options": {"include_usage": asks}});
            let answer = world.post(PATH, &ask(true, &more)).await;
            assert_eq!(origin.asked().body["stream"], true);
            assert!(answer.status == 200 && answer.whole, "{answer:?}");
            assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
            let events = answer.events();
            assert_eq!(events.last().unwrap().1, "[DONE]");
            let text: String = events
                .iter()
                .filter_map(|(_, chunk)| chunk["choices"][0]["delta"]["content"].as_str())
                .collect();
            assert_eq!(text, "Hello.");
            let usage = events.iter().find(|(_, chunk)| chunk["usage"].is_object());
            assert_eq!(usage.is_some(), asks, "{}", answer.body);
            assert!(usage.is_none_or(|(_, chunk)| chunk["usage"]["completion_tokens"] == 7));
            let record = world.record().await;
            assert_eq!((&record["cost"], &record["outcome"]), (&json!(COST), &json!("ok")));
        }
    });
}

/// I9: cut after any event, or told an error, the stream ends in an error event and a broken body, never in
/// `[DONE]`; before the first content the caller gets an error and nothing else.
#[test]
fn i9_a_cut_stream_never_looks_whole() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("Anthropic", &origin)]);
        let all = stream();
        let error =
            event("error", json!({"error": {"type": "overloaded_error", "message": "Busy"}}));
        for cut in 0..all.len() {
            for whole in [false, true] {
                let told = if whole { error.as_str() } else { "" };
                let body = [&all[..cut].concat(), told].concat();
                origin.say(Says { whole, ..Says::events(body) });
                let answer = world.post(PATH, &ask(true, &json!({}))).await;
                let at = format!("cut at {cut}, error {whole}: {answer:?}");
                assert!(!answer.body.contains("[DONE]"), "{at}");
                let record = world.record().await;
                origin.asked();
                // What is told in one piece with the first content can still be taken elsewhere.
                if cut <= 3 || (whole && answer.status != 200) {
                    assert!(answer.status >= 500 && answer.json()["error"].is_object(), "{at}");
                    continue;
                }
                assert_eq!((answer.status, answer.whole), (200, false), "{at}");
                let events = answer.events();
                let last = &events.last().unwrap().1;
                assert!(last["error"]["message"].is_string(), "{at}");
                assert_eq!(last["error"]["message"] == "Busy", whole, "{at}");
                assert_eq!(record["outcome"], "cut", "{at}");
                assert!(record["cost"].as_u64().unwrap() > 0, "{at}");
            }
        }
    });
}

/// What Anthropic says is wrong goes down in OpenAI's shape with its own words; an overloaded one is
/// passed over.
#[test]
fn errors_in_the_callers_shape() {
    run(async {
        let (origin, other) = (Origin::start().await, Origin::start().await);
        let world = World::new(&[model("Anthropic", &origin), model("OpenAI", &other)]);
        let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"});
        origin.say(Says::json(400, &error("invalid_request_error", "temperature: too hot")));
        let answer = world.post(PATH, &ask(false, &json!({}))).await;
        let told = answer.json();
        assert_eq!(answer.status, 400);
        assert_eq!(told["error"]["message"], "temperature: too hot");
        assert_eq!(told["error"]["type"], "invalid_request_error");
        assert_eq!((origin.asked().line.len() > 1, other.was_asked()), (true, 0));
        origin.say(Says::json(529, &error("overloaded_error", "Overloaded")));
        other.say(Says::json(200, &json!({
            "id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        })));
        let answer = world.post(PATH, &ask(false, &json!({"seed": 7}))).await;
        assert_eq!((answer.status, answer.header("x-pointsman-model")), (200, Some("main/openai")));
        assert_eq!(answer.header("x-pointsman-dropped"), None, "the one that answered took all");
        let asked = other.asked();
        assert_eq!((&asked.body["seed"], asked.header("x-api-key")), (&json!(7), None));
        assert_eq!(asked.header("authorization"), Some("Bearer sk-OpenAI"));
    });
}

/// What Anthropic cannot give at all goes to the candidate that can, unseen by Anthropic; without one the
/// caller is told the member.
#[test]
fn what_cannot_be_said() {
    run(async {
        let (origin, other) = (Origin::start().await, Origin::start().await);
        let alone = World::new(&[model("Anthropic", &origin)]);
        let answer = alone.post(PATH, &ask(false, &json!({"n": 2}))).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["error"]["param"]), (400, &json!("n")), "{told}");
        assert_eq!(told["error"]["code"], "untranslatable");
        assert_eq!(alone.record().await["candidates"][0]["filtered"], "capability");
        let both = World::new(&[model("Anthropic", &origin), model("OpenAI", &other)]);
        let choice = |index| json!({"index": index, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
        other.say(Says::json(
            200,
            &json!({
                "id": "c", "choices": [choice(0), choice(1)],
                "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            }),
        ));
        let answer = both.post(PATH, &ask(false, &json!({"n": 2}))).await;
        assert_eq!((answer.status, origin.was_asked()), (200, 0), "{answer:?}");
        let strict =
            World::with(&[model("Anthropic", &origin)], &json!({"untranslatable": "Refuse"}));
        let answer = strict.post(PATH, &ask(false, &json!({"seed": 1}))).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("seed")));
    });
}

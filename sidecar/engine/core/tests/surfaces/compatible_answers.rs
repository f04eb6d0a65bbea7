//! Servers that are compatible with OpenAI's chat, and differ from it: what they answer, and what callers
//! of every surface get of it. A test is a row of wire.md A8.

use serde_json::{Value, json};

use super::compatible::{DEEPSEEK, GROQ, MISTRAL, OLLAMA, server, world_of};
use super::origin::{Origin, Says};
use super::providers::{COST, PROVIDERS};
use super::surfaces::SURFACES;
use super::world::{Answer, World, model, run};

const CHAT: &str = "/v1/chat/completions";

fn chunk(choices: Value, more: Value) -> String {
    let mut chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "x",
        "choices": choices});
    chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("data: {chunk}\n\n")
}

fn delta(delta: Value, finish: Value) -> String {
    chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), json!({}))
}

fn plain(message: Value, finish: &str) -> Value {
    let mut answer = (PROVIDERS[0].plain)();
    answer["choices"][0] = json!({"index": 0, "message": message, "finish_reason": finish});
    answer
}

const USED: &str = r#"{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":60}}"#;

fn used() -> Value {
    serde_json::from_str(USED).unwrap()
}

/// The stream on every surface: its text, its end, its cost.
async fn everywhere(quirks: &[&str], stream: &str, cost: u64) {
    for surface in SURFACES {
        let (origin, world) = world_of(quirks).await;
        origin.say(Says::events(stream));
        let answer = world.post(&(surface.path)(true), &(surface.body)(true)).await;
        let at = format!("{}: {answer:?}", surface.name);
        assert!(answer.status == 200 && answer.whole && (surface.ended)(&answer), "{at}");
        assert_eq!((surface.streamed)(&answer), "Hello.", "{at}");
        let record = world.record().await;
        assert_eq!((&record["cost"], &record["outcome"]), (&json!(cost), &json!("ok")), "{at}");
    }
}

/// A list of chunks is the text that OpenAI's SDKs read, thoughts beside it; all else is byte for byte.
#[test]
fn a8_mistral_answers_with_lists_of_chunks() {
    run(async {
        let thought = |text: &str| json!([{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]);
        let (origin, world) = world_of(MISTRAL).await;
        let said = json!([thought("Hm.")[0], {"type": "text", "text": "Hello."}]);
        origin.say(Says::json(200, &plain(json!({"role": "assistant", "content": said}), "stop")));
        let answer = world.post(CHAT, &(SURFACES[0].body)(false)).await.json();
        let message = &answer["choices"][0]["message"];
        assert_eq!(
            (&message["content"], &message["reasoning_content"]),
            (&json!("Hello."), &json!("Hm."))
        );
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        let finish = chunk(
            json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]),
            json!({"usage": used()}),
        );
        let before = delta(json!({"role": "assistant", "content": ""}), Value::Null);
        let after = delta(json!({"content": "."}), Value::Null);
        let stream = [
            before.clone(),
            delta(json!({"content": thought("Hm")}), Value::Null),
            delta(json!({"content": thought(".")}), Value::Null),
            delta(json!({"content": text("Hel")}), Value::Null),
            delta(json!({"content": text("lo")}), Value::Null),
            after.clone(),
            finish.clone(),
            "data: [DONE]\n\n".to_owned(),
        ];
        origin.say(Says::events(stream.concat()));
        let answer = world.post(CHAT, &(SURFACES[0].body)(true)).await;
        assert!(answer.body.starts_with(&before), "{answer:?}");
        assert!(
            answer.body.ends_with(&[&after, &finish, "data: [DONE]\n\n"].concat()),
            "{answer:?}"
        );
        let joined = |key: &str| {
            let events = answer.events();
            let deltas =
                events.iter().filter_map(|(_, it)| it["choices"][0]["delta"][key].as_str());
            deltas.collect::<String>()
        };
        assert_eq!(
            (joined("content"), joined("reasoning_content")),
            ("Hello.".into(), "Hm.".into())
        );
        // Thoughts stand apart where a surface shows them; here it is the text that counts.
        let silent: Vec<String> = [&stream[..1], &stream[3..]].concat();
        everywhere(MISTRAL, &silent.concat(), COST).await;
    });
}

/// `model_length` is a cut text, `error` is no answer: the call goes on elsewhere, or is told.
#[test]
fn a8_mistral_and_openrouter_finish_with_error() {
    run(async {
        for (surface, stream) in SURFACES.iter().flat_map(|it| [(it, false), (it, true)]) {
            let (first, other) = (Origin::start().await, Origin::start().await);
            let world = World::new(&[server(MISTRAL, &first), model("OpenAI", &other)]);
            let broken = json!({"role": "assistant", "content": "Hel"});
            if stream {
                first.say(Says::events(delta(
                    json!({"role": "assistant", "content": ""}),
                    json!("error"),
                )));
                other.say(Says::events((PROVIDERS[0].stream)().concat()));
            } else {
                first.say(Says::json(200, &plain(broken, "error")));
                other.say(Says::json(200, &(PROVIDERS[0].plain)()));
            }
            let answer = world.post(&(surface.path)(stream), &(surface.body)(stream)).await;
            let at = format!("{}: {answer:?}", surface.name);
            assert_eq!((first.was_asked(), other.was_asked()), (1, 1), "{at}");
            let text =
                if stream { (surface.streamed)(&answer) } else { (surface.said)(&answer.json()) };
            assert_eq!(text, "Hello.", "{at}");
        }
        let (origin, world) = world_of(MISTRAL).await;
        let cut = plain(json!({"role": "assistant", "content": "Hel"}), "model_length");
        origin.say(Says::json(200, &cut));
        let answer = world.post("/v1/messages", &(SURFACES[2].body)(false)).await.json();
        assert_eq!(answer["stop_reason"], "model_context_window_exceeded");
    });
}

/// Usage stands in `x_groq` of the last chunk, and is what is booked.
#[test]
fn a8_groq_tells_usage_in_x_groq() {
    run(async {
        let stream = [
            delta(json!({"role": "assistant", "content": ""}), Value::Null),
            delta(json!({"content": "Hello."}), Value::Null),
            chunk(
                json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
                json!({"x_groq": {"id": "req_1", "usage": used()}}),
            ),
            "data: [DONE]\n\n".to_owned(),
        ];
        everywhere(GROQ, &stream.concat(), COST).await;
    });
}

/// `x_groq.error` and OpenRouter's top-level `error` with `finish_reason: "error"`, in mid-stream: told in
/// the surface's own words, with the provider's, and without an end.
#[test]
fn a8_groq_and_openrouter_break_off_in_mid_stream() {
    run(async {
        let error =
            json!({"code": 502, "message": "The far provider is gone.", "type": "server_error"});
        let groq = chunk(json!([]), json!({"x_groq": {"id": "req_1", "error": error}}));
        let openrouter = chunk(
            json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]),
            json!({"error": error}),
        );
        for last in [groq, openrouter] {
            for surface in SURFACES {
                let (origin, world) = world_of(GROQ).await;
                let said = delta(json!({"role": "assistant", "content": "Hel"}), Value::Null);
                let says = Says::events([&said, &last, "data: [DONE]\n\n"].concat());
                origin.say(Says { pause_at: said.len(), ..says });
                let answer = world.post(&(surface.path)(true), &(surface.body)(true)).await;
                let at = format!("{}: {answer:?}", surface.name);
                assert!(
                    !answer.whole && (surface.told)(&answer) && !(surface.ended)(&answer),
                    "{at}"
                );
                assert!(answer.body.contains("The far provider is gone."), "{at}");
                assert_eq!(world.record().await["outcome"], "cut", "{at}");
            }
        }
    });
}

/// Comments and blank lines while a call is queued; what its cache gave is booked at the cache's price.
#[test]
fn a8_deepseek_and_openrouter_queue() {
    run(async {
        let mut usage = used();
        usage.as_object_mut().unwrap().remove("prompt_tokens_details");
        usage["prompt_cache_hit_tokens"] = json!(60);
        usage["prompt_cache_miss_tokens"] = json!(40);
        for comment in [": keep-alive\n\n", ": OPENROUTER PROCESSING\n\n"] {
            let stream = [
                comment.repeat(40),
                delta(json!({"role": "assistant", "content": ""}), Value::Null),
                comment.to_owned(),
                delta(json!({"content": "Hello."}), Value::Null),
                delta(json!({"content": ""}), json!("stop")),
                chunk(json!([]), json!({"usage": usage})),
                "data: [DONE]\n\n".to_owned(),
            ];
            everywhere(DEEPSEEK, &stream.concat(), COST).await;
        }
        for surface in SURFACES {
            let (origin, world) = world_of(DEEPSEEK).await;
            let mut answer = (PROVIDERS[0].plain)();
            answer["usage"] = usage.clone();
            let body = format!("{}{answer}", "\n".repeat(300)).into_bytes();
            origin.say(Says { body, ..Says::json(200, &Value::Null) });
            let got = world.post(&(surface.path)(false), &(surface.body)(false)).await;
            assert_eq!((surface.said)(&got.json()), "Hello.", "{}: {got:?}", surface.name);
            assert_eq!(world.record().await["cost"], COST, "{}", surface.name);
        }
    });
}

fn called(answer: &Answer) -> Vec<(u64, String, String)> {
    let mut calls: Vec<(u64, String, String)> = Vec::new();
    for (_, event) in answer.events() {
        let list = event["choices"][0]["delta"]["tool_calls"].as_array().cloned();
        for call in list.unwrap_or_default() {
            let index = call["index"].as_u64().unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if call["id"].is_string() {
                let name = text(&call["function"]["name"]);
                calls.push((index, name, text(&call["function"]["arguments"])));
            } else {
                let last = calls.iter_mut().rev().find(|(at, ..)| *at == index).unwrap();
                last.2.push_str(&text(&call["function"]["arguments"]));
            }
        }
    }
    calls
}

/// Calls that come whole have indices of their own, and the answer ends with them, as SDKs expect.
#[test]
fn a8_ollama_streams_calls_at_index_0_and_stops() {
    run(async {
        let call = |id: &str, name: &str| {
            json!({"tool_calls": [{"index": 0, "id": id, "type": "function",
                "function": {"name": name, "arguments": "{\"at\":1}"}}]})
        };
        let stream = [
            delta(json!({"role": "assistant", "content": ""}), Value::Null),
            delta(call("call_a", "look"), Value::Null),
            delta(call("call_b", "go"), Value::Null),
            delta(json!({"content": ""}), json!("stop")),
            "data: [DONE]\n\n".to_owned(),
        ];
        let (origin, world) = world_of(OLLAMA).await;
        origin.say(Says::events(stream.concat()));
        let answer = world.post(CHAT, &(SURFACES[0].body)(true)).await;
        let whole = r#"{"at":1}"#.to_owned();
        assert_eq!(called(&answer), [(0, "look".into(), whole.clone()), (1, "go".into(), whole)]);
        assert!(answer.body.contains(r#""finish_reason":"tool_calls""#), "{answer:?}");
        assert!(answer.body.starts_with(&stream[..2].concat()), "what is right stays: {answer:?}");
        origin.asked();
        // The pieces of a second call follow it.
        let piece =
            |text: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]});
        let mut begun = call("call_b", "go");
        begun["tool_calls"][0]["function"]["arguments"] = json!("");
        let mut pieces = stream.to_vec();
        pieces.splice(
            2..3,
            [begun, piece("{\"at\""), piece(":1"), piece("}")].map(|it| delta(it, Value::Null)),
        );
        origin.say(Says::events(pieces.concat()));
        let answer = world.post(CHAT, &(SURFACES[0].body)(true)).await;
        assert_eq!(called(&answer)[1], (1, "go".into(), r#"{"at":1}"#.into()));
        origin.asked();
        origin.say(Says::events(stream.concat()));
        let answer = world.post("/v1/messages", &(SURFACES[2].body)(true)).await;
        let opened =
            answer.events().iter().filter(|(name, _)| name == "content_block_start").count();
        assert!(opened == 2 && answer.body.contains(r#""stop_reason":"tool_use""#), "{answer:?}");
        origin.asked();
        let mut message = call("call_a", "look");
        message["role"] = json!("assistant");
        origin.say(Says::json(200, &plain(message, "stop")));
        let answer = world.post(CHAT, &(SURFACES[0].body)(false)).await;
        assert_eq!(answer.json()["choices"][0]["finish_reason"], "tool_calls");
    });
}

/// `reasoning` and `reasoning_content` are the same thing; both reach other surfaces as thoughts.
#[test]
fn a8_vllm_calls_thoughts_reasoning() {
    run(async {
        for key in ["reasoning", "reasoning_content"] {
            let (origin, world) = world_of(&[]).await;
            let mut message = json!({"role": "assistant", "content": "Hello."});
            message[key] = json!("Hm.");
            origin.say(Says::json(200, &plain(message, "stop")));
            let answer = world.post("/v1/messages", &(SURFACES[2].body)(false)).await.json();
            assert_eq!(
                (&answer["content"][0]["thinking"], &answer["content"][1]["text"]),
                (&json!("Hm."), &json!("Hello."))
            );
            origin.asked();
            let mut thought = json!({"role": "assistant", "content": null});
            thought[key] = json!("Hm.");
            let stream = [
                delta(thought, Value::Null),
                delta(json!({"content": "Hello."}), Value::Null),
                delta(json!({}), json!("stop")),
                "data: [DONE]\n\n".to_owned(),
            ];
            origin.say(Says::events(stream.concat()));
            let answer = world.post("/v1/messages", &(SURFACES[2].body)(true)).await;
            assert!(
                answer.body.contains(r#""thinking":"Hm.""#) && (SURFACES[2].ended)(&answer),
                "{answer:?}"
            );
        }
    });
}

/// `delta: null` at the end, two usage chunks of which the last counts, zeros that are values, CRLF, data
/// over several lines, and text that is no ASCII: on every surface.
#[test]
fn a8_any_server_frames_oddly() {
    run(async {
        let zeros = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
        let stream = |usage: Value| {
            let said =
                delta(json!({"content": "Hello."}), Value::Null).replace(",\"", ",\ndata: \"");
            [
                delta(json!({"role": "assistant", "content": ""}), Value::Null),
                said,
                chunk(json!([{"index": 0, "delta": null, "finish_reason": "stop"}]), json!({})),
                chunk(json!([]), json!({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})),
                chunk(json!([]), json!({"usage": usage})),
                "data: [DONE]\n\n".to_owned(),
            ]
            .concat()
        };
        everywhere(&[], &stream(used()), COST).await;
        everywhere(&[], &stream(used()).replace('\n', "\r\n"), COST).await;
        everywhere(&[], &stream(zeros), 0).await;
    });
}

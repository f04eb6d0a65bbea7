//! Servers that are compatible with OpenAI's chat, and differ from it: what each is asked. A test is a row
//! of wire.md A8; what they answer is in `compatible_answers`.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::PROVIDERS;
use super::surfaces::SURFACES;
use super::world::{World, model, run};

/// The differences, as the catalogue gives them to each profile.
pub(crate) const MISTRAL: &[&str] =
    &["AnyTool", "ContentLists", "NoOthers", "OneCap", "RandomSeed", "ShortIds", "SystemRole"];
pub(crate) const GROQ: &[&str] = &["GroqTiers"];
pub(crate) const DEEPSEEK: &[&str] = &["OneCap", "SystemRole", "ThoughtsBack"];
pub(crate) const OLLAMA: &[&str] = &["OneCap", "OneIndex", "SystemRole"];

/// A server with these differences.
pub(crate) fn server(quirks: &[&str], origin: &Origin) -> Value {
    let mut model = model("OpenAICompatible", origin);
    model["provider"]["capField"] = json!("max_tokens");
    // Of a newer compiler: one that we do not know is no use to us.
    model["provider"]["quirks"] = json!([quirks, &["OfTomorrow"]].concat());
    model
}

pub(crate) async fn world_of(quirks: &[&str]) -> (Origin, World) {
    let origin = Origin::start().await;
    let world = World::new(&[server(quirks, &origin)]);
    (origin, world)
}

/// What a server is sent for this chat, and what its caller is told of it.
async fn asked(quirks: &[&str], body: &Value) -> (Value, Option<String>) {
    let (origin, world) = world_of(quirks).await;
    origin.say(Says::json(200, &(PROVIDERS[0].plain)()));
    let answer = world.post("/v1/chat/completions", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (origin.asked().body, answer.header("x-pointsman-dropped").map(str::to_owned))
}

const TOOLS: &str =
    r#"[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#;

/// A turn that called a tool, as OpenAI's SDK writes down what it got.
fn conversation() -> Value {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
    json!([
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "Ann", "content": "Look."},
        {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
            "function_call": null, "reasoning_content": "Hm.",
            "tool_calls": [call("call_abcdefghijklmnopqrstuvwx"), call("D681PevKs")]},
        {"role": "tool", "tool_call_id": "call_abcdefghijklmnopqrstuvwx", "name": "look", "content": "a"},
        {"role": "tool", "tool_call_id": "D681PevKs", "content": "b"},
    ])
}

/// `random_seed`, `any`, ids of nine letters or digits, no developer, no member that it refuses, one name
/// of the cap; what is left out is said, what says nothing is not.
#[test]
fn a8_mistral_is_asked_in_its_own_words() {
    run(async {
        let body = json!({
            "model": "m", "messages": conversation(), "seed": 7, "tool_choice": "required",
            "tools": serde_json::from_str::<Value>(TOOLS).unwrap(), "max_completion_tokens": 50,
            "user": "u", "logprobs": false, "store": null, "parallel_tool_calls": true,
            "safe_prompt": true, "temperature": 0.5,
        });
        let (sent, dropped) = asked(MISTRAL, &body).await;
        assert_eq!(dropped.unwrap(), "user, messages[1].name, messages[2].reasoning_content");
        let mut expected = body.clone();
        expected["model"] = json!("OpenAICompatible-upstream");
        let members = expected.as_object_mut().unwrap();
        for gone in ["user", "logprobs", "store", "seed", "max_completion_tokens"] {
            members.remove(gone);
        }
        members.insert("random_seed".to_owned(), json!(7));
        members.insert("max_tokens".to_owned(), json!(50));
        members.insert("tool_choice".to_owned(), json!("any"));
        let id = sent["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        let messages = expected["messages"].as_array_mut().unwrap();
        messages[0]["role"] = json!("system");
        messages[1].as_object_mut().unwrap().remove("name");
        messages[2]["tool_calls"][0]["id"] = json!(id);
        messages[3]["tool_call_id"] = json!(id);
        for gone in ["refusal", "annotations", "audio", "function_call", "reasoning_content"] {
            messages[2].as_object_mut().unwrap().remove(gone);
        }
        assert_eq!(sent, expected);
    });
}

/// Usage comes in the last chunk without being asked for, and asking is a 422: on every surface.
#[test]
fn a8_mistral_is_never_asked_for_usage() {
    run(async {
        for surface in SURFACES {
            let (origin, world) = world_of(MISTRAL).await;
            let mut body = (surface.body)(true);
            if surface.name == "chat" {
                body["stream_options"] = json!({"include_usage": true});
            }
            origin.say(Says::events((PROVIDERS[0].stream)().concat()));
            let answer = world.post(&(surface.path)(true), &body).await;
            assert_eq!((surface.streamed)(&answer), "Hello.", "{}: {answer:?}", surface.name);
            let sent = origin.asked().body;
            assert_eq!((&sent["stream"], &sent["stream_options"]), (&json!(true), &Value::Null));
            assert_eq!(answer.header("x-pointsman-dropped"), None, "{}", surface.name);
        }
    });
}

/// Other surfaces' calls have ids that Mistral takes, and the same wherever they stand.
#[test]
fn a8_mistral_behind_another_surface() {
    run(async {
        let (origin, world) = world_of(MISTRAL).await;
        let call = json!({"type": "tool_use", "id": "toolu_01ABCDEFGHIJKLMNOP", "name": "look", "input": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_01ABCDEFGHIJKLMNOP", "content": "a"});
        let body = json!({
            "model": "m", "max_tokens": 50, "tool_choice": {"type": "any"},
            "tools": [{"name": "look", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": "Look."}, {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ],
        });
        origin.say(Says::json(200, &(PROVIDERS[0].plain)()));
        assert_eq!(world.post("/v1/messages", &body).await.status, 200);
        let sent = origin.asked().body;
        assert_eq!((&sent["tool_choice"], &sent["max_tokens"]), (&json!("any"), &json!(50)));
        let id = &sent["messages"][1]["tool_calls"][0]["id"];
        assert_eq!(id.as_str().unwrap().len(), 9);
        assert_eq!(&sent["messages"][2]["tool_call_id"], id);
    });
}

/// A rule that takes no candidate that loses anything passes it over for one that does not.
#[test]
fn a8_mistral_is_passed_over_where_nothing_may_be_lost() {
    run(async {
        let (mistral, other) = (Origin::start().await, Origin::start().await);
        let models = [server(MISTRAL, &mistral), model("OpenAI", &other)];
        let world = World::with(&models, &json!({"untranslatable": "Refuse"}));
        let mut body = (SURFACES[0].body)(false);
        mistral.say(Says::json(200, &(PROVIDERS[0].plain)()));
        assert_eq!(world.post("/v1/chat/completions", &body).await.status, 200);
        assert_eq!(mistral.was_asked(), 1, "nothing is lost");
        body["logit_bias"] = json!({"5": 1});
        other.say(Says::json(200, &(PROVIDERS[0].plain)()));
        assert_eq!(world.post("/v1/chat/completions", &body).await.status, 200);
        assert_eq!(other.asked().body["logit_bias"], json!({"5": 1}));
        let world = World::with(&models[..1], &json!({"untranslatable": "Refuse"}));
        let refused = world.post("/v1/chat/completions", &body).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]["param"]),
            (400, &json!("logit_bias"))
        );
    });
}

/// Its tiers have names of its own; the rest of the request is the caller's, `reasoning_format` too.
#[test]
fn a8_groq_has_tiers_of_its_own() {
    run(async {
        let tiers = [
            ("default", "on_demand"),
            ("priority", "performance"),
            ("flex", "flex"),
            ("auto", "auto"),
        ];
        for (ours, theirs) in tiers {
            let mut body = (SURFACES[0].body)(false);
            body["service_tier"] = json!(ours);
            body["reasoning_format"] = json!("parsed");
            body["max_completion_tokens"] = json!(9);
            let (sent, dropped) = asked(GROQ, &body).await;
            body["service_tier"] = json!(theirs);
            body["model"] = json!("OpenAICompatible-upstream");
            assert_eq!((sent, dropped), (body, None));
        }
    });
}

/// The cap has one name, whatever the caller called it: one that is ignored would bound no bill.
#[test]
fn a8_deepseek_together_and_ollama_have_one_cap_and_no_developer() {
    run(async {
        for quirks in [DEEPSEEK, OLLAMA, &["OneCap", "SystemRole"][..]] {
            let mut body = (SURFACES[0].body)(false);
            body["messages"][0]["role"] = json!("developer");
            body["max_completion_tokens"] = json!(9);
            body["max_tokens"] = json!(4_000);
            let (sent, _) = asked(quirks, &body).await;
            assert_eq!(
                (&sent["max_tokens"], &sent["max_completion_tokens"]),
                (&json!(9), &Value::Null)
            );
            assert_eq!(sent["messages"][0]["role"], "system");
        }
        let mut body = (SURFACES[0].body)(false);
        body["max_completion_tokens"] = json!(9);
        let (sent, _) = asked(&[], &body).await;
        assert_eq!(
            sent["max_completion_tokens"], 9,
            "of a server that nobody knows nothing is changed"
        );
    });
}

/// In thinking mode its own thoughts come back with the tool calls that they led to, also from callers of
/// other surfaces; another maker's do not, nor those that led to none.
#[test]
fn a8_deepseek_gets_its_thoughts_back() {
    run(async {
        let (origin, world) = world_of(DEEPSEEK).await;
        let turn = |signature: &str| {
            json!([
                {"type": "thinking", "thinking": "I should look.", "signature": signature},
                {"type": "tool_use", "id": "call_1", "name": "look", "input": {}},
            ])
        };
        let body = |content: Value| {
            let result = json!({"type": "tool_result", "tool_use_id": "call_1", "content": "a"});
            json!({"model": "m", "max_tokens": 50, "messages": [
                {"role": "user", "content": "Look."}, {"role": "assistant", "content": content},
                {"role": "user", "content": [result]},
            ]})
        };
        for (content, back) in
            [(turn(""), json!("I should look.")), (turn("EqQBCkYIAhgCIkA"), Value::Null)]
        {
            origin.say(Says::json(200, &(PROVIDERS[0].plain)()));
            let answer = world.post("/v1/messages", &body(content)).await;
            assert_eq!(origin.asked().body["messages"][1]["reasoning_content"], back);
            let dropped = answer.header("x-pointsman-dropped");
            assert_eq!(dropped.is_some(), back.is_null(), "{dropped:?}");
        }
        let alone = json!([
            {"type": "thinking", "thinking": "Done.", "signature": ""}, {"type": "text", "text": "Yes."},
        ]);
        let body = json!({"model": "m", "max_tokens": 50, "messages": [
            {"role": "user", "content": "Look."}, {"role": "assistant", "content": alone},
            {"role": "user", "content": "Sure?"},
        ]});
        origin.say(Says::json(200, &(PROVIDERS[0].plain)()));
        world.post("/v1/messages", &body).await;
        assert_eq!(origin.asked().body["messages"][1].get("reasoning_content"), None);
        // A caller of its own format keeps them itself.
        let (sent, _) = asked(DEEPSEEK, &json!({"model": "m", "messages": conversation()})).await;
        assert_eq!(sent["messages"][2]["reasoning_content"], "Hm.");
    });
}

/// Members that only such a server knows pass: guided decoding, structured outputs, usage on every chunk.
#[test]
fn a8_vllm_gets_its_extras() {
    run(async {
        let mut body = (SURFACES[0].body)(false);
        body["guided_json"] = json!({"type": "object"});
        body["structured_outputs"] = json!({"regex": "a|b"});
        body["chat_template_kwargs"] = json!({"enable_thinking": false});
        body["stream_options"] = json!({"include_usage": true, "continuous_usage_stats": true});
        let (sent, dropped) = asked(&[], &body).await;
        body["model"] = json!("OpenAICompatible-upstream");
        assert_eq!((sent, dropped), (body, None));
    });
}

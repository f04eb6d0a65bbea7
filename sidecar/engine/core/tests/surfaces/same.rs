//! The same format on both sides: bytes pass, and what a caller of the format needs besides.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::PROVIDERS;
use super::surfaces::SURFACES;
use super::world::{World, model, run};

const PAIRS: [(&str, &str); 2] = [("messages", "Anthropic"), ("gemini", "Gemini")];

/// Unknown members go up, unknown members and events come down, and a stream's bytes are the provider's.
#[test]
fn bytes_pass_unchanged() {
    run(async {
        for (name, kind) in PAIRS {
            let surface = SURFACES.iter().find(|it| it.name == name).unwrap();
            let provider = PROVIDERS.iter().find(|it| it.kind == kind).unwrap();
            let origin = Origin::start().await;
            let world = World::new(&[model(kind, &origin)]);
            let mut body = (surface.body)(false);
            body["x_own"] = json!({"kept": [1, 2.50]});
            let mut plain = (provider.plain)();
            plain["x_own"] = json!("kept");
            origin.say(Says::json(200, &plain));
            let answer = world.post(&(surface.path)(false), &body).await;
            assert_eq!(answer.json(), plain, "{name}");
            assert_eq!(origin.asked().body["x_own"], body["x_own"], "{name}");
            assert_eq!(answer.header("x-pointsman-dropped"), None);
            let stream = (provider.stream)().concat();
            origin.say(Says::events(stream.clone()));
            let answer = world.post(&(surface.path)(true), &(surface.body)(true)).await;
            assert_eq!(answer.body.as_bytes(), stream, "{name}");
            origin.asked();
        }
    });
}

/// Anthropic's own headers reach Anthropic alone, in both directions.
#[test]
fn anthropics_headers() {
    run(async {
        let (origin, other) = (Origin::start().await, Origin::start().await);
        let headers = "anthropic-version: 2026-10-21\r\nanthropic-beta: a\r\nanthropic-beta: b\r\n";
        let body = (SURFACES.iter().find(|it| it.name == "messages").unwrap().body)(false);
        let world = World::new(&[model("Anthropic", &origin)]);
        origin.say(Says::json(200, &(PROVIDERS[1].plain)()));
        let answer = world.send("/v1/messages?beta=true", headers, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let asked = origin.asked();
        let betas: Vec<&str> = asked
            .headers
            .iter()
            .filter(|(name, _)| name == "anthropic-beta")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(
            (asked.header("anthropic-version"), betas),
            (Some("2026-10-21"), vec!["a", "b"])
        );
        assert_eq!(answer.header("request-id"), answer.header("x-pointsman-request-id"));
        let world = World::new(&[model("OpenAI", &other)]);
        other.say(Says::json(200, &(PROVIDERS[0].plain)()));
        world.send("/v1/messages", headers, &body).await;
        let asked = other.asked();
        assert!(asked.headers.iter().all(|(name, _)| !name.starts_with("anthropic-")), "{asked:?}");
    });
}

/// Tokens are counted by the provider where it can, by us elsewhere; neither costs anything.
#[test]
fn counts_of_tokens() {
    run(async {
        let origin = Origin::start().await;
        let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
        let body = json!({
            "model": "m", "tools": tools, "messages": [{"role": "user", "content": "Hi ".repeat(100)}],
        });
        let world = World::new(&[model("Anthropic", &origin)]);
        origin.say(Says::json(200, &json!({"input_tokens": 123})));
        let answer = world.post("/v1/messages/count_tokens?beta=true", &body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"input_tokens": 123})));
        assert_eq!(origin.asked().line, "POST /v1/messages/count_tokens HTTP/1.1");
        assert_eq!(world.record().await["cost"], 0);
        let world = World::new(&[model("OpenAI", &origin)]);
        let answer = world.post("/v1/messages/count_tokens", &body).await;
        let told = answer.json()["input_tokens"].as_u64().unwrap();
        assert!((90..250).contains(&told), "{told}");
        assert_eq!((origin.was_asked(), &world.record().await["cost"]), (0, &json!(0)));
        let body = json!({"contents": [{"parts": [{"text": "Hi ".repeat(100)}]}]});
        let answer = world.post("/v1beta/models/m:countTokens", &body).await;
        let told: Value = answer.json();
        assert!(told["totalTokens"].as_u64().unwrap() > 70, "{told}");
    });
}

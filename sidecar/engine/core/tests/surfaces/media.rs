//! Sound and images: they pass through, the model's name but for, and are billed by what is reported.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::world::{Answer, World, model, run};

const HEARD: &str = "/v1/audio/transcriptions";
const SAID: &str = "/v1/audio/speech";
const DRAWN: &str = "/v1/images/generations";

fn hearing(kind: &str, origin: &Origin) -> Value {
    let mut model = model(kind, origin);
    model["capabilities"] = json!(["transcription", "speech", "images"]);
    model["pricing"] =
        json!({"input": 1_000, "output": 5_000, "media": {"input": 3_000, "output": 9_000}});
    model
}

async fn world() -> (Origin, World) {
    let origin = Origin::start().await;
    let world = World::new(&[hearing("OpenAI", &origin)]);
    (origin, world)
}

/// A form whose file comes before its words, as some SDKs write them.
fn form(more: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n{}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n{more}--b--\r\n",
        "x".repeat(700)
    )
}

fn part(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

async fn send(world: &World, form: &str) -> Answer {
    let kind = "content-type: multipart/form-data; boundary=b\r\n";
    world.request("POST", HEARD, kind, form.as_bytes()).await
}

/// The form is the caller's own, byte for byte, but for the model's name; tokens of sound have their own
/// price.
#[test]
fn forms_pass_with_another_name() {
    run(async {
        let (origin, world) = world().await;
        let details = json!({"text_tokens": 4, "audio_tokens": 10});
        let usage = json!({"type": "tokens", "input_tokens": 14, "input_token_details": details,
            "output_tokens": 3, "total_tokens": 17});
        let reply = json!({"text": "Hi", "usage": usage});
        origin.say(Says::json(200, &reply));
        let answer = send(&world, &form(&part("prompt", "trains"))).await;
        assert_eq!((answer.status, answer.json()), (200, reply));
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/audio/transcriptions HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some("Bearer sk-OpenAI"));
        assert_eq!(asked.header("content-type"), Some("multipart/form-data; boundary=b"));
        let sent =
            form(&part("prompt", "trains")).replace("\r\n\r\nm\r\n", "\r\n\r\nOpenAI-upstream\r\n");
        assert_eq!(asked.body, json!(sent));
        let record = world.record().await;
        assert_eq!(record["cost"], 4 * 1_000 + 10 * 3_000 + 3 * 5_000, "{record}");
        assert_eq!(
            (&record["endpoint"], &record["usage"]["source"]),
            (&json!("transcriptions"), &json!("reported"))
        );
    });
}

/// What says nothing of its cost is booked by the most that it can be: never as nothing.
#[test]
fn silence_is_no_bill() {
    run(async {
        let (origin, world) = world().await;
        let text = Says { kind: "text/plain", ..Says::json(200, &json!("")) };
        origin.say(Says { body: b"WEBVTT\n\nHi\n".to_vec(), ..text });
        let answer = send(&world, &form(&part("response_format", "vtt"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let record = world.record().await;
        // 700 bytes are two seconds at most: 100 tokens of sound, and what can be said in them.
        assert_eq!(record["cost"], 100 * 3_000 + (2 * 32 + 256) * 5_000, "{record}");
        assert_eq!(record["usage"]["source"], "estimated");
        // Seconds are nothing to a model that is billed by the token.
        let usage = json!({"type": "duration", "seconds": 1});
        origin.say(Says::json(200, &json!({"text": "Hi", "usage": usage})));
        send(&world, &form("")).await;
        let record = world.record().await;
        assert_eq!(record["usage"]["source"], "estimated", "{record}");
    });
}

/// A model that is billed by what is counted: seconds here, and images.
#[test]
fn units() {
    run(async {
        let origin = Origin::start().await;
        let mut whisper = hearing("OpenAI", &origin);
        whisper["pricing"] = json!({"input": 0, "output": 0, "media": {"unit": 100}});
        let world = World::new(&[whisper]);
        let usage = json!({"type": "duration", "seconds": 2});
        origin.say(Says::json(200, &json!({"text": "Hi", "usage": usage})));
        send(&world, &form("")).await;
        assert_eq!(world.record().await["cost"], 200);
        let two = json!({"created": 1, "data": [{"url": "a"}, {"url": "b"}]});
        origin.say(Says::json(200, &two));
        world.post(DRAWN, &json!({"model": "m", "prompt": "a train", "n": 2})).await;
        assert_eq!(world.record().await["cost"], 200);
        origin.say(Says { kind: "audio/mpeg", ..Says::json(200, &json!("sound")) });
        world.post(SAID, &json!({"model": "m", "input": "Züge", "voice": "alloy"})).await;
        assert_eq!(world.record().await["cost"], 400, "by the character, not the byte");
    });
}

/// Events of what is heard end after the last one, whose usage is billed; without it the stream was cut.
#[test]
fn streams() {
    run(async {
        let (origin, world) = world().await;
        let delta = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hi\"}\n\n";
        let done = "data: {\"type\":\"transcript.text.done\",\"text\":\"Hi\",\"usage\":{\"type\":\"tokens\",\
            \"input_tokens\":10,\"output_tokens\":1,\"input_token_details\":{\"audio_tokens\":10}}}\n\n";
        let streamed = form(&part("stream", "true"));
        origin.say(Says::events(format!("{delta}{done}")));
        let answer = send(&world, &streamed).await;
        assert_eq!((answer.status, answer.body.clone()), (200, format!("{delta}{done}")));
        let record = world.record().await;
        assert_eq!(
            (&record["cost"], &record["stream"]),
            (&json!(10 * 3_000 + 5_000), &json!(true))
        );
        origin.say(Says::events(delta));
        let answer = send(&world, &streamed).await;
        assert!(answer.body.clone().contains("\"error\""), "{answer:?}");
        let record = world.record().await;
        assert_eq!(record["outcome"], "cut", "{record}");
        assert!(record["cost"].as_u64().unwrap() > 35_000, "the most that it can be: {record}");
    });
}

/// Sound goes down as it comes; what nobody can play goes to the next candidate.
#[test]
fn sound() {
    run(async {
        let (first, second) = (Origin::start().await, Origin::start().await);
        let world = World::new(&[hearing("OpenAI", &first), hearing("OpenAICompatible", &second)]);
        first.say(Says { kind: "text/html", ..Says::json(200, &json!("sorry")) });
        first.say(Says { kind: "text/html", ..Says::json(200, &json!("sorry")) });
        second.say(Says {
            kind: "audio/mpeg",
            body: b"ID3}".to_vec(),
            ..Says::json(200, &json!(""))
        });
        let asked = json!({"model": "m", "input": "Hello", "voice": "alloy"});
        let answer = world.post(SAID, &asked).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/mpeg")));
        let mut sent = asked;
        sent["model"] = json!("OpenAICompatible-upstream");
        let heard = second.asked();
        assert_eq!((heard.line.as_str(), heard.body), ("POST /v1/audio/speech HTTP/1.1", sent));
        assert_eq!(world.record().await["outcome"], "ok");
    });
}

/// Nobody else makes sound or images: such a model is no candidate, and the error says what is missing.
#[test]
fn nobody_else() {
    run(async {
        let origin = Origin::start().await;
        let world = World::new(&[model("OpenAI", &origin)]);
        let answer = world.post(DRAWN, &json!({"model": "m", "prompt": "a train"})).await;
        let error = answer.json()["error"].clone();
        assert!(error["message"].as_str().unwrap().contains("images"), "{error}");
        let world = World::new(&[hearing("Gemini", &origin)]);
        let answer = world.post(DRAWN, &json!({"model": "m", "prompt": "a train"})).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (400, &json!("untranslatable"))
        );
        assert_eq!(origin.was_asked(), 0);
        let answer = world.post(DRAWN, &json!({"prompt": "a train"})).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    });
}

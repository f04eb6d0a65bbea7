//! Vectors of every provider that has them, to both surfaces, billed by what the provider says.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::world::{Answer, World, model, run};

const OPENAI: &str = "/v1/embeddings";
const ONE: &str = "/v1beta/models/m:embedContent";
const BATCH: &str = "/v1/models/m:batchEmbedContents";

async fn world(kind: &str, upstream: &str) -> (Origin, World) {
    let origin = Origin::start().await;
    let mut model = model(kind, &origin);
    model["capabilities"] = json!(["embeddings", "vision"]);
    model["provider"]["model"] = json!(upstream);
    let world = World::new(&[model]);
    (origin, world)
}

fn input(input: Value) -> Value {
    json!({"model": "m", "input": input})
}

fn batch(texts: &[&str]) -> Value {
    let one = |text: &&str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}});
    json!({"requests": texts.iter().map(one).collect::<Vec<_>>()})
}

async fn billed(world: &World, answer: &Answer, tokens: u64) {
    let record = world.record().await;
    let at = format!("{answer:?} {record}");
    assert_eq!((answer.status, &record["outcome"]), (200, &json!("ok")), "{at}");
    assert_eq!(record["cost"], tokens * 1_000, "{at}");
    assert_eq!(
        (&record["endpoint"], &record["usage"]["source"]),
        (&json!("embeddings"), &json!("reported")),
        "{at}"
    );
}

/// OpenAI's SDKs ask for base64 where the app asked for nothing: Gemini's numbers come back as that.
#[test]
fn openai_to_gemini() {
    run(async {
        let (origin, world) = world("Gemini", "gemini-embedding-001").await;
        let reply = json!({"embeddings": [{"values": [1, -0.5]}, {"values": [0.1, 0]}],
            "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}});
        origin.say(Says::json(200, &reply));
        let mut asked = input(json!(["a", "b"]));
        asked["encoding_format"] = json!("base64");
        asked["user"] = json!("u");
        let answer = world.post(OPENAI, &asked).await;
        billed(&world, &answer, 4).await;
        let told = answer.json();
        assert_eq!(told["data"][0]["embedding"], "AACAPwAAAL8=");
        assert_eq!(
            (&told["data"][1]["index"], &told["usage"]["prompt_tokens"]),
            (&json!(1), &json!(4))
        );
        assert_eq!(answer.header("x-pointsman-dropped"), Some("user"));
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/models/gemini-embedding-001:batchEmbedContents HTTP/1.1");
        assert_eq!(asked.header("x-goog-api-key"), Some("sk-Gemini"));
        assert_eq!(asked.body["requests"][1]["content"]["parts"][0]["text"], "b");
        assert_eq!(asked.body["requests"][0]["model"], "models/gemini-embedding-001");
    });
}

/// Google's SDKs reach OpenAI's models by either call, and get their own shape back.
#[test]
fn gemini_to_openai() {
    run(async {
        let (origin, world) = world("OpenAI", "text-embedding-3-small").await;
        let element = |index: u32, vector: Value| json!({"object": "embedding", "index": index, "embedding": vector});
        let reply = |data: Value| {
            json!({"object": "list", "model": "e", "data": data,
            "usage": {"prompt_tokens": 5, "total_tokens": 5}})
        };
        origin.say(Says::json(200, &reply(json!([element(0, json!([1, 2]))]))));
        let one = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2});
        let answer = world.post(ONE, &one).await;
        billed(&world, &answer, 5).await;
        assert_eq!(answer.json()["embedding"]["values"], json!([1.0, 2.0]));
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/embeddings HTTP/1.1");
        assert_eq!((&asked.body["input"], &asked.body["dimensions"]), (&json!(["a"]), &json!(2)));
        let data = json!([element(1, json!([3])), element(0, json!([1]))]);
        origin.say(Says::json(200, &reply(data)));
        let answer = world.post(BATCH, &batch(&["a", "b"])).await;
        billed(&world, &answer, 5).await;
        let vectors = json!([{"values": [1.0]}, {"values": [3.0]}]);
        assert_eq!(answer.json()["embeddings"], vectors, "in the order of the requests");
        assert_eq!(origin.asked().body["input"], json!(["a", "b"]));
    });
}

/// Gemini to Gemini passes as it is, parts that are no text too; only a batch names the model anew.
#[test]
fn gemini_to_gemini() {
    run(async {
        let (origin, world) = world("Gemini", "gemini-embedding-2").await;
        let usage = json!({"promptTokenCount": 3, "totalTokenCount": 3});
        let reply = json!({"embedding": {"values": [0.25], "x": 1}, "usageMetadata": usage});
        let image = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
        let one = json!({"content": {"parts": [image]}, "taskType": "CLUSTERING"});
        origin.say(Says::json(200, &reply));
        let answer = world.post(ONE, &one).await;
        billed(&world, &answer, 3).await;
        assert_eq!((answer.json(), origin.asked().body), (reply, one));
        let reply = json!({"embeddings": [{"values": [1]}], "usageMetadata": usage});
        origin.say(Says::json(200, &reply));
        let mut asked = batch(&["a"]);
        asked["requests"][0]["taskType"] = json!("CLUSTERING");
        let answer = world.post(BATCH, &asked).await;
        billed(&world, &answer, 3).await;
        asked["requests"][0]["model"] = json!("models/gemini-embedding-2");
        let heard = origin.asked();
        assert_eq!((answer.json(), heard.body), (reply, asked));
        assert_eq!(heard.line, "POST /v1/models/gemini-embedding-2:batchEmbedContents HTTP/1.1");
    });
}

/// Bedrock's models are invoked in their makers' words; what they billed stands in the body or a header.
#[test]
fn bedrock() {
    run(async {
        let (origin, titan) = world("Bedrock", "amazon.titan-embed-text-v2:0").await;
        origin.say(Says::json(200, &json!({"embedding": [1, 2], "inputTextTokenCount": 6})));
        let answer = titan.post(OPENAI, &input(json!("a"))).await;
        billed(&titan, &answer, 6).await;
        assert_eq!(answer.json()["data"][0]["embedding"], json!([1.0, 2.0]));
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/model/amazon.titan-embed-text-v2%3A0/invoke HTTP/1.1");
        assert_eq!(asked.body, json!({"inputText": "a"}));
        let answer = titan.post(OPENAI, &input(json!(["a", "b"]))).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("input")));
        let (origin, cohere) = world("Bedrock", "cohere.embed-v4:0").await;
        let reply = json!({"id": "x", "embeddings": {"float": [[1], [2]]}, "texts": ["a", "b"]});
        let more = "x-amzn-bedrock-input-token-count: 9\r\n".to_owned();
        origin.say(Says { more, ..Says::json(200, &reply) });
        let mut asked = input(json!(["a", "b"]));
        asked["input_type"] = json!("search_query");
        let answer = cohere.post(OPENAI, &asked).await;
        billed(&cohere, &answer, 9).await;
        assert_eq!(answer.json()["data"][1]["embedding"], json!([2.0]));
        let asked = origin.asked().body;
        assert_eq!(
            (&asked["texts"], &asked["input_type"]),
            (&json!(["a", "b"]), &json!("search_query"))
        );
    });
}

/// Vertex AI's models named Gemini are asked by contents, one or several; older ones by instances.
#[test]
fn vertex() {
    run(async {
        let (origin, gemini) = world("Vertex", "gemini-embedding-001").await;
        let usage = json!({"promptTokenCount": 4, "totalTokenCount": 4});
        let reply = json!({"embedding": {"values": [1, 2]}, "usageMetadata": usage});
        origin.say(Says::json(200, &reply));
        let answer = gemini.post(OPENAI, &input(json!("a"))).await;
        billed(&gemini, &answer, 4).await;
        assert_eq!(answer.json()["data"][0]["embedding"], json!([1.0, 2.0]));
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/models/gemini-embedding-001:embedContent HTTP/1.1");
        assert_eq!(asked.body, json!({"content": {"parts": [{"text": "a"}]}}));
        let reply =
            json!({"embeddings": [{"values": [1]}, {"values": [2]}], "usageMetadata": usage});
        origin.say(Says::json(200, &reply));
        let answer = gemini.post(BATCH, &batch(&["a", "b"])).await;
        billed(&gemini, &answer, 4).await;
        assert_eq!(answer.json()["embeddings"][1]["values"], json!([2.0]));
        let line = "POST /v1/models/gemini-embedding-001:batchEmbedContents HTTP/1.1";
        assert_eq!(origin.asked().line, line);
        let (origin, older) = world("Vertex", "text-embedding-005").await;
        let told = |values: Value| json!({"embeddings": {"values": values, "statistics": {"token_count": 3}}});
        let reply = json!({"predictions": [told(json!([1])), told(json!([2]))]});
        origin.say(Says::json(200, &reply));
        let answer = older.post(OPENAI, &input(json!(["a", "b"]))).await;
        billed(&older, &answer, 6).await;
        let asked = origin.asked();
        assert_eq!(asked.line, "POST /v1/models/text-embedding-005:predict HTTP/1.1");
        assert_eq!(asked.body["instances"], json!([{"content": "a"}, {"content": "b"}]));
        origin.say(Says::json(200, &json!({"predictions": [told(json!([1, 2]))]})));
        let one = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"});
        let answer = older.post(ONE, &one).await;
        billed(&older, &answer, 3).await;
        assert_eq!(answer.json()["embedding"]["values"], json!([1.0, 2.0]));
        assert_eq!(origin.asked().body["instances"][0]["task_type"], "CLUSTERING");
    });
}

/// A provider without vectors is no candidate, an answer with too few of them is none, and what nobody
/// billed is booked by its bound.
#[test]
fn what_is_no_answer() {
    run(async {
        let (origin, anthropic) = world("Anthropic", "claude").await;
        let answer = anthropic.post(OPENAI, &input(json!("a"))).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (400, &json!("untranslatable"))
        );
        assert_eq!(origin.was_asked(), 0);
        let (origin, gemini) = world("Gemini", "e").await;
        origin.say(Says::json(200, &json!({"embeddings": [{"values": [1]}]})));
        let answer = gemini.post(OPENAI, &input(json!(["a", "b"]))).await;
        assert_eq!((answer.status, origin.was_asked()), (502, 1), "{answer:?}");
        gemini.record().await;
        origin.say(Says::json(200, &json!({"embeddings": [{"values": [1]}]})));
        let answer = gemini.post(OPENAI, &input(json!("a"))).await;
        let record = gemini.record().await;
        assert_eq!((answer.status, &record["usage"]["source"]), (200, &json!("estimated")));
        assert!(record["cost"].as_u64().unwrap() > 0, "{record}");
        let answer = gemini.post(ONE, &json!({"contents": []})).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT"))
        );
    });
}

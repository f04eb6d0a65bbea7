//! Lists of models, in the shape that each SDK reads.

use serde_json::{Value, json};

use super::origin::Origin;
use super::world::{World, model, run};

const ANTHROPIC: &str = "anthropic-version: 2026-10-21\r\n";
const GOOGLE: &str = "x-goog-api-key: app\r\n";

async fn world() -> World {
    let origin = Origin::start().await;
    let (chat, mut vectors) = (model("OpenAI", &origin), model("Gemini", &origin));
    vectors["capabilities"] = json!(["embeddings"]);
    vectors["aliases"] = json!(["vectors", "hidden-*"]);
    World::new(&[chat, vectors])
}

async fn told(world: &World, path: &str, headers: &str) -> (u16, Value) {
    let answer = world.request("GET", path, headers, b"").await;
    (answer.status, answer.json())
}

/// A3: one path, three shapes; what the SDK always sends says which.
#[test]
fn lists_in_three_shapes() {
    run(async {
        let world = world().await;
        let names = ["main/openai", "main/gemini", "vectors"];
        let listed = |told: &Value, list: &str, name: &str| -> Vec<String> {
            let all = told[list].as_array().unwrap().iter();
            all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
        };
        let (status, openai) = told(&world, "/v1/models", "authorization: Bearer app\r\n").await;
        assert_eq!(
            (status, listed(&openai, "data", "id")),
            (200, names.map(String::from).to_vec())
        );
        assert_eq!(openai["object"], "list");
        let (_, anthropic) = told(&world, "/v1/models?limit=20", ANTHROPIC).await;
        assert_eq!(listed(&anthropic, "data", "id"), names);
        assert_eq!(anthropic["data"][0]["type"], "model");
        assert_eq!(anthropic["data"][0]["max_input_tokens"], 100_000);
        assert_eq!(anthropic["data"][0]["max_tokens"], 8_000);
        assert_eq!(
            (&anthropic["has_more"], &anthropic["last_id"]),
            (&json!(false), &json!("vectors"))
        );
        for (path, headers) in [("/v1beta/models?pageSize=50", ""), ("/v1/models", GOOGLE)] {
            let (_, google) = told(&world, path, headers).await;
            assert_eq!(
                listed(&google, "models", "name"),
                names.map(|name| format!("models/{name}"))
            );
            let methods = &google["models"][1]["supportedGenerationMethods"];
            assert_eq!(methods, &json!(["embedContent", "batchEmbedContents"]));
            assert_eq!(google["models"][0]["inputTokenLimit"], 100_000);
        }
    });
}

/// One name is told as it is in the list; an unknown one is not found, in the same SDK's words.
#[test]
fn single_names() {
    run(async {
        let world = world().await;
        let (_, openai) = told(&world, "/v1/models/main%2Fopenai", "").await;
        assert_eq!((&openai["id"], &openai["object"]), (&json!("main/openai"), &json!("model")));
        let (_, anthropic) = told(&world, "/v1/models/openai", ANTHROPIC).await;
        assert_eq!((&anthropic["id"], &anthropic["type"]), (&json!("openai"), &json!("model")));
        let (_, google) = told(&world, "/v1beta/models/vectors", GOOGLE).await;
        assert_eq!(google["name"], "models/vectors");
        let (status, openai) = told(&world, "/v1/models/none", "").await;
        assert_eq!((status, &openai["error"]["code"]), (404, &json!("model_not_found")));
        let (status, anthropic) = told(&world, "/v1/models/none", ANTHROPIC).await;
        assert_eq!((status, &anthropic["error"]["type"]), (404, &json!("not_found_error")));
        let (status, google) = told(&world, "/v1beta/models/none", "").await;
        assert_eq!((status, &google["error"]["status"]), (404, &json!("NOT_FOUND")));
    });
}

//! What is kept, over real sockets: each key sees its own alone, and nothing is referred to that is not there.

use serde_json::{Value, json};

use crate::driver::{Provider, provider, receive};

fn ask(provider: &Provider, key: &str, path: &str, body: &Value) -> Value {
    let headers = format!("x-goog-api-key: {key}\r\n");
    provider.ask(path, &headers, &json!({}), body).json()
}

/// A cache is used by the account that made it, and by no other; ids that nobody gave here are not judged.
#[test]
fn each_account_has_its_own() {
    let provider = provider(&json!({}));
    let made = ask(&provider, "one", "/v1beta/cachedContents", &json!({"model": "models/m"}));
    let name = made["name"].as_str().unwrap();
    let question = |name: &str| json!({"cachedContent": name, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    let generate = "/v1beta/models/m:generateContent";
    assert!(ask(&provider, "one", generate, &question(name))["candidates"].is_array());
    let refused = ask(&provider, "two", generate, &question(name));
    assert_eq!(refused["error"]["status"], "NOT_FOUND", "{refused}");
    let marked = ask(&provider, "one", generate, &question(&format!("{name}_pm00000000")));
    assert_eq!(marked["error"]["status"], "NOT_FOUND", "a router's mark is no part of an id");
    assert!(
        ask(&provider, "two", generate, &question("cachedContents/others"))["candidates"]
            .is_array()
    );
}

/// A file is made by the last of its parts, at the address that the first answer gave, and cannot be made twice.
#[test]
fn uploads_come_in_parts() {
    let provider = provider(&json!({}));
    let send = |path: &str, command: &str, body: &str| {
        let headers = format!("x-goog-api-key: k\r\nx-goog-upload-command: {command}\r\n");
        receive(&mut provider.send(path, &headers, body))
    };
    let begun = send("/upload/v1beta/files", "start", "{\"file\": {\"mimeType\": \"text/plain\"}}");
    let (_, address) = begun.head.split_once("x-goog-upload-url: ").unwrap();
    let at =
        address.lines().next().unwrap().strip_prefix("https://generativelanguage.googleapis.com");
    let at = at.unwrap();
    let more = send(at, "upload", "one ");
    assert!(more.head.contains("x-goog-upload-status: active"), "{}", more.head);
    let file = send(at, "upload, finalize", "two").json();
    assert_eq!(
        (&file["file"]["sizeBytes"], &file["file"]["mimeType"]),
        (&json!("7"), &json!("text/plain"))
    );
    assert_eq!(send(at, "upload, finalize", "two").json()["error"]["code"], 404);
}

/// Titan and Cohere make vectors by `/invoke`, and say what they cost in a member or a header.
#[test]
fn bedrock_is_invoked_for_vectors() {
    let provider = provider(&json!({}));
    let invoke = |model: &str, body: &Value| {
        provider.ask(
            &format!("/model/{model}/invoke"),
            "authorization: Bearer k\r\n",
            &json!({}),
            body,
        )
    };
    let titan =
        invoke("amazon.titan-embed-text-v2:0", &json!({"inputText": "four", "dimensions": 256}));
    let told = titan.json();
    assert_eq!(
        (told["embedding"].as_array().unwrap().len(), &told["inputTextTokenCount"]),
        (256, &json!(1))
    );
    let texts = json!({"texts": ["four", "more"], "input_type": "search_document", "embedding_types": ["float"]});
    let cohere = invoke("cohere.embed-english-v3", &texts);
    assert!(cohere.head.contains("x-amzn-bedrock-input-token-count: 2"), "{}", cohere.head);
    assert_eq!(cohere.json()["embeddings"]["float"].as_array().unwrap().len(), 2);
    let claude = invoke("anthropic.claude-x", &json!({"messages": []}));
    assert_eq!(claude.status, 400);
    assert_eq!(provider.bill().len(), 2);
}

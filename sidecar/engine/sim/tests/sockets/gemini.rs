//! The Gemini surface over real sockets: form, bill, judgement, failures.

use serde_json::{Value, json};

use crate::driver::{Answer, Provider, merged, provider, receive};

const KEY: &str = "x-goog-api-key: k\r\n";

fn path(verb: &str) -> String {
    format!("/v1beta/models/m:{verb}")
}

fn body(extra: &Value) -> Value {
    merged(&json!({"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]}), extra)
}

fn ask(provider: &Provider, verb: &str, action: &Value, extra: &Value) -> Answer {
    provider.ask(&path(verb), KEY, action, &body(extra))
}

fn tools() -> Value {
    json!([{"functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}},
        {"name": "time", "parametersJsonSchema": {"type": "object", "$schema": "x"}}]}])
}

/// The parts of all chunks put together, with the last usage and reason.
fn assembled(chunks: &[Value]) -> (Vec<Value>, Value, Value) {
    let mut parts: Vec<Value> = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let candidate = &chunk["candidates"][0];
        assert_eq!(candidate.get("finishReason").is_some(), index + 1 == chunks.len());
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let last = parts.last_mut().filter(|last| {
                part["text"].is_string()
                    && last["text"].is_string()
                    && last["thought"] == part["thought"]
            });
            match last {
                Some(last) => {
                    let whole =
                        last["text"].as_str().unwrap().to_owned() + part["text"].as_str().unwrap();
                    last["text"] = whole.into();
                }
                None => parts.push(part.clone()),
            }
        }
    }
    let last = chunks.last().unwrap();
    (parts, last["candidates"][0]["finishReason"].clone(), last["usageMetadata"].clone())
}

/// Plain, server-sent and as an array, an answer has the same parts, reason, usage and cost.
#[test]
fn all_three_forms_say_the_same() {
    let provider = provider(&json!({}));
    let thinks = json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let hidden = json!({"generation_config": {"thinking_config": {"thinking_level": "low"}}});
    for (action, extra, reason) in [
        (json!({"text": "one two three four"}), json!({}), "STOP"),
        (json!({"text": "grüße, 世界", "thinking": "hm, so"}), thinks, "STOP"),
        (json!({"text": "short"}), hidden, "STOP"),
        (
            json!({"outputTokens": 50}),
            json!({"generationConfig": {"maxOutputTokens": 5}}),
            "MAX_TOKENS",
        ),
        (json!({"refusal": "no"}), json!({}), "SAFETY"),
        (json!({"finish": "RECITATION"}), json!({}), "RECITATION"),
        (
            json!({"text": "let me see", "toolCalls": [
                {"name": "weather", "arguments": {"city": "Hamburg"}}, {"name": "time", "arguments": ""}]}),
            json!({"tools": tools()}),
            "STOP",
        ),
        (
            json!({}),
            json!({"tools": tools(), "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            "STOP",
        ),
    ] {
        let plain = ask(&provider, "generateContent", &action, &extra).json();
        let parts = plain["candidates"][0]["content"]["parts"].as_array().cloned();
        let wanted = (
            parts.unwrap_or_default(),
            plain["candidates"][0]["finishReason"].clone(),
            plain["usageMetadata"].clone(),
        );
        assert_eq!(wanted.1, reason, "{action}");
        let events = ask(&provider, "streamGenerateContent?alt=sse", &action, &extra);
        let chunks: Vec<Value> = events.named().into_iter().map(|(_, chunk)| chunk).collect();
        assert_eq!(assembled(&chunks), wanted, "{action}");
        let array = ask(&provider, "streamGenerateContent", &action, &extra);
        assert!(array.head.contains("content-type: application/json"));
        assert_eq!(assembled(array.json().as_array().unwrap()), wanted, "{action}");
        let usage = &wanted.2;
        let number = |name: &str| usage[name].as_u64().unwrap_or(0);
        let mut ends = provider.bill();
        ends.retain(|line| line["end"] == true);
        for line in &ends[ends.len() - 3..] {
            let output = number("candidatesTokenCount") + number("thoughtsTokenCount");
            assert_eq!(line["output"], output, "{action}");
            assert_eq!(line["cost"], number("promptTokenCount") * 100 + output * 1000);
        }
    }
}

/// The cache is reported and billed inside the input, thinking beside what is said.
#[test]
fn usage_is_billed_as_google_counts() {
    let provider = provider(&json!({}));
    let action = json!({"text": "abcd", "thinkingTokens": 6, "cachedTokens": 10});
    let extra = json!({"contents": [{"parts": [{"text": "x".repeat(80)}]}]});
    let usage = ask(&provider, "generateContent", &action, &extra).json()["usageMetadata"].clone();
    assert_eq!(
        (&usage["promptTokenCount"], &usage["cachedContentTokenCount"]),
        (&json!(20), &json!(10))
    );
    assert_eq!(
        (&usage["candidatesTokenCount"], &usage["thoughtsTokenCount"]),
        (&json!(1), &json!(6))
    );
    assert_eq!(provider.bill()[0]["cost"], 10 * 100 + 10 * 50 + 7 * 1000);
    let native = json!({"usage": {"promptTokenCount": 8, "cachedContentTokenCount": 4,
        "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "toolUsePromptTokenCount": 1}});
    ask(&provider, "generateContent", &native, &json!({}));
    assert_eq!(provider.bill()[1]["cost"], 5 * 100 + 4 * 50 + 5 * 1000);
}

/// Requests that the real provider refuses are refused in its words, and cost nothing.
#[test]
fn malformed_requests_are_refused() {
    let provider = provider(&json!({}));
    let user = json!({"role": "user", "parts": [{"text": "x"}]});
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "time", "args": {}}}]});
    let reply = |name: &str| {
        json!({"role": "user", "parts": [
        {"functionResponse": {"name": name, "response": {"result": "12"}}}]})
    };
    let talk = |contents: Value| json!({"contents": contents});
    let declared = |parameters: Value| json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]});
    for (extra, words) in [
        (json!({"contents": null}), "contents is not specified"),
        (talk(json!([])), "contents is not specified"),
        (json!({"messages": []}), "Unknown name \"messages\": Cannot find field."),
        (
            json!({"generationConfig": {"max_tokens": 3}}),
            "at 'generation_config': Cannot find field",
        ),
        (talk(json!([{"role": "assistant", "parts": [{"text": "x"}]}])), "Please use a valid role"),
        (talk(json!([{"parts": [{"text": ""}]}])), "required oneof field 'data'"),
        (
            talk(
                json!([{"parts": [{"text": "x", "inlineData": {"mimeType": "a/b", "data": "x"}}]}]),
            ),
            "oneof field 'data' is already set",
        ),
        (talk(json!([call])), "function call turn comes immediately after"),
        (talk(json!([user, call])), "number of function response parts is equal"),
        (talk(json!([user, call, reply("other")])), "names match the function call names"),
        (talk(json!([user, reply("time")])), "function response turn comes immediately after"),
        (
            declared(json!({"type": "object", "$schema": "x"})),
            "Unknown name \"$schema\" at \
            'tools[0].function_declarations[0].parameters': Cannot find field.",
        ),
        (
            declared(json!({"type": "object", "properties": {"a": {"type": "object",
            "additionalProperties": false}}})),
            "Unknown name \"additionalProperties\"",
        ),
        (declared(json!({"type": ["string", "null"]})), "(expected a string)"),
        (declared(json!({"type": "OBJECT"})), "should be non-empty for OBJECT type"),
        (json!({"generationConfig": {"responseSchema": {"type": "STRING"}}}), "response_mime_type"),
        (
            json!({"toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["f"]}}}),
            "without mode ANY",
        ),
    ] {
        let answer = ask(&provider, "generateContent", &json!({}), &extra);
        let error = answer.json()["error"].clone();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{extra}: {message}");
        assert_eq!((answer.status, &error["code"]), (400, &json!(400)), "{extra}");
        assert_eq!(error["status"], "INVALID_ARGUMENT");
    }
    assert!(provider.bill().is_empty());
}

/// A tool turn comes back with its signature; one made elsewhere is refused, and the newest models
/// miss one that was dropped.
#[test]
fn signatures_are_known_again() {
    let provider = provider(&json!({}));
    let action = json!({"toolCalls": [{"name": "time", "arguments": {}}]});
    let said = ask(&provider, "generateContent", &action, &json!({"tools": tools()})).json();
    let mut content = said["candidates"][0]["content"].clone();
    let talk = |content: &Value| {
        body(&json!({"tools": tools(), "contents": [
        {"role": "user", "parts": [{"text": "hi"}]}, content, {"role": "user", "parts": [
            {"functionResponse": {"name": "time", "response": {"result": "12"}}}]}]}))
    };
    let asked = |model: &str, content: &Value| {
        let path = format!("/v1/models/{model}:generateContent");
        provider.ask(&path, KEY, &json!({}), &talk(content)).status
    };
    assert_eq!(asked("gemini-3-pro", &content), 200);
    content["parts"][0]["thoughtSignature"] = "c2lnbmVk".into();
    assert_eq!(asked("gemini-3-pro", &content), 400);
    content["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    assert_eq!(asked("gemini-3-pro", &content), 400);
    assert_eq!(asked("gemini-2.5-pro", &content), 200);
    let mut past = talk(&content);
    let more = json!({"role": "user", "parts": [{"text": "and now?"}]});
    past["contents"].as_array_mut().unwrap().push(more);
    let path = "/v1/models/gemini-3-pro:generateContent";
    assert_eq!(provider.ask(path, KEY, &json!({}), &past).status, 200);
}

/// Counts and embeddings are answered, keys are demanded in any of their places.
#[test]
fn counts_embeddings_and_keys() {
    let provider = provider(&json!({"models": ["m"]}));
    let count = ask(&provider, "countTokens", &json!({}), &json!({})).json();
    assert_eq!((count["totalTokens"].as_u64(), provider.bill().len()), (Some(2), 0));
    let content = json!({"parts": [{"text": "twelve chars"}]});
    let one = json!({"content": content, "outputDimensionality": 4});
    let embedded = provider.ask(&path("embedContent"), KEY, &json!({}), &one).json();
    assert_eq!(embedded["embedding"]["values"].as_array().unwrap().len(), 4);
    let many = json!({"requests": [one, one]});
    let embedded = provider.ask(&path("batchEmbedContents"), KEY, &json!({}), &many).json();
    assert_eq!(embedded["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(provider.bill()[1]["cost"], 6 * 100);
    let text = body(&json!({})).to_string();
    for (query, headers, status) in [
        ("", "", 403),
        ("?key=k", "", 200),
        ("", "authorization: Bearer k\r\n", 200),
        ("", KEY, 200),
    ] {
        let path = path(&format!("generateContent{query}"));
        assert_eq!(receive(&mut provider.send(&path, headers, &text)).status, status);
    }
    let gone = provider.ask("/v1/models/gone:generateContent", KEY, &json!({}), &body(&json!({})));
    assert_eq!((gone.status, &gone.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
}

/// Every class of failure has Google's code, status and details; a blocked prompt has no
/// candidates, and streams break off in both forms.
#[test]
fn failures_are_googles() {
    let provider = provider(&json!({}));
    for (action, status, word) in [
        (json!({"error": "serverError"}), 500, "INTERNAL"),
        (json!({"error": "timeout"}), 504, "DEADLINE_EXCEEDED"),
        (json!({"error": "overloaded"}), 503, "UNAVAILABLE"),
        (json!({"error": "rateLimit"}), 429, "RESOURCE_EXHAUSTED"),
        (json!({"error": "dailyQuota"}), 429, "RESOURCE_EXHAUSTED"),
        (json!({"error": "auth"}), 400, "INVALID_ARGUMENT"),
        (json!({"error": "permission"}), 403, "PERMISSION_DENIED"),
        (json!({"error": "modelGone"}), 404, "NOT_FOUND"),
        (json!({"error": "contextTooLong"}), 400, "INVALID_ARGUMENT"),
        (json!({"status": 503}), 503, "UNAVAILABLE"),
    ] {
        let answer = ask(&provider, "generateContent", &action, &json!({}));
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["status"]), (status, &json!(word)), "{action}");
        assert_eq!(error["code"], status);
        let text = error.to_string();
        assert_eq!(text.contains("retryDelay"), word == "RESOURCE_EXHAUSTED");
        assert_eq!(text.contains("PerDay"), action["error"] == "dailyQuota");
    }
    let blocked = json!({"error": "contentFilter"});
    let plain = ask(&provider, "generateContent", &blocked, &json!({}));
    assert_eq!((plain.status, plain.json().get("candidates")), (200, None));
    let sse = ask(&provider, "streamGenerateContent?alt=sse", &blocked, &json!({})).named();
    assert_eq!(sse[0].1["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    for at in [0, 1] {
        let action = json!({"errorAtEvent": at, "error": "overloaded", "text": "a few words more"});
        let sse = ask(&provider, "streamGenerateContent?alt=sse", &action, &json!({})).named();
        let array = ask(&provider, "streamGenerateContent", &action, &json!({})).json();
        for (events, last) in
            [(sse.len(), &sse[at].1), (array.as_array().unwrap().len(), &array[at])]
        {
            assert_eq!((events, &last["error"]["status"]), (at + 1, &json!("UNAVAILABLE")));
        }
    }
}

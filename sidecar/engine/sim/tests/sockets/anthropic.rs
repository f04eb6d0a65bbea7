//! The Messages surface over real sockets: form, bill, judgement, failures.

use serde_json::{Value, json};

use crate::driver::{Answer, End, Provider, merged, provider, receive};

const KEY: &str = "x-api-key: k\r\nanthropic-version: 2026-10-21\r\n";
const PATH: &str = "/v1/messages";

fn body(extra: &Value) -> Value {
    let base = json!({"model": "m", "max_tokens": 1000,
        "messages": [{"role": "user", "content": "hi there"}]});
    merged(&base, extra)
}

fn ask(provider: &Provider, action: &Value, extra: &Value) -> Answer {
    provider.ask(PATH, KEY, action, &body(extra))
}

fn tools() -> Value {
    json!([{"name": "weather", "input_schema": {"type": "object"}},
        {"name": "time", "input_schema": {"type": "object"}}])
}

/// Puts a stream together, holding it to the order of events on the way.
fn assembled(answer: &Answer) -> Value {
    let mut events = answer.named().into_iter().filter(|(name, _)| name != "ping");
    let (name, first) = events.next().unwrap();
    assert_eq!((name.as_str(), &first["message"]["content"]), ("message_start", &json!([])));
    let mut message = first["message"].clone();
    let (mut blocks, mut open, mut input, mut ended) = (Vec::new(), false, String::new(), 0);
    for (name, event) in events {
        assert_eq!((event["type"].as_str(), ended < 2), (Some(name.as_str()), true), "{event}");
        let delta = &event["delta"];
        match name.as_str() {
            "content_block_start" => {
                assert_eq!((open, event["index"].as_u64()), (false, Some(blocks.len() as u64)));
                blocks.push(event["content_block"].clone());
                (open, input) = (true, String::new());
            }
            "content_block_delta" => {
                assert!(open && event["index"] == blocks.len() - 1);
                let block: &mut Value = blocks.last_mut().unwrap();
                for member in ["text", "thinking", "signature"] {
                    if let Some(text) = delta[member].as_str() {
                        let whole = block[member].as_str().unwrap().to_owned() + text;
                        block[member] = whole.into();
                    }
                }
                input += delta["partial_json"].as_str().unwrap_or_default();
            }
            "content_block_stop" => {
                assert!(std::mem::replace(&mut open, false));
                let block = blocks.last_mut().unwrap();
                if block["type"] == "tool_use" && !input.is_empty() {
                    block["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                assert!(!open && std::mem::replace(&mut ended, 1) == 0);
                message["usage"] = event["usage"].clone();
                message = merged(&message, &json!({"stop_reason": delta["stop_reason"]}));
            }
            "message_stop" => ended += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(ended, 2);
    message["content"] = blocks.into();
    message
}

/// Streamed and plain answers hold the same blocks, reason and usage, and cost the same.
#[test]
fn streams_say_what_plain_answers_say() {
    let provider = provider(&json!({}));
    let parallel = json!({"text": "let me see", "toolCalls": [
        {"name": "weather", "arguments": {"city": "Hamburg"}}, {"name": "time", "arguments": ""}]});
    for (action, extra, reason) in [
        (json!({"text": "one two three four"}), json!({}), "end_turn"),
        (json!({"text": "grüße, 世界", "thinking": "hm, so"}), json!({}), "end_turn"),
        (json!({"outputTokens": 50}), json!({"max_tokens": 5}), "max_tokens"),
        (json!({"text": "one STOP two"}), json!({"stop_sequences": ["STOP"]}), "stop_sequence"),
        (json!({"refusal": "no"}), json!({}), "refusal"),
        (json!({"finish": "pause_turn"}), json!({}), "pause_turn"),
        (parallel.clone(), json!({"tools": tools()}), "tool_use"),
        (
            merged(&parallel, &json!({"wholeArguments": true})),
            json!({"tools": tools()}),
            "tool_use",
        ),
        (json!({}), json!({"tools": tools(), "tool_choice": {"type": "any"}}), "tool_use"),
        (json!({}), json!({"thinking": {"type": "adaptive"}}), "end_turn"),
    ] {
        let plain = ask(&provider, &action, &extra).json();
        let extra = merged(&extra, &json!({"stream": true}));
        let streamed = assembled(&ask(&provider, &action, &extra));
        assert_eq!(plain["stop_reason"], reason, "{action}");
        assert_eq!(streamed["stop_reason"], reason, "{action}");
        assert_eq!(plain["usage"], streamed["usage"], "{action}");
        let (ours, theirs) = (&plain["content"], &streamed["content"]);
        assert_eq!(ours.as_array().unwrap().len(), theirs.as_array().unwrap().len());
        for (mine, other) in ours.as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
            for member in ["type", "text", "thinking", "signature", "name", "input"] {
                assert_eq!(mine[member], other[member], "{action}");
            }
        }
        let ends: Vec<Value> =
            provider.bill().into_iter().filter(|line| line["end"] == true).collect();
        let (last, before) = (&ends[ends.len() - 1], &ends[ends.len() - 2]);
        assert_eq!((&last["cost"], &last["output"]), (&before["cost"], &before["output"]));
        assert_eq!(last["output"], plain["usage"]["output_tokens"]);
    }
}

/// The cache is reported beside the input, billed inside it, writes at their own prices.
#[test]
fn the_cache_is_billed_beside_the_input() {
    let provider = provider(&json!({}));
    let action = json!({"text": "abcd", "thinkingTokens": 6, "cachedTokens": 10,
        "cacheWriteTokens": 20, "cacheWriteLongTokens": 30});
    let long = "x".repeat(400);
    let extra = json!({"messages": [{"role": "user", "content": long}]});
    let usage = ask(&provider, &action, &extra).json()["usage"].clone();
    assert_eq!(usage["input_tokens"], 40);
    assert_eq!(usage["cache_read_input_tokens"], 10);
    assert_eq!(usage["cache_creation_input_tokens"], 50);
    assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 30);
    assert_eq!(usage["output_tokens"], 7);
    let line = provider.bill().pop().unwrap();
    assert_eq!((&line["input"], &line["thinking"]), (&json!(100), &json!(6)));
    assert_eq!(line["cost"], 40 * 100 + 10 * 50 + 20 * 125 + 30 * 200 + 7 * 1000);
    let native = json!({"usage": {"input_tokens": 3, "cache_read_input_tokens": 7,
        "output_tokens": 2}, "startUsage": {"input_tokens": 34824, "output_tokens": 0}});
    let revised = ask(&provider, &native, &json!({"stream": true})).named();
    assert_eq!(revised[0].1["message"]["usage"]["input_tokens"], 34824);
    let line = provider.bill().pop().unwrap();
    assert_eq!(line["cost"], 3 * 100 + 7 * 50 + 2 * 1000);
}

/// Requests that the real provider refuses are refused in its words, and cost nothing.
#[test]
fn malformed_requests_are_refused() {
    let provider = provider(&json!({}));
    let user = |content: Value| json!({"role": "user", "content": content});
    let called = json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "x"});
    let text = json!({"type": "text", "text": "x"});
    let talk = |messages: Value| json!({"messages": messages});
    for (extra, words) in [
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"max_tokens": 0}), "max_tokens: Input should be greater than or equal to 1"),
        (json!({"n": 2}), "n: Extra inputs are not permitted"),
        (json!({"temperature": 1.5}), "temperature: Input should be less than or equal to 1"),
        (json!({"tool_choice": {"type": "auto"}}), "only be specified while providing tools"),
        (json!({"system": [{"type": "text", "text": ""}]}), "system: text content blocks must be"),
        (talk(json!([{"role": "assistant", "content": "x"}])), "first message must use the"),
        (talk(json!([user(json!("")), user(json!("x"))])), "must have non-empty content"),
        (talk(json!([{"role": "tool", "content": "x"}])), "messages.0.role: Input should be"),
        (
            json!({"model": "claude-sonnet-4-5", "messages": [user(json!("x")),
                {"role": "system", "content": "y"}]}),
            "Unexpected role \"system\"",
        ),
        (talk(json!([user(json!("x")), called])), "without `tool_result` blocks immediately"),
        (
            talk(json!([user(json!("x")), called, user(json!([text, result("t1")]))])),
            "must come before any other content",
        ),
        (talk(json!([user(json!([result("t9")]))])), "unexpected `tool_use_id` found"),
        (
            talk(json!([user(json!([{"type": "image_url", "image_url": {"url": "x"}}]))])),
            "messages.0.content.0.type: Input should be",
        ),
        (json!({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}), "match pattern"),
        (json!({"tools": [{"name": "a", "input_schema": {}}]}), "Input should be 'object'"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "`max_tokens` must be greater than",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema",
                "schema": {"type": "object", "properties": {}}}}}),
            "'additionalProperties' must be explicitly set to false",
        ),
    ] {
        let answer = ask(&provider, &json!({}), &extra);
        let error = answer.json();
        let message = error["error"]["message"].as_str().unwrap();
        assert_eq!(answer.status, 400, "{extra}");
        assert!(message.contains(words), "{extra}: {message}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
        assert!(
            answer.head.contains(&format!("request-id: {}", error["request_id"].as_str().unwrap()))
        );
    }
    assert!(provider.bill().is_empty());
}

/// A whole tool turn with its thinking comes back and is accepted; a signature that was touched,
/// or made elsewhere, is not.
#[test]
fn signatures_come_back_byte_for_byte() {
    let provider = provider(&json!({}));
    let action =
        json!({"thinking": "which tool?", "toolCalls": [{"name": "time", "arguments": {}}]});
    let thinking = json!({"tools": tools(), "thinking": {"type": "enabled", "budget_tokens": 1024},
        "max_tokens": 4000});
    let mut said = ask(&provider, &action, &thinking).json()["content"].clone();
    let talk = |said: &Value| {
        let result = json!([{"type": "tool_result", "tool_use_id": said[1]["id"], "content": "12"},
            {"type": "text", "text": "and?"}]);
        merged(
            &thinking,
            &json!({"messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": said}, {"role": "user", "content": result}]}),
        )
    };
    assert_eq!(ask(&provider, &json!({}), &talk(&said)).status, 200);
    said[0]["signature"] = "c2lnbmVk".into();
    let refused = ask(&provider, &json!({}), &talk(&said));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("Invalid `signature`"));
    let text = json!([said[1]]);
    let refused = ask(&provider, &json!({}), &merged(&talk(&text), &json!({})));
    assert_eq!(refused.status, 400);
}

/// Counting costs nothing and agrees with what an answer to the same would be billed.
#[test]
fn counts_agree_with_the_bill() {
    let provider = provider(&json!({"models": ["m"]}));
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png",
        "data": "iVBORw0KGgo="}});
    let talk = json!({"system": "be brief", "messages": [
        {"role": "user", "content": [image, {"type": "text", "text": "what is it?"}]}]});
    let counted = merged(&body(&talk), &json!({"max_tokens": null}));
    let path = "/v1/messages/count_tokens?beta=true";
    let count = provider.ask(path, KEY, &json!({}), &counted).json();
    assert!(provider.bill().is_empty());
    let usage = ask(&provider, &json!({}), &talk).json()["usage"].clone();
    assert_eq!(count, json!({"input_tokens": usage["input_tokens"]}));
    assert_eq!(provider.bill()[0]["input"], count["input_tokens"]);
    assert_eq!(provider.stats()["images"], 1);
    let refused = provider.ask(path, KEY, &json!({}), &body(&json!({})));
    assert_eq!(refused.json()["error"]["message"], "max_tokens: Extra inputs are not permitted");
    let gone = ask(&provider, &json!({}), &json!({"model": "other"}));
    assert_eq!((gone.status, &gone.json()["error"]["type"]), (404, &json!("not_found_error")));
}

/// A key is demanded in either form, and a version.
#[test]
fn a_key_and_a_version_are_demanded() {
    let provider = provider(&json!({}));
    for (headers, status) in [
        ("anthropic-version: 2023-06-01\r\n", 401),
        ("x-api-key: k\r\n", 400),
        ("authorization: Bearer k\r\nanthropic-version: 2026-10-21\r\n", 200),
        (KEY, 200),
    ] {
        let answer = receive(&mut provider.send(PATH, headers, &body(&json!({})).to_string()));
        assert_eq!(answer.status, status, "{headers}");
    }
}

/// Every class of failure has Anthropic's status and type, bare statuses too, and a stream can
/// break off with one.
#[test]
fn failures_are_anthropics() {
    let provider = provider(&json!({}));
    for (action, status, kind) in [
        (json!({"error": "serverError"}), 500, "api_error"),
        (json!({"error": "timeout"}), 504, "timeout_error"),
        (json!({"error": "overloaded"}), 529, "overloaded_error"),
        (json!({"status": 529}), 529, "overloaded_error"),
        (json!({"error": "rateLimit"}), 429, "rate_limit_error"),
        (json!({"error": "quota"}), 429, "rate_limit_error"),
        (json!({"error": "billing"}), 402, "billing_error"),
        (json!({"status": 401}), 401, "authentication_error"),
        (json!({"error": "permission"}), 403, "permission_error"),
        (json!({"error": "modelGone"}), 404, "not_found_error"),
        (json!({"error": "contextTooLong"}), 400, "invalid_request_error"),
        (json!({"error": "tooLarge"}), 413, "request_too_large"),
        (json!({"error": "conflict"}), 409, "conflict_error"),
    ] {
        let answer = ask(&provider, &action, &json!({}));
        let error = answer.json();
        assert_eq!((answer.status, &error["error"]["type"]), (status, &json!(kind)), "{action}");
        assert_eq!(error["type"], "error");
    }
    let stream = json!({"stream": true});
    let action = json!({"errorAtEvent": 4, "error": "overloaded", "text": "some words to say"});
    let mut events = ask(&provider, &action, &stream).named();
    let (name, last) = events.pop().unwrap();
    assert_eq!((name.as_str(), &last["error"]["type"]), ("error", &json!("overloaded_error")));
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|(name, _)| name != "message_stop"));
    let whole = ask(&provider, &json!({"text": "abc"}), &stream);
    for at in (0..whole.body.len()).step_by(53) {
        let action = json!({"text": "abc", "cutAtByte": at, "cut": "eof"});
        let answer = ask(&provider, &action, &stream);
        assert_eq!((answer.body.len(), answer.end), (at, End::Eof));
    }
    let action = json!({"text": "abc", "noDone": true, "crlf": true, "comments": true});
    let text = String::from_utf8(ask(&provider, &action, &stream).body).unwrap();
    assert!(text.contains(": keep-alive\r\n\r\nevent: ping\r\n") && !text.contains("message_stop"));
}

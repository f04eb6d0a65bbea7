//! OpenAI's Responses and legacy completions over real sockets.

use serde_json::{Value, json};

use crate::driver::{Answer, Provider, merged, provider, receive};

const KEY: &str = "authorization: Bearer k\r\n";

fn ask(provider: &Provider, action: &Value, extra: &Value) -> Answer {
    let body = merged(&json!({"model": "m", "input": "hi there"}), extra);
    provider.ask("/v1/responses", KEY, action, &body)
}

fn tools() -> Value {
    json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}},
        {"type": "function", "name": "time", "parameters": {"type": "object", "properties": {}}}])
}

/// Puts a stream together, holding it to the order of events on the way; the result is its last
/// response and the items that were built before it.
fn assembled(answer: &Answer) -> (Value, Vec<Value>) {
    let events = answer.named();
    let (mut items, mut open, mut text) = (Vec::new(), None, String::new());
    for (number, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], *name);
        assert_eq!(event["sequence_number"], number);
        match number {
            0 => assert_eq!(name, "response.created"),
            1 => assert_eq!(name, "response.in_progress"),
            _ if number + 1 == events.len() => {
                assert!(open.is_none() && event["response"].is_object())
            }
            _ => assert_eq!(event["output_index"], items.len()),
        }
        let item = || event["item"]["id"].clone();
        if name == "response.output_item.added" {
            assert!(open.replace(item()).is_none());
        } else if name == "response.output_item.done" {
            assert_eq!(open.take(), Some(item()));
            items.push(event["item"].clone());
        } else if let Some(id) = event.get("item_id") {
            assert_eq!(open.as_ref(), Some(id));
        }
        if let Some(delta) = event["delta"].as_str() {
            text += delta;
        } else if name.ends_with("text.done") || name.ends_with("arguments.done") {
            let whole = event["text"].as_str().or_else(|| event["arguments"].as_str());
            assert_eq!(Some(std::mem::take(&mut text).as_str()), whole);
        } else if name == "response.refusal.done" {
            assert_eq!(event["refusal"], std::mem::take(&mut text));
        }
    }
    (events.last().unwrap().1["response"].clone(), items)
}

/// A stream's items, its last response and the plain response say the same and cost the same.
#[test]
fn streams_say_what_plain_answers_say() {
    let provider = provider(&json!({}));
    let calls = json!({"text": "let me see", "toolCalls": [
        {"name": "weather", "arguments": {"city": "Hamburg"}}, {"name": "time", "arguments": ""}]});
    let summary = json!({"reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"], "store": false});
    for (action, extra, status) in [
        (json!({"text": "one two three four"}), json!({}), "completed"),
        (json!({"text": "grüße, 世界", "thinking": "hm, so"}), summary, "completed"),
        (json!({"text": "short"}), json!({"reasoning": {"effort": "low"}}), "completed"),
        (json!({"outputTokens": 50}), json!({"max_output_tokens": 20}), "incomplete"),
        (json!({"refusal": "no"}), json!({}), "completed"),
        (json!({"finish": "content_filter"}), json!({}), "incomplete"),
        (calls.clone(), json!({"tools": tools()}), "completed"),
        (merged(&calls, &json!({"wholeArguments": true})), json!({"tools": tools()}), "completed"),
        (json!({}), json!({"tools": tools(), "tool_choice": "required"}), "completed"),
    ] {
        let plain = ask(&provider, &action, &extra).json();
        assert_eq!((&plain["status"], &plain["object"]), (&json!(status), &json!("response")));
        let (last, items) =
            assembled(&ask(&provider, &action, &merged(&extra, &json!({"stream": true}))));
        assert_eq!(last["output"], json!(items), "{action}");
        assert_eq!((&last["usage"], &last["status"]), (&plain["usage"], &plain["status"]));
        for (mine, other) in items.iter().zip(plain["output"].as_array().unwrap()) {
            for member in ["type", "content", "summary", "name", "arguments", "status"] {
                assert_eq!(mine[member], other[member], "{action}");
            }
        }
        let ends: Vec<Value> =
            provider.bill().into_iter().filter(|line| line["end"] == true).collect();
        let (streamed, whole) = (&ends[ends.len() - 1], &ends[ends.len() - 2]);
        assert_eq!((&streamed["cost"], &streamed["output"]), (&whole["cost"], &whole["output"]));
        assert_eq!(whole["output"], plain["usage"]["output_tokens"], "{action}");
    }
}

/// Cache and reasoning lie inside input and output, in the report and on the bill.
#[test]
fn usage_is_billed_as_openai_counts() {
    let provider = provider(&json!({}));
    let action = json!({"text": "abcd", "thinkingTokens": 6, "cachedTokens": 10,
        "cacheWriteTokens": 5, "cacheWriteLongTokens": 4});
    let usage = ask(&provider, &action, &json!({"input": "x".repeat(80)})).json()["usage"].clone();
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(20), &json!(7)));
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 6);
    assert_eq!(usage["input_tokens_details"]["cache_write_tokens"], 9);
    assert_eq!(provider.bill()[0]["cost"], 100 + 10 * 50 + 5 * 125 + 4 * 200 + 7 * 1000);
}

/// Requests that the real provider refuses are refused with its code and parameter.
#[test]
fn malformed_requests_are_refused() {
    let provider = provider(&json!({}));
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c1", "output": "x"});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let part = |kind: &str| json!({"role": "assistant", "content": [{"type": kind, "text": "x"}]});
    for (extra, param, code) in [
        (json!({"messages": []}), json!("messages"), json!("unknown_parameter")),
        (json!({"max_tokens": 5}), json!("max_tokens"), json!("unknown_parameter")),
        (
            json!({"max_output_tokens": 5}),
            json!("max_output_tokens"),
            json!("integer_below_min_value"),
        ),
        (json!({"temperature": "hot"}), json!("temperature"), json!("invalid_type")),
        (json!({"model": null}), json!("model"), json!("missing_required_parameter")),
        (
            json!({"input": [{"role": "tool", "content": "x"}]}),
            json!("input[0].role"),
            json!("invalid_value"),
        ),
        (
            json!({"input": [part("text")]}),
            json!("input[0].content[0].type"),
            json!("invalid_value"),
        ),
        (
            json!({"input": [part("input_text")]}),
            json!("input[0].content[0]"),
            json!("invalid_value"),
        ),
        (json!({"input": [call]}), json!("input"), json!(null)),
        (json!({"input": [output]}), json!("input"), json!(null)),
        (json!({"input": [thought]}), json!("input"), json!(null)),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            json!("tools[0].name"),
            json!("missing_required_parameter"),
        ),
        (
            json!({"tools": [{"type": "function", "name": "f", "strict": true,
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}]}),
            json!("tools[0].parameters"),
            json!("invalid_function_parameters"),
        ),
        (json!({"tool_choice": "required"}), json!("tool_choice"), json!(null)),
        (json!({"text": {"format": {"type": "json_object"}}}), json!("input"), json!(null)),
        (
            json!({"previous_response_id": "resp_other"}),
            json!("previous_response_id"),
            json!("previous_response_not_found"),
        ),
    ] {
        let answer = ask(&provider, &json!({}), &extra);
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status, &error["type"]),
            (400, &json!("invalid_request_error")),
            "{extra}"
        );
        assert_eq!((&error["param"], &error["code"]), (&param, &code), "{extra}: {error}");
    }
    assert!(provider.bill().is_empty());
    let bare = receive(&mut provider.send("/v1/responses", "", r#"{"model":"m","input":"x"}"#));
    assert_eq!(bare.status, 401);
}

/// A whole tool turn with its sealed reasoning is accepted again; sealed elsewhere it is not.
#[test]
fn sealed_reasoning_is_known_again() {
    let provider = provider(&json!({}));
    let settings = json!({"tools": tools(), "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"]});
    let action = json!({"toolCalls": [{"name": "time", "arguments": {}}]});
    let said = ask(&provider, &action, &settings).json();
    let mut input = vec![json!({"role": "user", "content": "hi"})];
    input.extend(said["output"].as_array().unwrap().clone());
    input.push(json!({"type": "function_call_output", "call_id": said["output"][1]["call_id"],
        "output": "12"}));
    let talk = |input: &[Value]| merged(&settings, &json!({"input": input}));
    assert_eq!(ask(&provider, &json!({}), &talk(&input)).status, 200);
    input[1]["encrypted_content"] = "c2VhbGVk".into();
    let refused = ask(&provider, &json!({}), &talk(&input)).json();
    assert_eq!(refused["error"]["code"], "invalid_encrypted_content");
    let follows = json!({"previous_response_id": said["id"], "input": [input[3]]});
    assert_eq!(ask(&provider, &json!({}), &follows).status, 200);
}

/// A stream breaks off with an error event, or with a failed response; neither ends it well.
#[test]
fn streams_break_off_natively() {
    let provider = provider(&json!({}));
    for (class, last) in [("serverError", "error"), ("rateLimit", "response.failed")] {
        let action = json!({"errorAtEvent": 5, "error": class, "text": "some words to say"});
        let events = ask(&provider, &action, &json!({"stream": true})).named();
        let (name, event) = events.last().unwrap();
        assert_eq!((name.as_str(), events.len()), (last, 6));
        assert_eq!(event["sequence_number"], 5);
        assert!(events.iter().all(|(name, _)| name != "response.completed"));
    }
    let cut = json!({"noDone": true, "text": "abc"});
    let events = ask(&provider, &cut, &json!({"stream": true})).named();
    assert_eq!(events.last().unwrap().0, "response.output_item.done");
}

/// Legacy completions: a default limit of 16 tokens, lists of prompts, echo, and their stream.
#[test]
fn legacy_completions_are_text() {
    let provider = provider(&json!({}));
    let ask = |action: Value, extra: Value| {
        let body = merged(&json!({"model": "m", "prompt": "Once upon"}), &extra);
        provider.ask("/v1/completions", "", &action, &body)
    };
    let plain = ask(json!({"outputTokens": 40}), json!({})).json();
    assert_eq!(
        (&plain["object"], &plain["choices"][0]["finish_reason"]),
        (&json!("text_completion"), &json!("length"))
    );
    assert_eq!(plain["usage"]["completion_tokens"], 16);
    let many = ask(json!({"text": "x"}), json!({"prompt": ["a", "b"], "echo": true})).json();
    assert_eq!(
        (&many["choices"][0]["text"], &many["choices"][1]["text"]),
        (&json!("ax"), &json!("bx"))
    );
    let stop = ask(json!({"text": "one STOP"}), json!({"stop": "STOP"})).json();
    assert_eq!(stop["choices"][0]["text"], "one ");
    let stream = json!({"stream": true, "stream_options": {"include_usage": true}});
    let mut events = ask(json!({"text": "one two three"}), stream).events();
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let events: Vec<Value> = events.iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let text: String =
        events.iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "one two three");
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 4);
    let bad = ask(json!({}), json!({"messages": []})).json();
    assert_eq!(bad["error"]["code"], "unknown_parameter");
}

//! The provider over real sockets: wire format, bill, control.

use std::fs;
use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::driver::{End, connect, eventually, provider, receive};

const STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi there"}]}"#;

/// A plain answer has OpenAI's shape, and its bill is one line that agrees with its usage.
#[test]
fn plain_answers_are_billed_once() {
    let provider = provider(&json!({}));
    let answer = provider.chat(&json!({"text": "twelve chars"}), &json!({"n": 2}));
    assert_eq!((answer.status, answer.end), (200, End::Whole));
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][1]["message"]["content"], "twelve chars");
    assert_eq!(body["choices"][1]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 2);
    assert_eq!(body["usage"]["completion_tokens"], 6);
    let bill = provider.bill();
    let expected = json!({"id": "sim-1", "model": "m", "n": 2, "input": 2, "cached": 0,
            "output": 6, "cost": 6200, "end": true});
    assert_eq!(bill, [expected]);
}

/// A stream is role, content, finish, usage, `[DONE]`; null usage only where it was asked for.
#[test]
fn streams_have_openai_order() {
    let provider = provider(&json!({}));
    let action = json!({"text": "one two three four"});
    let usage = json!({"stream": true, "stream_options": {"include_usage": true}});
    let mut events = provider.chat(&action, &usage).events();
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let events: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let text: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "one two three four");
    let (last, finish) = (&events[events.len() - 1], &events[events.len() - 2]);
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(finish["usage"], Value::Null);
    assert!(finish.as_object().unwrap().contains_key("usage"));
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 5);
    let plain = provider.chat(&action, &json!({"stream": true}));
    assert!(plain.head.contains("content-type: text/event-stream"));
    assert!(!String::from_utf8_lossy(&plain.body).contains("usage"));
}

/// Tool calls stream their name first, then fragments, one call after the other.
#[test]
fn parallel_tool_calls_stream_by_index() {
    let provider = provider(&json!({}));
    let calls = json!({"toolCalls": [
            {"id": "c1", "name": "weather", "arguments": {"city": "Hamburg"}},
            {"name": "time", "arguments": "{}"}]});
    let plain = provider.chat(&calls, &json!({})).json();
    let message = &plain["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"city":"Hamburg"}"#);
    assert_eq!(plain["choices"][0]["finish_reason"], "tool_calls");
    let streamed = provider.chat(&calls, &json!({"stream": true}));
    let mut arguments = [String::new(), String::new()];
    let mut order = Vec::new();
    for event in streamed.events().iter().filter(|event| *event != "[DONE]") {
        let event: Value = serde_json::from_str(event).unwrap();
        let call = &event["choices"][0]["delta"]["tool_calls"][0];
        if let Some(index) = call["index"].as_u64() {
            let index = usize::try_from(index).unwrap();
            assert_eq!(call.get("id").is_some(), order.last() != Some(&index));
            order.push(index);
            arguments[index].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert!(order.is_sorted());
    assert_eq!(arguments, [r#"{"city":"Hamburg"}"#, "{}"]);
}

/// Every byte that a client has is on the bill, even when the process is killed.
#[test]
fn the_bill_survives_sigkill() {
    let mut provider = provider(&json!({}));
    let action = "x-sim-do: {\"outputTokens\":400,\"tokensPerSecond\":200}\r\n";
    let mut socket = provider.send("/v1/chat/completions", action, STREAM);
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    while String::from_utf8_lossy(&got).matches("\"content\":\"").count() < 12 {
        let read = socket.read(&mut piece).unwrap();
        assert!(read > 0);
        got.extend_from_slice(&piece[..read]);
    }
    provider.kill();
    let bill = provider.bill();
    let last = bill.last().unwrap();
    assert_eq!(last["end"], false);
    assert!(last["output"].as_u64().unwrap() >= 20, "{last}");
    assert!(last["output"].as_u64().unwrap() < 400);
    assert!(bill.iter().is_sorted_by_key(|line| line["cost"].as_u64().unwrap()));
}

/// A client that goes away is noticed, counted with a time, and its bill line closed; during
/// a delay, in a stall and in mid-stream.
#[test]
fn clients_that_leave_are_noticed() {
    let provider = provider(&json!({}));
    for (number, action) in [
        r#"{"delayMs":60000}"#,
        r#"{"stallAtEvent":3}"#,
        r#"{"outputTokens":9999,"tokensPerSecond":50}"#,
        r#"{"acceptAndStall":true}"#,
    ]
    .iter()
    .enumerate()
    {
        let header = format!("x-sim-do: {action}\r\n");
        let socket = provider.send("/v1/chat/completions", &header, STREAM);
        let open = json!(1);
        eventually("the call", || (provider.stats()["open"] == open).then_some(()));
        drop(socket);
        let cancelled = json!(number + 1);
        eventually(action, || (provider.stats()["cancelled"] == cancelled).then_some(()));
    }
    let stats = provider.stats();
    assert_eq!(stats["open"], 0);
    assert_eq!(stats["cancelled_at_ns"].as_array().unwrap().len(), 4);
    assert_eq!(stats["by_model"], json!({"m": 4}));
    let bill = provider.bill();
    assert_eq!(bill.iter().filter(|line| line["end"] == true).count(), 2, "{bill:?}");
}

/// Embeddings answer in both encodings and are billed for input alone.
#[test]
fn embeddings_are_billed_for_input() {
    let provider = provider(&json!({}));
    let body = r#"{"model":"m","input":"twelve chars","encoding_format":"base64"}"#;
    let answer = receive(&mut provider.send("/v1/embeddings", "", body)).json();
    assert_eq!(answer["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    assert_eq!(answer["data"][0]["embedding"].as_str().unwrap().len(), 8192);
    assert_eq!(provider.bill()[0]["cost"], 300);
}

/// Malformed requests get OpenAI's error shape, the models are listed, nothing is billed.
#[test]
fn malformed_requests_are_errors() {
    let provider = provider(&json!({"models": ["m", "other"]}));
    let chat = "/v1/chat/completions";
    let unknown = r#"{"model":"x","messages":[{"role":"user","content":"hi"}]}"#;
    for (path, body, status, code) in [
        (chat, "{", 400, Value::Null),
        (chat, r#"{"model":"m"}"#, 400, Value::Null),
        (chat, unknown, 404, "model_not_found".into()),
        ("/v1/embeddings", r#"{"model":"m"}"#, 400, Value::Null),
        ("/v1/nothing", "{}", 404, Value::Null),
    ] {
        let answer = receive(&mut provider.send(path, "", body));
        assert_eq!(answer.status, status, "{path} {body}");
        assert_eq!(answer.json()["error"]["code"], code);
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    let mut socket = connect(&provider.address);
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(receive(&mut socket).json()["data"][1]["id"], "other");
    assert!(provider.bill().is_empty());
}

/// A provider that is told to be strict refuses what OpenAI itself refuses, and takes a whole tool
/// turn; others of the format let it pass.
#[test]
fn strict_providers_judge_chat() {
    let (strict, mild) = (provider(&json!({"strict": true})), provider(&json!({})));
    let user = json!({"role": "user", "content": "x"});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "12"});
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let talk = |messages: Value| json!({"messages": messages, "tools": tools});
    let empty = json!({"role": "assistant", "content": null});
    let image = json!({"type": "image", "source": {}});
    for (extra, words) in [
        (json!({"top_k": 5}), "Unknown parameter: 'top_k'"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "'stop': array too long"),
        (json!({"tool_choice": "auto"}), "only allowed when 'tools' are specified"),
        (json!({"stream_options": {"include_usage": true}}), "only allowed when 'stream'"),
        (json!({"max_tokens": 1, "max_completion_tokens": 1}), "at the same time"),
        (json!({"response_format": {"type": "json_object"}}), "must contain the word 'json'"),
        (talk(json!([user, call])), "did not have response messages: c1"),
        (talk(json!([user, call, user, result])), "did not have response messages: c1"),
        (talk(json!([user, result])), "must be a response to a preceeding message"),
        (talk(json!([user, empty])), "expected a string, got null"),
        (talk(json!([{"role": "user", "content": [image]}])), "Supported values are: 'text', "),
        (talk(json!([{"role": "user", "content": []}])), "empty array"),
    ] {
        let answer = strict.chat(&json!({}), &extra);
        let error = answer.json()["error"].clone();
        assert_eq!(answer.status, 400, "{extra}");
        assert!(error["message"].as_str().unwrap().contains(words), "{extra}: {error}");
        assert_eq!(mild.chat(&json!({}), &extra).status, 200);
    }
    assert_eq!(strict.chat(&json!({}), &talk(json!([user, call, result]))).status, 200);
}

/// What was received is kept byte for byte.
#[test]
fn requests_are_captured_exactly() {
    let provider = provider(&json!({}));
    let body = "{ \"model\" :\t\"m\", \"mod\\u0065l2\": 1,\n\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    receive(&mut provider.send("/v1/chat/completions", "x-odd: 7\r\n", body));
    let folder = provider.folder.join("captured");
    assert_eq!(fs::read_to_string(folder.join("000001.body")).unwrap(), body);
    let head: Value =
        serde_json::from_slice(&fs::read(folder.join("000001.head.json")).unwrap()).unwrap();
    assert_eq!(head["path"], "/v1/chat/completions");
    assert!(head["headers"].as_array().unwrap().contains(&json!(["x-odd", "7"])));
}

/// The script can be replaced at run time, even while the data port refuses everybody.
#[test]
fn behaviour_is_replaced_at_run_time() {
    let provider = provider(&json!({"behaviour": [{"do": {"refuse": true}}]}));
    let mut socket = connect(&provider.address);
    let refused = socket.read(&mut [0; 16]);
    assert!(refused.is_err() || refused.is_ok_and(|read| read == 0));
    for (rules, status) in [("[{\"do\":{\"oops\":1}}]", 400), ("[]", 200)] {
        let mut control = crate::driver::post(&provider.control, "/_sim/behaviour", "", rules);
        assert_eq!(receive(&mut control).status, status);
    }
    assert_eq!(provider.chat(&json!({}), &json!({})).status, 200);
}

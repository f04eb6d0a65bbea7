//! The Converse surface over real sockets: frames, bill, judgement, failures.

use flate2::Crc;
use serde_json::{Value, json};

use crate::driver::{Answer, Provider, merged, provider, receive};

const KEY: &str = "authorization: Bearer k\r\n";

fn body(extra: &Value) -> Value {
    merged(&json!({"messages": [{"role": "user", "content": [{"text": "hi there"}]}]}), extra)
}

fn ask(provider: &Provider, verb: &str, action: &Value, extra: &Value) -> Answer {
    provider.ask(&format!("/model/m/{verb}"), KEY, action, &body(extra))
}

fn tools() -> Value {
    let tool = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}});
    json!({"tools": [tool("weather"), tool("time")]})
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn checked(bytes: &[u8], sum: &[u8]) -> bool {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum() == number(sum)
}

/// The kind and payload of each frame, with both checksums checked; bytes that are left over.
fn frames(mut rest: &[u8]) -> (Vec<(String, Value)>, usize) {
    let mut all = Vec::new();
    while rest.len() >= 16 {
        let (total, head) = (number(&rest[..4]) as usize, number(&rest[4..8]) as usize);
        if total > rest.len() || !checked(&rest[..total - 4], &rest[total - 4..total]) {
            break;
        }
        assert!(checked(&rest[..8], &rest[8..12]));
        let mut headers = &rest[12..12 + head];
        let mut kind = String::new();
        while !headers.is_empty() {
            let name = usize::from(headers[0]);
            let (key, value) = headers[1..].split_at(name);
            assert_eq!(value[0], 7);
            let length = usize::from(u16::from_be_bytes([value[1], value[2]]));
            if key == b":event-type" || key == b":exception-type" {
                kind = String::from_utf8(value[3..3 + length].to_vec()).unwrap();
            }
            headers = &value[3 + length..];
        }
        let payload = serde_json::from_slice(&rest[12 + head..total - 4]).unwrap();
        all.push((kind, payload));
        rest = &rest[total..];
    }
    (all, rest.len())
}

/// Puts a stream together: content blocks, stop reason, usage.
fn assembled(answer: &Answer) -> (Vec<Value>, Value, Value) {
    let (events, left) = frames(&answer.body);
    assert_eq!((left, events[0].0.as_str()), (0, "messageStart"));
    let (mut blocks, mut open): (Vec<Value>, Value) = (Vec::new(), Value::Null);
    let mut input = String::new();
    for (kind, event) in &events[1..events.len() - 2] {
        assert_eq!(event["contentBlockIndex"], blocks.len());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let delta = &event["delta"];
        match kind.as_str() {
            "contentBlockStart" => open = event["start"].clone(),
            "contentBlockDelta" => {
                if let Some(piece) = delta["text"].as_str() {
                    open = json!({"text": text(&open["text"]) + piece});
                }
                let thought = &delta["reasoningContent"];
                for member in ["text", "signature"] {
                    if let Some(piece) = thought[member].as_str() {
                        let whole =
                            text(&open["reasoningContent"]["reasoningText"][member]) + piece;
                        open["reasoningContent"]["reasoningText"][member] = whole.into();
                    }
                }
                input += delta["toolUse"]["input"].as_str().unwrap_or_default();
            }
            "contentBlockStop" => {
                if open["toolUse"].is_object() {
                    let text = std::mem::take(&mut input);
                    let object = if text.is_empty() { "{}" } else { &text };
                    open["toolUse"]["input"] = serde_json::from_str(object).unwrap();
                }
                blocks.push(open.take());
            }
            other => panic!("{other}"),
        }
    }
    let [stop, metadata] = &events[events.len() - 2..] else { panic!("no end") };
    assert_eq!((stop.0.as_str(), metadata.0.as_str()), ("messageStop", "metadata"));
    (blocks, stop.1["stopReason"].clone(), metadata.1["usage"].clone())
}

/// Frames and plain answers hold the same blocks, reason and usage, and cost the same.
#[test]
fn frames_say_what_plain_answers_say() {
    let provider = provider(&json!({}));
    let calls = json!({"text": "let me see", "toolCalls": [
        {"id": "t1", "name": "weather", "arguments": {"city": "Hamburg"}},
        {"id": "t2", "name": "time", "arguments": ""}]});
    for (action, extra, reason) in [
        (json!({"text": "one two three four"}), json!({}), "end_turn"),
        (json!({"text": "grüße, 世界", "thinking": "hm, so"}), json!({}), "end_turn"),
        (json!({"outputTokens": 50}), json!({"inferenceConfig": {"maxTokens": 5}}), "max_tokens"),
        (json!({"refusal": "no"}), json!({}), "content_filtered"),
        (calls, json!({"toolConfig": tools()}), "tool_use"),
    ] {
        let plain = ask(&provider, "converse", &action, &extra).json();
        let streamed = ask(&provider, "converse-stream", &action, &extra);
        assert!(streamed.head.contains("content-type: application/vnd.amazon.eventstream"));
        let content = plain["output"]["message"]["content"].as_array().unwrap().clone();
        let wanted = (content, plain["stopReason"].clone(), plain["usage"].clone());
        assert_eq!(wanted.1, reason);
        assert_eq!(assembled(&streamed), wanted, "{action}");
        let mut ends = provider.bill();
        ends.retain(|line| line["end"] == true);
        let (last, before) = (&ends[ends.len() - 1], &ends[ends.len() - 2]);
        assert_eq!((&last["cost"], &last["output"]), (&before["cost"], &wanted.2["outputTokens"]));
    }
}

/// The cache lies beside the input in the report and is billed at its own prices.
#[test]
fn the_cache_is_billed_beside_the_input() {
    let provider = provider(&json!({}));
    let action = json!({"text": "abcd", "cachedTokens": 10, "cacheWriteTokens": 5,
        "cacheWriteLongTokens": 4});
    let usage = ask(&provider, "converse", &action, &json!({})).json()["usage"].clone();
    assert_eq!((&usage["inputTokens"], &usage["cacheReadInputTokens"]), (&json!(0), &json!(10)));
    assert_eq!(usage["cacheDetails"][1], json!({"ttl": "1h", "inputTokens": 4}));
    assert_eq!(provider.bill()[0]["cost"], 10 * 50 + 5 * 125 + 4 * 200 + 1000);
    let counted = json!({"input": {"converse": body(&json!({}))}});
    let count = provider.ask("/model/m/count-tokens", KEY, &json!({}), &counted).json();
    assert_eq!((count, provider.bill().len()), (json!({"inputTokens": 2}), 1));
}

/// Requests that the real service refuses are refused in its words, and cost nothing.
#[test]
fn malformed_requests_are_refused() {
    let provider = provider(&json!({}));
    let user = json!({"role": "user", "content": [{"text": "x"}]});
    let call = json!({"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "t1", "name": "time", "input": {}}}]});
    let result = json!({"role": "user", "content": [
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "12"}]}}]});
    let talk = |messages: Value| json!({"messages": messages});
    for (extra, words) in [
        (json!({"messages": null}), "at 'messages' failed to satisfy constraint: Member must not"),
        (json!({"max_tokens": 5}), "#/max_tokens: extraneous key"),
        (json!({"inferenceConfig": {"maxTokens": 0}}), "greater than or equal to 1"),
        (talk(json!([call])), "must start with a user message"),
        (talk(json!([user, user])), "must alternate between user and assistant"),
        (talk(json!([{"role": "user", "content": []}])), "messages.0 is empty"),
        (talk(json!([{"role": "user", "content": [{"text": " "}]}])), "content.0 is blank"),
        (talk(json!([{"role": "user", "content": "x"}])), "expected a list"),
        (talk(json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}])), "extraneous"),
        (talk(json!([user, call, user])), "Expected toolResult blocks at messages.2.content"),
        (talk(json!([result])), "exceeds the number of toolUse blocks"),
        (talk(json!([user, call, result])), "The toolConfig field must be defined"),
        (json!({"toolConfig": {"tools": []}}), "length greater than or equal to 1"),
        (
            json!({"toolConfig": merged(&tools(), &json!({"toolChoice": {"none": {}}}))}),
            "extraneous",
        ),
        (
            talk(json!([user, {"role": "assistant", "content": [{"reasoningContent":
                {"reasoningText": {"text": "hm", "signature": "c2lnbmVk"}}}]}, user])),
            "Invalid `signature`",
        ),
    ] {
        let answer = ask(&provider, "converse", &json!({}), &extra);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{extra}");
        assert!(message.contains(words), "{extra}: {message}");
        let kind = if words == "expected a list" {
            "serializationexception"
        } else {
            "validationexception"
        };
        assert!(answer.head.contains(&format!("x-amzn-errortype: {kind}")), "{}", answer.head);
    }
    assert!(provider.bill().is_empty());
    let whole = talk(json!([user, call, result]));
    let whole = merged(&whole, &json!({"toolConfig": tools()}));
    assert_eq!(ask(&provider, "converse", &json!({}), &whole).status, 200);
}

/// Thinking that Claude signed at Anthropic's own door is accepted here.
#[test]
fn claudes_signatures_are_good_everywhere() {
    let provider = provider(&json!({}));
    let asked =
        json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]});
    let headers = format!("{KEY}anthropic-version: 2026-10-21\r\n");
    let said = provider.ask("/v1/messages", &headers, &json!({"thinking": "hm"}), &asked).json();
    let thought =
        json!({"reasoningText": {"text": "hm", "signature": said["content"][0]["signature"]}});
    let user = json!({"role": "user", "content": [{"text": "x"}]});
    let turns = json!([user, {"role": "assistant", "content": [
        {"reasoningContent": thought}, {"text": "y"}]}, user]);
    let answer = ask(&provider, "converse", &json!({}), &json!({"messages": turns}));
    assert_eq!(answer.status, 200);
}

/// Failures have the service's status and kind, also in mid-stream; a model's ARN may be the name.
#[test]
fn failures_are_the_services() {
    let provider = provider(&json!({"models": ["m", "arn:aws:bedrock:eu-central-1::x/y"]}));
    for (class, status, kind) in [
        ("serverError", 500, "internalserverexception"),
        ("timeout", 408, "modeltimeoutexception"),
        ("modelError", 424, "modelerrorexception"),
        ("notReady", 429, "modelnotreadyexception"),
        ("overloaded", 503, "serviceunavailableexception"),
        ("rateLimit", 429, "throttlingexception"),
        ("quota", 400, "servicequotaexceededexception"),
        ("auth", 403, "accessdeniedexception"),
        ("contextTooLong", 400, "validationexception"),
    ] {
        let answer = ask(&provider, "converse", &json!({"error": class}), &json!({}));
        assert_eq!(answer.status, status, "{class}");
        assert!(answer.head.contains(&format!("x-amzn-errortype: {kind}")), "{class}");
    }
    let action = json!({"errorAtEvent": 2, "error": "rateLimit", "text": "some words"});
    let (events, left) = frames(&ask(&provider, "converse-stream", &action, &json!({})).body);
    assert_eq!((events.len(), left, events[2].0.as_str()), (3, 0, "throttlingException"));
    let action = json!({"garbageAtEvent": 1, "text": "some words"});
    let (events, left) = frames(&ask(&provider, "converse-stream", &action, &json!({})).body);
    assert!(events.len() == 1 && left > 0);
    let text = body(&json!({}));
    let arn = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A%3Ax%2Fy/converse";
    assert_eq!(provider.ask(arn, KEY, &json!({}), &text).status, 200);
    assert_eq!(provider.ask("/model/gone/converse", KEY, &json!({}), &text).status, 400);
    let bare = receive(&mut provider.send("/model/m/converse", "", &text.to_string()));
    assert_eq!(bare.status, 403);
}

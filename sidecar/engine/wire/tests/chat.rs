//! Chat completions through the form and back: what they can hold survives, what they cannot is named.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use pointsman_wire::Fault;
use pointsman_wire::form::{
    Event, FinishReason, Frame, Garbled, Payload, Reader as _, Role, Writer as _,
};
use pointsman_wire::openai_chat::{answer, error, request, stream};
use serde_json::{Value, json};

#[path = "support/facts.rs"]
mod facts;
#[path = "../../core/tests/support/grammar.rs"]
mod grammar;

use facts::facts;

fn written(body: &Value) -> (Value, Vec<String>) {
    let read = request::read(body.to_string().as_bytes()).unwrap();
    let written = request::write(&read, "upstream").unwrap();
    let losses = written.losses.into_iter().map(|loss| loss.path).collect();
    (serde_json::from_slice(&written.body).unwrap(), losses)
}

/// A request with everything that chat and the form share comes out as it went in.
#[test]
fn a_request_survives() {
    let body = json!({
        "model": "upstream",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "c2", "content": "a dog"},
            {"role": "user", "content": "And?"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "Looks.",
            "parameters": {"type": "object", "properties": {"z": {"type": "integer"}, "at": {"type": "integer"}}},
            "strict": true,
        }}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "max_completion_tokens": 100, "temperature": 0.5, "top_p": 1, "stop": ["x"], "n": 2, "seed": -1,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "logit_bias": {"1": 2}, "logprobs": true,
        "top_logprobs": 3,
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "animal", "schema": {"type": "object"}, "strict": true}},
        "reasoning_effort": "xhigh", "verbosity": "low", "user": "u", "metadata": {"k": "v"},
        "service_tier": "flex",
    });
    let (after, losses) = written(&body);
    assert_eq!(after, body);
    assert_eq!(losses, Vec::<String>::new());
    let order: Vec<_> = after["tools"][0]["function"]["parameters"]["properties"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(order, ["z", "at"], "a model writes its members in the schema's order");
}

/// What other dialects have no place for is named, by the caller's own path.
#[test]
fn unknown_members_are_named() {
    let (_, losses) = written(&json!({
        "model": "m", "store": true, "prediction": {"type": "content"},
        "messages": [{"role": "user", "name": "Ann", "content": "hi"}],
    }));
    assert_eq!(losses, ["messages[0].name", "store", "prediction"]);
}

/// Every refusal names the member.
#[test]
fn bad_requests_name_the_member() {
    for (body, path) in [
        (json!({"model": "m"}), "messages"),
        (json!({"messages": []}), "model"),
        (json!({"model": "m", "messages": [{"role": "boss", "content": ""}]}), "messages[0].role"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (json!({"model": "m", "messages": [], "functions": []}), "functions"),
        (json!({"model": "m", "messages": [], "stream": 1}), "stream"),
        (json!([]), "body"),
    ] {
        let error = request::read(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.path, path, "{error}");
    }
}

/// A failed tool says so in words only, and its image follows as the user's (A11).
#[test]
fn results_with_images_keep_them() {
    use pointsman_wire::form::{Conversation, Media, MediaKind, Part, Source, ToolResult, Turn};
    let image = Media {
        kind: MediaKind::Image,
        source: Source::Url("https://example.com/a.png".into()),
        name: None,
        detail: None,
    };
    let result = ToolResult {
        id: "c1".into(),
        parts: vec![Part::text("see"), Payload::Media(image).into()],
        failed: true,
        ..ToolResult::default()
    };
    let turn = Turn { role: Role::User, parts: vec![Payload::Result(result).into()] };
    let written =
        request::write(&Conversation { turns: vec![turn], ..Conversation::default() }, "m")
            .unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(
        body["messages"][0],
        json!({"role": "tool", "tool_call_id": "c1", "content": "see"})
    );
    assert_eq!(body["messages"][1]["content"][0]["image_url"]["url"], "https://example.com/a.png");
    assert_eq!(written.losses[0].path, "is_error");
}

/// The signature of a tool call comes back on the id, whatever the client drops (A11).
#[test]
fn signatures_ride_on_ids() {
    let body = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}},
         "extra_content": {"google": {"thought_signature": "c2ln"}}}]}}]});
    let reply = answer::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(reply.choices[0].finish.reason, FinishReason::Calls, "Ollama says stop (A8)");
    let written: Value = serde_json::from_slice(&answer::write(&reply, &facts())).unwrap();
    let call = &written["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["id"], "c1__thought__c2ln");
    assert_eq!(call["function"]["arguments"], "{\"a\":1}");
    let back = json!({"model": "m", "messages": [
        {"role": "assistant", "tool_calls": [{"id": call["id"], "type": "function", "function": call["function"]}]},
        {"role": "tool", "tool_call_id": call["id"], "content": "ok"}]});
    let read = request::read(back.to_string().as_bytes()).unwrap();
    let Payload::Call(call) = &read.turns[0].parts[0].payload else { panic!() };
    assert_eq!((call.id.as_str(), call.signature.as_deref()), ("c1", Some("c2ln")));
    let Payload::Result(result) = &read.turns[1].parts[0].payload else { panic!() };
    assert_eq!((result.id.as_str(), result.name.as_deref()), ("c1", Some("f")));
}

/// An error body, an empty one and a cut one are no answers.
#[test]
fn what_is_no_answer() {
    assert!(matches!(answer::read(b"{\"error\":{\"message\":\"x\"}}"), Err(Garbled::Error(_))));
    assert_eq!(answer::read(b"{\"choices\":[]}"), Err(Garbled::Empty));
    assert_eq!(answer::read(b"{\"choices\":[{"), Err(Garbled::Malformed));
}

fn frames(body: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(body).unwrap();
    text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
}

fn events(chunks: &[&str]) -> Result<Vec<Event>, Garbled> {
    let (mut reader, mut out) = (stream::Reader::default(), Vec::new());
    for chunk in chunks {
        reader.read(Frame { name: "", data: chunk.as_bytes() }, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(out)
}

const CHUNKS: &[&str] = &[
    r#"{"id":"x","model":"up","created":5,"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}],"usage":null}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"content":"lo"}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{\"k\""}}]}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"id":"x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}}"#,
    "[DONE]",
];

/// Chunks -> events -> chunks is a stream of the same meaning that obeys chat's grammar.
#[test]
fn a_stream_survives() {
    let read = events(CHUNKS).unwrap();
    let (mut writer, mut out) = (stream::Writer::new(facts()), Vec::new());
    read.iter().for_each(|event| writer.write(event, &mut out));
    assert_eq!(grammar::check(&out), Ok(grammar::Verdict::Done));
    let again: Vec<String> = frames(&out);
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let second = events(&again).unwrap();
    // A call without arguments says {} on the way down; all else is the same.
    let spoken: Vec<Event> =
        second.into_iter().filter(|event| !matches!(event, Event::Delta { part: 2, .. })).collect();
    assert_eq!(spoken, read);
    assert!(String::from_utf8_lossy(&out).contains(r#""arguments":"{}""#));
}

/// Cut anywhere, neither the reader nor what the writer wrote is complete (I9).
#[test]
fn a_cut_stream_is_incomplete() {
    for length in 0..CHUNKS.len() {
        let cut = &CHUNKS[..length];
        assert_eq!(events(cut), Err(Garbled::Malformed), "{length}");
        let (mut reader, mut read) = (stream::Reader::default(), Vec::new());
        for chunk in cut {
            reader.read(Frame { name: "", data: chunk.as_bytes() }, &mut read).unwrap();
        }
        let (mut writer, mut out) = (stream::Writer::new(facts()), Vec::new());
        read.iter().for_each(|event| writer.write(event, &mut out));
        out.extend(error::event(&Fault {
            status: 502,
            kind: "server_error".into(),
            code: Some("upstream_truncated".into()),
            param: None,
            message: "a\nb".into(),
            request_id: "r".into(),
        }));
        assert_eq!(grammar::check(&out), Ok(grammar::Verdict::Failed), "{length}");
    }
}

/// Ollama says index 0 for each of several calls (A8); another id is another call.
#[test]
fn calls_of_one_index_are_told_apart() {
    let read = events(&[
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":null,"finish_reason":"stop"}]}"#,
        "[DONE]",
    ])
    .unwrap();
    let opened = read.iter().filter(|event| matches!(event, Event::Open { .. })).count();
    assert_eq!(opened, 2);
    assert!(read.iter().any(|event| matches!(
        event, Event::Finish { finish, .. } if finish.reason == FinishReason::Calls)));
}

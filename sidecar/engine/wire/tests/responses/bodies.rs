//! Responses through the form and back: what they can hold survives, what they cannot is named.

use pointsman_wire::form::{
    Dialect, FinishReason, Garbled, Payload, Role, Source, Thinking, ToolChoice,
};
use pointsman_wire::openai_responses::{answer, error, request};
use pointsman_wire::{Fault, openai_chat};
use serde_json::{Value, json};

use crate::frames::facts;

fn written(body: &Value) -> (Value, Vec<String>) {
    let read = request::read(body.to_string().as_bytes()).unwrap();
    let written = request::write(&read, "upstream").unwrap();
    let losses = written.losses.into_iter().map(|loss| loss.path).collect();
    (serde_json::from_slice(&written.body).unwrap(), losses)
}

/// A request with everything that Responses know comes out as it went in, state and all.
#[test]
fn a_request_survives() {
    let body = json!({
        "model": "upstream",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "system", "content": "Really."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is this?",
                 "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
                {"type": "input_file", "file_url": "https://example.org/b.pdf"},
                {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "wav"}},
            ]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Look."}], "id": "rs_1",
             "encrypted_content": "gAAAA+/="},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "message", "role": "assistant", "content": "Looking."},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"at\":1}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
            {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "user", "content": "And?"},
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            {"type": "item_reference", "id": "msg_1"},
        ],
        "tools": [
            {"type": "function", "name": "look", "description": "Looks.",
             "parameters": {"type": "object", "properties": {"z": {"type": "integer"}, "at": {"type": "integer"}}},
             "strict": true},
            {"type": "custom", "name": "sh", "format": {"type": "text"}},
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "function", "name": "look"}, {"type": "custom", "name": "sh"}]},
        "parallel_tool_calls": false,
        "max_output_tokens": 100, "temperature": 0.5, "top_p": 1,
        "text": {"format": {"type": "json_schema", "name": "animal", "schema": {"type": "object"}, "strict": true},
                 "verbosity": "low"},
        "reasoning": {"effort": "xhigh", "summary": "auto"},
        "user": "u", "metadata": {"k": "v"}, "service_tier": "flex",
        "previous_response_id": "resp_1", "background": true, "max_tool_calls": 3,
        "prompt_cache_key": "k", "truncation": "auto",
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "store": true, "top_logprobs": 2,
    });
    let (after, losses) = written(&body);
    assert_eq!(after, body);
    assert_eq!(losses, Vec::<String>::new());
    let properties = after["tools"][0]["parameters"]["properties"].as_object().unwrap();
    let order: Vec<_> = properties.keys().collect();
    assert_eq!(order, ["z", "at"], "a model writes its members in the schema's order");
}

/// A question as text is one turn, and is written as text again; nothing is stored unasked.
#[test]
fn a_question_stays_a_text() {
    let (after, losses) = written(&json!({"model": "m", "input": "hi", "stream": true}));
    assert_eq!(after, json!({"model": "upstream", "input": "hi", "store": false, "stream": true}));
    assert_eq!(losses, Vec::<String>::new());
}

/// What lives at one provider binds the request to it: no other dialect may carry it.
#[test]
fn state_is_refused_elsewhere() {
    let cases = [
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"conversation": {"id": "conv_1"}}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"background": true}), "background"),
        (json!({"input": [{"type": "item_reference", "id": "rs_1"}]}), "input[0].id"),
    ];
    for (mut body, path) in cases {
        body["model"] = "m".into();
        let read = request::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.state, [path]);
        assert_eq!(openai_chat::request::write(&read, "m").unwrap_err().path, path);
        assert!(request::write(&read, "m").is_ok(), "its own dialect carries it");
    }
}

/// Wishes that ask for nothing (defaults written out) are no losses; deep members are named by their path.
#[test]
fn losses_are_what_is_lost() {
    let body = json!({
        "model": "m", "store": false, "background": false, "truncation": "disabled", "include": [],
        "stream_options": {"include_obfuscation": false}, "max_tool_calls": 3,
        "reasoning": {"effort": "low", "context": "auto"},
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c", "name": "f",
             "arguments": "{}", "namespace": "n"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "logprobs": [],
                 "annotations": [{"type": "file_path", "file_id": "f", "index": 1}]}]},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}, "defer_loading": true}],
    });
    let read = request::read(body.to_string().as_bytes()).unwrap();
    let losses: Vec<_> = read.begin_losses().unwrap().into_iter().map(|loss| loss.path).collect();
    let expected = [
        "tools[0].defer_loading",
        "input[1].namespace",
        "input[2].content[0].annotations",
        "reasoning.context",
        "max_tool_calls",
    ];
    assert_eq!(losses, expected);
}

/// What the model said, thought and called in a row is one turn, and so are the results that follow.
#[test]
fn items_in_a_row_are_one_turn() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "q"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{\"cut"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": ""},
        {"role": "user", "content": "more"},
    ]});
    let read = request::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(read.origin, Some(Dialect::OpenAiResponses));
    let roles: Vec<_> = read.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected = [(Role::User, 1), (Role::Assistant, 3), (Role::User, 2), (Role::User, 1)];
    assert_eq!(roles, expected);
    let Payload::Result(result) = &read.turns[2].parts[1].payload else { panic!("no result") };
    assert_eq!((result.id.as_str(), result.name.as_deref()), ("b", Some("g")));
    let Payload::Call(call) = &read.turns[1].parts[2].payload else { panic!("no call") };
    assert_eq!(call.arguments, "{\"cut", "arguments are never repaired");
}

/// A malformed request is told by the member that is wrong.
#[test]
fn errors_name_the_member() {
    let cases = [
        (json!({"input": "hi"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": 1}), "input"),
        (json!({"model": "m", "input": [{"content": "hi"}]}), "input[0].type"),
        (json!({"model": "m", "input": [{"role": "robot", "content": "hi"}]}), "input[0].role"),
        (
            json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": ""}]}),
            "input[0].call_id",
        ),
        (json!({"model": "m", "input": "hi", "tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"model": "m", "input": "hi", "tool_choice": "maybe"}), "tool_choice"),
        (
            json!({"model": "m", "input": "hi", "text": {"format": {"type": "xml"}}}),
            "text.format.type",
        ),
        (json!({"model": "m", "input": "hi", "reasoning": {"effort": "hard"}}), "reasoning.effort"),
        (json!({"model": "m", "input": "hi", "max_output_tokens": -1}), "max_output_tokens"),
    ];
    for (body, path) in cases {
        assert_eq!(request::read(body.to_string().as_bytes()).unwrap_err().path, path, "{body}");
    }
}

/// What would change the kind of answer is refused; what tunes it is lost by name.
#[test]
fn what_responses_cannot_do() {
    let chat = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let read = openai_chat::request::read(body.to_string().as_bytes()).unwrap();
        request::write(&read, "m")
    };
    assert_eq!(chat(json!({"n": 2})).unwrap_err().path, "n");
    assert_eq!(chat(json!({"stop": "x"})).unwrap_err().path, "stop");
    assert_eq!(chat(json!({"modalities": ["text", "audio"]})).unwrap_err().path, "modalities");
    let file = json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]);
    assert_eq!(chat(json!({"messages": file})).unwrap_err().path, "messages[0]");
    let tuned = json!({
        "n": 1, "seed": 1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "logit_bias": {"1": 1},
        "logprobs": true, "top_logprobs": 2, "top_k": 3, "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "k", "store": true,
    });
    let written = chat(tuned).unwrap();
    let losses: Vec<_> = written.losses.iter().map(|loss| loss.path.as_str()).collect();
    let expected = [
        "prediction",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
    ];
    assert_eq!(losses, expected);
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!((&body["prompt_cache_key"], &body["store"]), (&json!("k"), &json!(true)));
}

/// Signatures and reasoning of another provider never reach OpenAI, nor do ids that nobody gave.
#[test]
fn nothing_of_another_provider_goes_along() {
    let mut read = request::read(
        json!({"model": "m", "input": [
            {"role": "user", "content": "q"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sig"},
            {"type": "function_call", "call_id": "", "name": "f", "arguments": ""},
            {"type": "function_call_output", "call_id": "", "output": "1"},
        ]})
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    read.origin = Some(Dialect::Gemini);
    read.tool_choice = Some(ToolChoice::Required);
    let written = request::write(&read, "m").unwrap();
    assert_eq!(written.losses.len(), 1);
    assert_eq!(written.losses[0].path, "thinking");
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    let expected = json!([
        {"type": "message", "role": "user", "content": "q"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    ]);
    assert_eq!(body["input"], expected);
}

/// An answer with everything in it is read into the form, citations and a provider's own items too.
#[test]
fn an_answer_is_read() {
    let body = json!({
        "id": "resp_1", "object": "response", "created_at": 1.5e9, "status": "completed", "model": "gpt-x",
        "error": null, "service_tier": "default",
        "output": [
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "sig", "summary": [
                {"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]},
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": [
                {"type": "output_text", "text": "hi", "annotations": [{"type": "url_citation"}]},
                {"type": "refusal", "refusal": "no"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30,
                  "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10}},
                  "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 109},
        "tool_usage": {"web_search": {"num_requests": 2}},
    });
    let reply = answer::read(body.to_string().as_bytes()).unwrap();
    assert_eq!((reply.id.as_deref(), reply.created), (Some("resp_1"), Some(1_500_000_000)));
    let choice = &reply.choices[0];
    assert_eq!(choice.finish.reason, FinishReason::Calls);
    let thinking = Thinking {
        text: "one\n\ntwo".into(),
        signature: Some("sig".into()),
        redacted: false,
        id: Some("rs_1".into()),
    };
    assert_eq!(choice.parts[0].payload, Payload::Thinking(thinking));
    let kinds: Vec<_> = choice.parts[1..]
        .iter()
        .map(|part| match &part.payload {
            Payload::Foreign { kind, .. } => kind.as_str(),
            Payload::Text(text) | Payload::Refusal(text) => text.as_str(),
            Payload::Call(call) => call.id.as_str(),
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["web_search_call", "hi", "annotations", "no", "c1"]);
    let tokens = reply.usage.unwrap();
    assert_eq!((tokens.input, tokens.cache_read), (100, 60));
    assert_eq!((tokens.cache_write, tokens.cache_write_long), (20, 10));
    assert_eq!((tokens.output, tokens.reasoning, tokens.web_searches), (9, 4, 2));
    assert_eq!(tokens.service_tier.as_deref(), Some("default"));
}

/// An answer that is none says so: an error's words are kept, a background response is no answer.
#[test]
fn an_answer_that_is_none() {
    let read = |body: Value| answer::read(body.to_string().as_bytes()).unwrap_err();
    let error = json!({"code": "server_error", "message": "m"});
    let failed = json!({"status": "failed", "output": [], "error": error});
    assert_eq!(read(failed), Garbled::Error(error.to_string()));
    assert_eq!(read(json!({"error": error})), Garbled::Error(error.to_string()));
    assert!(matches!(read(json!({"status": "cancelled", "output": []})), Garbled::Error(_)));
    assert_eq!(read(json!({"status": "queued", "output": []})), Garbled::Empty);
    assert_eq!(read(json!({"status": "completed"})), Garbled::Malformed);
    assert_eq!(answer::read(b"{").unwrap_err(), Garbled::Malformed);
}

/// A cut answer's last item is not whole: its arguments stay as the model left them.
#[test]
fn a_cut_call_is_not_repaired() {
    let chat = json!({"id": "x", "model": "m", "created": 5, "choices": [{"finish_reason": "length", "message": {
        "content": "a", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}},
            {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{\"x\": "}}]}}]});
    let reply = openai_chat::answer::read(chat.to_string().as_bytes()).unwrap();
    let body: Value = serde_json::from_slice(&answer::write(&reply, &facts())).unwrap();
    assert_eq!(body["status"], "incomplete");
    assert_eq!(body["incomplete_details"], json!({"reason": "max_output_tokens"}));
    let items: Vec<_> = body["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].as_str().unwrap(), item["status"].as_str().unwrap()))
        .collect();
    let expected =
        [("msg_abc_0", "completed"), ("fc_abc_1", "completed"), ("fc_abc_2", "incomplete")];
    assert_eq!(items, expected);
    assert_eq!(body["output"][1]["arguments"], "{}");
    assert_eq!(body["output"][2]["arguments"], "{\"x\": ");
    assert_eq!((&body["id"], &body["created_at"]), (&json!("resp_x"), &json!(5)));
    assert_eq!(body["usage"], Value::Null, "unknown is not zero");
}

/// Our errors have OpenAI's shape; in a stream SDKs raise at the first event and nothing ends after it.
#[test]
fn errors_have_openais_shape() {
    let fault = Fault {
        status: 503,
        kind: "server_error".into(),
        code: Some("upstream\n".into()),
        param: None,
        message: "gone\r\n\r\ndata: x; try again".into(),
        request_id: "r1".into(),
    };
    let body: Value = serde_json::from_slice(&error::plain(&fault)).unwrap();
    assert_eq!(body["error"]["type"], "server_error");
    let text = String::from_utf8(error::event(&fault)).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 4, "nothing breaks out of its line");
    assert_eq!((lines[0], lines[2]), ("event: error", "event: response.failed"));
    let data: Vec<Value> =
        [lines[1], lines[3]].map(|line| serde_json::from_str(&line[6..]).unwrap()).into();
    assert_eq!(data[0]["error"]["message"], fault.message);
    assert_eq!(data[1]["response"]["status"], "failed");
    assert_eq!(data[1]["response"]["error"]["message"], fault.message);
    assert!(data[0]["sequence_number"].as_u64() < data[1]["sequence_number"].as_u64());
}

/// A picture is where it was: inline, at an address or at the provider.
#[test]
fn pictures_keep_their_place() {
    let image = |member: &str, value: &str| {
        let part = json!({"type": "input_image", member: value});
        let body = json!({"model": "m", "input": [{"role": "user", "content": [part]}]});
        let read = request::read(body.to_string().as_bytes()).unwrap();
        let Payload::Media(media) = read.turns[0].parts[0].payload.clone() else {
            panic!("no media")
        };
        media.source
    };
    let inline = Source::Inline { media_type: "image/png".into(), data: "AAAA".into() };
    assert_eq!(image("image_url", "data:image/png;base64,AAAA"), inline);
    assert_eq!(image("image_url", "https://x/y"), Source::Url("https://x/y".into()));
    assert_eq!(image("file_id", "file-1"), Source::File("file-1".into()));
}

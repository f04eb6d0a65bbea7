//! Legacy completions through the form and back, and what of chat they can and cannot stand for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use pointsman_wire::form::{Event, FinishReason, Frame, Garbled, Reader, Role, Writer};
use pointsman_wire::openai_completions::{answer, request, stream};
use pointsman_wire::{openai_chat, openai_responses};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "support/assemble.rs"]
mod assemble;
#[path = "support/facts.rs"]
mod facts;

use facts::facts;

fn events(reader: &mut dyn Reader, frames: &[String]) -> Result<Vec<Event>, Garbled> {
    let mut out = Vec::new();
    for data in frames {
        reader.read(Frame { name: "", data: data.as_bytes() }, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(out)
}

fn written(writer: &mut dyn Writer, events: &[Event]) -> Vec<String> {
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    let text = String::from_utf8(out).unwrap();
    let data = |frame: &str| frame.strip_prefix("data: ").unwrap().to_owned();
    text.split_terminator("\n\n").map(data).collect()
}

/// A request comes out as it went in, whatever its prompt is made of.
#[test]
fn a_request_survives() {
    for prompt in [json!("a"), json!([1, 2]), json!(["a", "b"]), json!([[1], [2]]), json!([7])] {
        let body = json!({
            "model": "m", "prompt": prompt, "suffix": "z", "echo": true, "best_of": 3, "logprobs": 2,
            "max_tokens": 5, "temperature": 0.5, "top_p": 1, "stop": ["x"], "n": 2, "seed": 1,
            "presence_penalty": 0.1, "frequency_penalty": 0.2, "logit_bias": {"1": 2}, "user": "u",
            "stream": true, "stream_options": {"include_usage": true}, "min_p": 0.1,
        });
        let read = request::read(body.to_string().as_bytes()).unwrap();
        let written = request::write(&read, "m").unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written.body).unwrap(), body);
        assert_eq!(written.losses, []);
    }
}

/// One text is one turn of the user's in chat, with the cap that completions have; tuning is lost by name.
#[test]
fn one_text_is_a_turn() {
    for prompt in [json!("Once"), json!(["Once"])] {
        let body = json!({"model": "m", "prompt": prompt, "best_of": 2, "echo": false, "suffix": "", "user": "u"});
        let read = request::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.turns[0].role, Role::User);
        let written = openai_chat::request::write(&read, "up").unwrap();
        let losses: Vec<_> = written.losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(losses, ["best_of"]);
        let expected = json!({
            "model": "up", "messages": [{"role": "user", "content": "Once"}],
            "max_completion_tokens": 16, "user": "u",
        });
        assert_eq!(serde_json::from_slice::<Value>(&written.body).unwrap(), expected);
    }
}

/// What has no counterpart in a chat binds the request to completions.
#[test]
fn what_is_no_text_is_refused_elsewhere() {
    let cases = [
        (json!({"prompt": [1, 2]}), "prompt"),
        (json!({"prompt": ["a", "b"]}), "prompt"),
        (json!({"prompt": "a", "suffix": "b"}), "suffix"),
        (json!({"prompt": "a", "echo": true}), "echo"),
    ];
    for (mut body, path) in cases {
        body["model"] = "m".into();
        let read = request::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(openai_chat::request::write(&read, "m").unwrap_err().path, path);
        assert_eq!(openai_responses::request::write(&read, "m").unwrap_err().path, path);
    }
    for prompt in [json!(null), json!({}), json!([]), json!([{}]), json!(1)] {
        let body = json!({"model": "m", "prompt": prompt});
        assert_eq!(request::read(body.to_string().as_bytes()).unwrap_err().path, "prompt");
    }
}

/// A chat of one text is a prompt; any other is refused by the member that is too much.
#[test]
fn a_chat_is_more_than_a_prompt() {
    let chat = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let read = openai_chat::request::read(body.to_string().as_bytes()).unwrap();
        request::write(&read, "up")
    };
    let plain =
        chat(json!({"max_tokens": 3, "logprobs": true, "reasoning_effort": "low"})).unwrap();
    let body: Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(body, json!({"model": "up", "prompt": "hi", "max_tokens": 3}));
    let losses: Vec<_> = plain.losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(losses, ["logprobs", "reasoning_effort"]);
    let system = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]);
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]);
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    for (more, path) in [
        (json!({"messages": system}), "messages"),
        (json!({"messages": image}), "messages[0]"),
        (json!({"tools": tool}), "tools"),
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
    ] {
        assert_eq!(chat(more).unwrap_err().path, path);
    }
}

/// An answer of several choices is read and written; errors and empty answers are none.
#[test]
fn an_answer_survives() {
    let usage = openai_chat::answer::read(
        json!({"choices": [{}], "usage": {"prompt_tokens": 1, "completion_tokens": 0}})
            .to_string()
            .as_bytes(),
    )
    .unwrap()
    .usage;
    let body = json!({
        "id": "cmpl-1", "object": "text_completion", "created": 5, "model": "m", "choices": [
            {"index": 0, "text": " upon", "logprobs": null, "finish_reason": "length"},
            {"index": 1, "text": "", "logprobs": null, "finish_reason": "stop"},
            {"index": 2, "text": "x", "logprobs": null, "finish_reason": "content_filter"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
    });
    let reply = answer::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(reply.usage, usage, "an explicit zero is a value");
    assert_eq!(reply.choices[2].finish.reason, FinishReason::Filter);
    let after: Value = serde_json::from_slice(&answer::write(&reply, &facts())).unwrap();
    assert_eq!(after["choices"], body["choices"]);
    assert_eq!((&after["id"], &after["usage"]["total_tokens"]), (&json!("cmpl-1"), &json!(1)));
    assert_eq!(answer::read(b"{\"choices\":[]}"), Err(Garbled::Empty));
    assert_eq!(
        answer::read(b"{\"error\":{\"message\":\"m\"}}"),
        Err(Garbled::Error("{\"message\":\"m\"}".into()))
    );
    assert_eq!(answer::read(b"{\"choices\":"), Err(Garbled::Malformed));
}

/// A chat's stream goes down as completions: what the model says, without what it thinks.
#[test]
fn a_chat_streams_as_completions() {
    let delta = |delta: Value, reason: Value| {
        json!({"id": "c", "created": 5, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
            .to_string()
    };
    let frames = [
        delta(json!({"role": "assistant", "reasoning_content": "hm"}), Value::Null),
        delta(json!({"content": "a\n\ndata: [DONE]"}), Value::Null),
        delta(json!({}), "length".into()),
        json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).to_string(),
        "[DONE]".to_owned(),
    ];
    let mut reader = openai_chat::stream::Reader::default();
    let events = events(&mut reader, &frames).unwrap();
    let lines = written(&mut stream::Writer::new(facts()), &events);
    let said: Vec<Value> =
        lines[..lines.len() - 1].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said[0]["choices"][0]["text"], "a\n\ndata: [DONE]");
    assert_eq!(
        said[1]["choices"][0],
        json!({"index": 0, "text": "", "logprobs": null, "finish_reason": "length"})
    );
    assert_eq!((&said[2]["choices"], &said[2]["usage"]["total_tokens"]), (&json!([]), &json!(3)));
    assert_eq!((said.len(), lines.last().unwrap().as_str()), (3, "[DONE]"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A stream says what the plain answer says, and cut anywhere it has no end.
    #[test]
    fn a_stream_says_what_the_plain_answer_says(
        texts in prop::collection::vec(any::<String>(), 1..3), reason in prop::sample::select(vec!["stop", "length"]),
    ) {
        let choice = |(index, text): (usize, &String)| json!({"index": index, "text": text, "finish_reason": reason});
        let choices: Vec<Value> = texts.iter().enumerate().map(choice).collect();
        let body = json!({"id": "cmpl-1", "created": 5, "model": "m", "choices": choices,
            "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
        let plain = answer::read(body.to_string().as_bytes()).unwrap();
        let lines = written(&mut stream::Writer::new(facts()), &assemble::events(&plain, 3, false));
        let mut reader = stream::Reader::default();
        prop_assert_eq!(assemble::assemble(events(&mut reader, &lines).unwrap()), plain);
        for cut in 0..lines.len() {
            let mut reader = stream::Reader::default();
            prop_assert_eq!(events(&mut reader, &lines[..cut]), Err(Garbled::Malformed));
        }
    }

    /// Reading never panics.
    #[test]
    fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (request::read(&data), answer::read(&data));
        let _ = stream::Reader::default().read(Frame { name: "", data: &data }, &mut Vec::new());
    }
}

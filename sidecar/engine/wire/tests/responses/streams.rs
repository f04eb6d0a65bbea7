//! Streams of Responses: what is written obeys the grammar, what providers send is read in all its
//! spellings, and a cut one is never whole.

use pointsman_wire::Fault;
use pointsman_wire::form::{
    Event, Finish, FinishReason, Garbled, Opening, Part, Payload, Piece, Tokens, Writer as _,
};
use pointsman_wire::openai_responses::{answer, error, stream};
use serde_json::{Value, json};

use crate::assemble::assemble;
use crate::frames::{facts, frames, raw, read, write};
use crate::grammar::{End, check};

fn sample() -> Vec<Event> {
    let call = |id: &str| Opening::Call {
        id: id.into(),
        name: "f".into(),
        custom: false,
        signature: None,
    };
    let open = |part, opening| Event::Open { choice: 0, part, opening };
    let delta = |part, piece| Event::Delta { choice: 0, part, piece };
    let close = |part| Event::Close { choice: 0, part };
    let finish = Finish { reason: FinishReason::Calls, raw: "tool_calls".into() };
    vec![
        Event::Begin { id: Some("x".into()), model: None, created: None },
        open(0, Opening::Thinking { redacted: false }),
        delta(0, Piece::Text("hm".into())),
        delta(0, Piece::Signature("sig".into())),
        close(0),
        open(1, Opening::Text),
        delta(1, Piece::Text("é\n\ndata: [DONE]".into())),
        open(2, call("c1")),
        open(3, call("c2")),
        delta(2, Piece::Arguments("{\"a\":".into())),
        delta(3, Piece::Arguments("{\"b\":2}".into())),
        delta(2, Piece::Arguments("1}".into())),
        close(1),
        close(2),
        close(3),
        Event::Finish { choice: 0, finish },
        Event::Usage(Tokens { input: 1, output: 2, ..Tokens::default() }),
        Event::End,
    ]
}

/// A11, parallel tool deltas: calls that come interleaved are items one after the other.
#[test]
fn interleaved_calls_are_items_in_a_row() {
    let stream = write(&sample());
    assert_eq!(check(&stream), Ok(End::Whole));
    let last: Value = serde_json::from_str(&frames(&stream).last().unwrap().1).unwrap();
    let said: Vec<_> = last["response"]["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["type"].as_str().unwrap(), item["arguments"].as_str()))
        .collect();
    let call = |arguments| ("function_call", Some(arguments));
    let expected = [("reasoning", None), ("message", None), call("{\"a\":1}"), call("{\"b\":2}")];
    assert_eq!(said, expected);
    assert_eq!(last["response"]["usage"]["total_tokens"], 3);
    assert!(!String::from_utf8(stream).unwrap().contains("sig"), "another's signature stays away");
}

/// Cut at any byte, a stream is not whole to the grammar, and cut at any event not to the reader.
#[test]
fn a_cut_stream_is_never_whole() {
    let stream = write(&sample());
    for cut in 0..stream.len() - 1 {
        assert_eq!(check(&stream[..cut]), Ok(End::Cut), "at {cut}");
    }
    let frames = frames(&stream);
    for cut in 0..frames.len() {
        assert_eq!(read(&frames[..cut]), Err(Garbled::Malformed), "at {cut}");
    }
    for cut in 0..sample().len() {
        let stream = write(&sample()[..cut]);
        assert_eq!(check(&stream), Ok(End::Cut), "without an end none is written");
    }
}

/// A failure breaks the stream off wherever it stands: nothing comes after it, above all no end.
#[test]
fn a_failure_is_the_last_word() {
    let fault = Fault {
        status: 502,
        kind: "server_error".into(),
        code: None,
        param: None,
        message: "gone".into(),
        request_id: "r".into(),
    };
    for cut in 0..sample().len() - 1 {
        let (mut writer, mut out) = (stream::Writer::new(facts()), Vec::new());
        sample()[..cut].iter().for_each(|event| writer.write(event, &mut out));
        let mut other = out.clone();
        writer.fail(&fault, &mut out);
        sample()[cut..].iter().for_each(|event| writer.write(event, &mut out));
        assert_eq!(check(&out), Ok(End::Failed));
        other.extend(error::event(&fault));
        assert_eq!(check(&other), Ok(End::Failed), "without the writer, too");
        let told = read(&frames(&out)).unwrap();
        let Some(Event::Error(told)) = told.last() else { panic!("no error: {told:?}") };
        assert!(told.contains("gone"));
    }
}

/// Errors that a provider tells in mid-stream are errors, in all their spellings; what follows is nothing.
#[test]
fn errors_of_providers() {
    let flat = json!({"type": "error", "code": "c", "message": "flat", "sequence_number": 3});
    let nested = json!({"type": "error", "error": {"message": "nested"}});
    let bare = json!({"error": {"message": "bare"}});
    let failed = json!({"type": "response.failed", "response": {"error": {"message": "failed"}}});
    let unsaid = json!({"type": "response.failed", "response": {"error": null}});
    let inside = json!({"type": "response.completed", "response": {
        "status": "failed", "error": {"message": "inside"}, "output": []}});
    for (event, word) in [
        (flat, "flat"),
        (nested, "nested"),
        (bare, "bare"),
        (failed, "failed"),
        (unsaid, "server_error"),
        (inside, "inside"),
    ] {
        let after = json!({"type": "response.completed", "response": {"status": "completed", "output": []}});
        let told = read(&raw(&[event, after])).unwrap();
        let Some(Event::Error(told)) = told.last() else { panic!("no error: {told:?}") };
        assert!(told.contains(word), "{told}");
    }
}

/// A11, arguments that come whole: at `done`, with the item, or at the very end; none is lost or doubled.
#[test]
fn whole_arguments_are_not_lost() {
    let item = |arguments: &str| json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": arguments});
    let added = json!({"type": "response.output_item.added", "output_index": 0, "item": item("")});
    let delta =
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"});
    let said = json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item("{}")});
    let end = json!({"type": "response.completed", "response": {
        "id": "r", "model": "m", "status": "completed", "output": [item("{}")]}});
    let ways: [&[&Value]; 6] = [
        &[&added, &delta, &said, &done, &end],
        &[&added, &delta, &end],
        &[&added, &said, &done, &end],
        &[&added, &done, &end],
        &[&done, &end],
        &[&end],
    ];
    for way in ways {
        let way: Vec<Value> = way.iter().copied().cloned().collect();
        let reply = assemble(read(&raw(&way)).unwrap());
        let choice = &reply.choices[0];
        assert_eq!(choice.finish.reason, FinishReason::Calls);
        let [Part { payload: Payload::Call(call), .. }] = choice.parts.as_slice() else {
            panic!("{way:?}")
        };
        assert_eq!((call.id.as_str(), call.arguments.as_str()), ("c", "{}"));
    }
}

/// A call under the number of the message before it (some servers count so) is lost no more than any other.
#[test]
fn a_number_used_twice() {
    let call = json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"});
    let events = [
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": call}),
        json!({"type": "response.completed", "response": {"id": "r", "model": "m", "status": "completed", "output": []}}),
    ];
    let reply = assemble(read(&raw(&events)).unwrap());
    let [said, called] = reply.choices[0].parts.as_slice() else { panic!("{reply:?}") };
    assert_eq!(said, &Part::text("hi"));
    assert!(matches!(&called.payload, Payload::Call(call) if call.arguments == "{}"));
}

/// Two blocks of a summary are one text with a blank line between, as in the plain answer.
#[test]
fn blocks_of_reasoning() {
    let event = |kind: &str, block: u64, key: &str, text: &str| {
        json!({
        "type": kind, "output_index": 0, "summary_index": block, key: text})
    };
    let delta = "response.reasoning_summary_text.delta";
    let done = "response.reasoning_summary_text.done";
    let item = |summary: Value| json!({"type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": "sig"});
    let blocks =
        json!([{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]);
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs", "summary": []}}),
        event(delta, 0, "delta", "o"),
        event(delta, 0, "delta", "ne"),
        event(done, 0, "text", "one"),
        event(done, 1, "text", "two"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item(blocks.clone())}),
        json!({"type": "response.incomplete", "response": {"id": "r", "model": "m", "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"}, "output": [item(blocks)]}}),
    ];
    let mut streamed = assemble(read(&raw(&events)).unwrap());
    let plain = answer::read(events[6]["response"].to_string().as_bytes()).unwrap();
    assert_eq!(streamed.choices[0].finish.reason, FinishReason::Length);
    if let Payload::Thinking(thinking) = &mut streamed.choices[0].parts[0].payload {
        thinking.id = Some("rs".into()); // no event of the form tells it
    }
    assert_eq!(streamed, plain);
}

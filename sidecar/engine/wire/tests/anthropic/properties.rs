//! What holds for any answer, any conversation and any bytes on Anthropic's side.

use pointsman_wire::Fault;
use pointsman_wire::anthropic_messages::{answer, count_tokens, error, request, stream};
use pointsman_wire::form::{Conversation, Event, Frame, Reader as _, Turn};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::any_json::any_json;
use crate::assemble;
use crate::build::facts;
use crate::grammar::{self, Verdict};
use crate::samples::{WORDS, any_reply, conversation, lawful_reply};
use crate::stream::written;

/// Turns of one speaker are one after writing: so they are before comparing.
fn merged(mut conversation: Conversation) -> Conversation {
    let mut turns: Vec<Turn> = Vec::new();
    for turn in conversation.turns {
        match turns.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    conversation.turns = turns;
    conversation
}

fn read(body: &[u8]) -> Result<Vec<Event>, Vec<Event>> {
    let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
    for event in std::str::from_utf8(body).unwrap().split("\n\n").filter(|event| !event.is_empty())
    {
        let (name, data) = event.split_once('\n').unwrap();
        let (name, data) =
            (name.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap());
        reader.read(Frame { name, data: data.as_bytes() }, &mut events).unwrap();
    }
    match reader.finish(&mut events) {
        Ok(()) => Ok(events),
        Err(_) => Err(events),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A plain answer that Anthropic can hold is read as it was written.
    #[test]
    fn a_reply_survives(reply in lawful_reply()) {
        prop_assert_eq!(answer::read(&answer::write(&reply, &facts())).unwrap(), reply);
    }

    /// A conversation that Anthropic can hold is read as it was written, nothing is lost.
    #[test]
    fn a_conversation_survives(conversation in conversation()) {
        let written = request::write(&conversation, "claude-opus-5").unwrap();
        prop_assert_eq!(written.losses, []);
        prop_assert_eq!(request::read(&written.body).unwrap(), merged(conversation));
    }

    /// A stream put together as SDKs do is the plain answer, whatever a provider said, however its texts are
    /// cut and its parts overlap.
    #[test]
    fn a_stream_is_the_plain_answer(reply in any_reply(), size in 1_usize..9, woven in any::<bool>()) {
        let body = written(&assemble::events(&reply, size, woven));
        prop_assert_eq!(grammar::check(&body), Ok(Verdict::Complete));
        let plain: Value = serde_json::from_slice(&answer::write(&reply, &facts())).unwrap();
        prop_assert_eq!(grammar::message(&body), plain);
    }

    /// What is streamed is read as it was.
    #[test]
    fn a_stream_survives(reply in lawful_reply(), size in 1_usize..9) {
        let body = written(&assemble::events(&reply, size, false));
        prop_assert_eq!(assemble::assemble(read(&body).unwrap()), reply);
    }

    /// I9: a stream cut after any event or byte is not complete, and its reader says so.
    #[test]
    fn a_cut_stream_is_incomplete(reply in any_reply(), cut in any::<Index>()) {
        let events = assemble::events(&reply, 4, true);
        let broken = written(&events[..cut.index(events.len())]);
        prop_assert_eq!(grammar::check(&broken), Ok(Verdict::Incomplete));
        prop_assert!(read(&broken).is_err());
        let body = written(&events);
        prop_assert_eq!(grammar::check(&body[..cut.index(body.len())]), Ok(Verdict::Incomplete));
    }

    /// A9: an error after any event is the last thing, and SDKs find it.
    #[test]
    fn an_error_ends_a_stream(reply in any_reply(), cut in any::<Index>(), message in "(.|\n|\r){0,20}") {
        let events = assemble::events(&reply, 4, false);
        let mut body = written(&events[..=cut.index(events.len() - 1)]);
        let (kind, request_id) = ("server_error".into(), String::new());
        let fault = Fault { status: 503, kind, code: None, param: None, message, request_id };
        body.extend(error::event(&fault));
        prop_assert_eq!(grammar::check(&body), Ok(Verdict::Failed));
        let told = read(&body).unwrap_err();
        prop_assert!(matches!(told.last(), Some(Event::Error(_))));
    }

    /// Hostile requests are refused or read, never a panic; what was read can be written or not.
    #[test]
    fn any_request_is_read_without_panic(one in any_json(WORDS), two in any_json(WORDS)) {
        let user = json!({"role": "user", "content": "q"});
        let of = |key: &str, value: &Value| {
            let mut body = json!({"model": "m", "max_tokens": 1, "messages": [user]});
            body[key] = value.clone();
            body
        };
        let said = |value: &Value| json!([user, {"role": "assistant", "content": value}, {"role": "user", "content": two}]);
        for body in [
            one.clone(),
            of("messages", &said(&one)),
            of("messages", &said(&json!([one, {"type": "tool_use", "id": "a", "name": "f", "input": one}]))),
            of("messages", &json!([{"role": "user", "content": [{"type": "image", "source": one}, {"type": "document", "source": two}]}])),
            of("system", &one),
            of("tools", &json!([one, {"name": "f", "input_schema": two}])),
            of("tool_choice", &one),
            of("thinking", &one),
            of("output_config", &json!({"format": {"type": "json_schema", "schema": {"properties": one}}, "effort": two})),
            of("metadata", &one),
        ] {
            let body = body.to_string();
            let Ok(mut conversation) = count_tokens::read(body.as_bytes()) else { continue };
            for origin in [conversation.origin, None] {
                conversation.origin = origin;
                let Ok(written) = request::write(&conversation, "claude-haiku-4-5") else { continue };
                prop_assert!(serde_json::from_slice::<Value>(&written.body).is_ok());
            }
        }
    }

    /// Hostile answers and events are refused or read, never a panic; what was read makes a lawful stream.
    #[test]
    fn any_answer_is_read_without_panic(one in any_json(WORDS), two in any_json(WORDS), index in 0_u64..3) {
        for body in [
            one.clone(),
            json!({"content": [one, two], "stop_reason": "end_turn", "usage": two}),
            json!({"content": one, "stop_reason": two}),
        ] {
            if let Ok(reply) = answer::read(body.to_string().as_bytes()) {
                let _ = answer::write(&reply, &facts());
            }
        }
        let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
        for told in [
            json!({"type": "message_start", "message": one}),
            json!({"type": "message_start", "message": {}}),
            json!({"type": "content_block_start", "index": index, "content_block": two}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": one}}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "x"}}),
            json!({"type": "content_block_delta", "index": index, "delta": one}),
            one.clone(),
            json!({"type": "content_block_stop", "index": index}),
            json!({"type": "message_delta", "delta": two, "usage": one}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
            json!({"type": "message_stop"}),
        ] {
            let _ = reader.read(Frame { name: "", data: told.to_string().as_bytes() }, &mut events);
        }
        let _ = reader.finish(&mut events);
        let body = written(&events);
        prop_assert!(grammar::check(&body).is_ok(), "{}", String::from_utf8_lossy(&body));
    }

    /// Bytes that are no JSON are refused.
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = request::read(&bytes);
        let _ = answer::read(&bytes);
        let _ = stream::Reader::default().read(Frame { name: "", data: &bytes }, &mut Vec::new());
    }
}

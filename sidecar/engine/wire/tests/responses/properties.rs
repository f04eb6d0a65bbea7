//! What holds for any answer and any bytes of Responses: what is written obeys the grammar, says what the
//! plain answer says, and is read again.

use pointsman_wire::form::{
    Call, Choice, Event, Finish, FinishReason, Frame, Part, Payload, Reader as _, Reply, Thinking,
    Tokens,
};
use pointsman_wire::openai_responses::{answer, request, stream};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::assemble::{assemble, events};
use crate::frames::{facts, frames, raw, read, write};
use crate::grammar::{End, check};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z \\n\"\\\\]{0,12}", "\\PC{0,8}", any::<String>()]
}

fn payloads() -> impl Strategy<Value = Payload> {
    let call = ("[a-z]{1,5}", "[a-z]{1,5}", texts(), any::<bool>()).prop_map(
        |(id, name, arguments, custom)| Call { id, name, arguments, custom, signature: None },
    );
    prop_oneof![
        texts().prop_map(Payload::Text),
        texts().prop_map(Payload::Refusal),
        texts().prop_map(|text| Payload::Thinking(Thinking { text, ..Thinking::default() })),
        call.prop_map(Payload::Call),
    ]
}

fn reasons() -> impl Strategy<Value = FinishReason> {
    use FinishReason as R;
    let all = [R::Stop, R::StopText(None), R::Length, R::Window, R::Calls, R::Filter, R::Refusal];
    prop::sample::select([all.as_slice(), &[R::Pause, R::Other]].concat())
}

fn tokens() -> impl Strategy<Value = Tokens> {
    let tier = prop::option::of("[a-z]{1,5}");
    let counts = (0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64);
    (counts, tier).prop_map(|((read, write, long, output, reasoning), service_tier)| Tokens {
        input: read + write + long,
        cache_read: read,
        cache_write: write,
        cache_write_long: long,
        output: output + reasoning,
        reasoning,
        service_tier,
        ..Tokens::default()
    })
}

prop_compose! {
    fn replies()(
        id in "resp_[a-z]{1,5}",
        created in prop::option::of(0..1_u64 << 40),
        parts in prop::collection::vec(payloads().prop_map(Part::from), 0..5),
        reason in reasons(),
        raw in "[a-z_]{0,5}",
        usage in prop::option::of(tokens()),
    ) -> Reply {
        let choices = vec![Choice { parts, finish: Finish { reason, raw } }];
        Reply { id: Some(id), model: Some("m".into()), created, choices, usage }
    }
}

/// What is left of a finish reason when Responses has said it.
fn meaning(reply: &Reply) -> FinishReason {
    use FinishReason as R;
    let choice = &reply.choices[0];
    let calls = choice.parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
    match choice.finish.reason {
        R::Stop | R::StopText(_) | R::Calls if calls => R::Calls,
        R::Stop | R::StopText(_) | R::Calls => R::Stop,
        R::Length | R::Window => R::Length,
        R::Filter | R::Refusal => R::Filter,
        R::Pause | R::Other => match choice.finish.raw.as_str() {
            "max_output_tokens" => R::Length,
            "content_filter" => R::Filter,
            _ => R::Other,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A reply's stream obeys the grammar and ends with the very object that is the plain answer.
    #[test]
    fn a_stream_says_what_the_plain_answer_says(
        reply in replies(), size in 1..5_usize, woven in any::<bool>(),
    ) {
        let stream = write(&events(&reply, size, woven));
        prop_assert_eq!(check(&stream), Ok(End::Whole));
        let plain: Value = serde_json::from_slice(&answer::write(&reply, &facts())).unwrap();
        let frames = frames(&stream);
        let last: Value = serde_json::from_str(&frames.last().unwrap().1).unwrap();
        prop_assert_eq!(&last["response"], &plain);
    }

    /// What is written is read again, from a plain answer and from a stream alike.
    #[test]
    fn a_reply_survives(reply in replies()) {
        let plain = answer::read(&answer::write(&reply, &facts())).unwrap();
        let choice = &plain.choices[0];
        prop_assert_eq!(&choice.finish.reason, &meaning(&reply));
        prop_assert_eq!((&plain.id, &plain.usage), (&reply.id, &reply.usage));
        prop_assert_eq!(choice.parts.len(), reply.choices[0].parts.len());
        for (after, before) in choice.parts.iter().zip(&reply.choices[0].parts) {
            match (&after.payload, &before.payload) {
                (Payload::Thinking(after), Payload::Thinking(before)) => {
                    prop_assert_eq!(&after.text, &before.text);
                }
                (Payload::Call(after), Payload::Call(before)) => {
                    prop_assert_eq!((&after.id, &after.name), (&before.id, &before.name));
                    let blank = before.arguments.trim().is_empty();
                    let rest = after.arguments.strip_prefix(&before.arguments);
                    let expected = if blank && rest != Some("") { "{}" } else { "" };
                    prop_assert_eq!(rest, Some(expected));
                }
                (after, before) => prop_assert_eq!(after, before),
            }
        }
        let mut streamed = assemble(read(&frames(&write(&events(&reply, 3, false)))).unwrap());
        for (streamed, plain) in streamed.choices[0].parts.iter_mut().zip(&choice.parts) {
            if let (Payload::Thinking(streamed), Payload::Thinking(plain)) =
                (&mut streamed.payload, &plain.payload)
            {
                streamed.id.clone_from(&plain.id); // an item's id is in no event of the form
            }
        }
        prop_assert_eq!(streamed, plain);
    }

    /// Reading never panics and never takes for whole what has no end.
    #[test]
    fn any_frames_are_survived(
        names in prop::collection::vec(0..16_usize, 0..12),
        numbers in prop::collection::vec(0..3_u8, 12),
        text in any::<String>(),
    ) {
        let kinds = [
            "response.created", "response.output_item.added", "response.output_item.done",
            "response.content_part.added", "response.content_part.done", "response.output_text.delta",
            "response.output_text.done", "response.refusal.delta", "response.function_call_arguments.delta",
            "response.function_call_arguments.done", "response.reasoning_summary_text.delta",
            "response.reasoning_text.done", "response.completed", "error", "", "response.web_search_call.searching",
        ];
        let items = ["message", "function_call", "reasoning", "computer_call"];
        let event = |(place, kind): (usize, &usize)| json!({
            "type": kinds[*kind], "output_index": numbers[place], "content_index": numbers[place],
            "delta": text, "text": text, "arguments": text,
            "item": {"type": items[usize::from(numbers[place]) + place % 2], "call_id": "c", "name": "n", "content": [
                {"type": "output_text", "text": text}]},
            "part": {"type": "output_text", "text": ""},
            "response": {"id": "r", "model": "m", "status": "completed", "output": []},
        });
        let events: Vec<Value> = names.iter().enumerate().map(event).collect();
        let (mut reader, mut out) = (stream::Reader::default(), Vec::new());
        let mut broken = false;
        for (name, data) in raw(&events) {
            broken |= reader.read(Frame { name: &name, data: data.as_bytes() }, &mut out).is_err();
        }
        let ended = out.last() == Some(&Event::End) || matches!(out.last(), Some(Event::Error(_)));
        prop_assert_eq!(reader.finish(&mut out).is_ok(), ended);
        if !broken && ended {
            // Whatever a provider sends, what goes down obeys the grammar.
            prop_assert!(check(&write(&out)).is_ok());
        }
    }

    /// Reading never panics on any bytes.
    #[test]
    fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..64), name in any::<String>()) {
        let mut out = Vec::new();
        let _ = stream::Reader::default().read(Frame { name: &name, data: &data }, &mut out);
        let _ = answer::read(&data);
        let _ = request::read(&data);
    }
}

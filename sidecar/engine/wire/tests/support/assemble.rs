//! Puts a stream's events together, as a client does, and takes a plain answer apart.

use pointsman_wire::form::{Call, Choice, Event, Opening, Part, Payload, Piece, Reply, Thinking};

/// The plain answer of a stream that ended properly.
pub(crate) fn assemble(events: Vec<Event>) -> Reply {
    let mut reply = Reply::default();
    let mut parts: Vec<Vec<Part>> = Vec::new();
    let mut ended = false;
    for event in events {
        assert!(!ended, "something after the end");
        match event {
            Event::Begin { id, model, created } => {
                (reply.id, reply.model, reply.created) = (id, model, created);
            }
            Event::Open { choice, part, opening } => {
                let choice = choice as usize;
                parts.resize_with(parts.len().max(choice + 1), Vec::new);
                assert_eq!(parts[choice].len(), part as usize, "parts open in order");
                parts[choice].push(begun(opening).into());
            }
            Event::Delta { choice, part, piece } => {
                grow(&mut parts[choice as usize][part as usize].payload, piece);
            }
            Event::Close { .. } => {}
            Event::Finish { choice, finish } => {
                assert_eq!(reply.choices.len(), choice as usize, "choices finish in order");
                parts.resize_with(parts.len().max(choice as usize + 1), Vec::new);
                let parts = std::mem::take(&mut parts[choice as usize]);
                reply.choices.push(Choice { parts, finish });
            }
            Event::Usage(tokens) => reply.usage = Some(tokens),
            Event::End => ended = true,
            Event::Error(error) => panic!("{error}"),
        }
    }
    assert!(ended, "no end");
    reply
}

fn begun(opening: Opening) -> Payload {
    match opening {
        Opening::Text => Payload::Text(String::new()),
        Opening::Refusal => Payload::Refusal(String::new()),
        Opening::Thinking { redacted } => {
            Payload::Thinking(Thinking { redacted, ..Thinking::default() })
        }
        Opening::Call { id, name, custom, signature } => {
            Payload::Call(Call { id, name, custom, signature, arguments: String::new() })
        }
        Opening::Foreign(kind) => Payload::Foreign { kind, value: serde_json::Value::Null },
    }
}

fn grow(payload: &mut Payload, piece: Piece) {
    match (payload, piece) {
        (Payload::Text(all) | Payload::Refusal(all), Piece::Text(text)) => all.push_str(&text),
        (Payload::Thinking(thinking), Piece::Text(text)) => thinking.text.push_str(&text),
        (Payload::Thinking(thinking), Piece::Signature(signature)) => {
            thinking.signature.get_or_insert_default().push_str(&signature);
        }
        (Payload::Call(call), Piece::Arguments(text)) => call.arguments.push_str(&text),
        (payload, piece) => panic!("{piece:?} for {payload:?}"),
    }
}

/// The events of an answer whose texts come in pieces of `size` characters; parts overlap where `woven`:
/// each stays open until its choice finishes, as OpenAI's chat has it.
pub(crate) fn events(reply: &Reply, size: usize, woven: bool) -> Vec<Event> {
    let Reply { id, model, created, .. } = reply.clone();
    let mut events = vec![Event::Begin { id, model, created }];
    for (one, choice) in reply.choices.iter().zip(0..) {
        for (one, part) in one.parts.iter().zip(0..) {
            let (opening, pieces) = pieces(&one.payload, size);
            events.push(Event::Open { choice, part, opening });
            events.extend(pieces.into_iter().map(|piece| Event::Delta { choice, part, piece }));
            if !woven {
                events.push(Event::Close { choice, part });
            }
        }
        if woven {
            events.extend(
                (0..one.parts.len())
                    .map(|part| Event::Close { choice, part: u32::try_from(part).unwrap() }),
            );
        }
        events.push(Event::Finish { choice, finish: one.finish.clone() });
    }
    events.extend(reply.usage.clone().map(Event::Usage));
    events.push(Event::End);
    events
}

fn pieces(payload: &Payload, size: usize) -> (Opening, Vec<Piece>) {
    let cut = |text: &str| -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(size).map(|piece| piece.iter().collect()).collect()
    };
    match payload {
        Payload::Text(text) => (Opening::Text, cut(text).into_iter().map(Piece::Text).collect()),
        Payload::Refusal(text) => {
            (Opening::Refusal, cut(text).into_iter().map(Piece::Text).collect())
        }
        Payload::Thinking(thinking) => {
            let mut pieces: Vec<Piece> = cut(&thinking.text).into_iter().map(Piece::Text).collect();
            pieces.extend(thinking.signature.clone().map(Piece::Signature));
            (Opening::Thinking { redacted: thinking.redacted }, pieces)
        }
        Payload::Call(call) => {
            let Call { id, name, custom, signature, arguments } = call.clone();
            let pieces = cut(&arguments).into_iter().map(Piece::Arguments).collect();
            (Opening::Call { id, name, custom, signature }, pieces)
        }
        payload => panic!("no stream holds {payload:?}"),
    }
}

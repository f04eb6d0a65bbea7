//! Golden cases: what goes in on one side in one dialect, what must come out on the other in another.

#[path = "facts.rs"]
mod facts;

pub(crate) use facts::facts;
use pointsman_wire::form::{Event, Frame, Garbled, Reader, Writer, Written};
use pointsman_wire::{anthropic_messages, gemini, openai_chat, openai_responses};
use serde_json::{Value, json};

/// Runs all cases of a folder below `tests/golden`; returns how many.
pub(crate) fn run(folder: &str) -> usize {
    let path = format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let came = outcome(&case);
        assert_eq!(came, case["output"], "{}: came\n{came:#}", path.display());
        count += 1;
    }
    count
}

fn outcome(case: &Value) -> Value {
    let word = |key: &str| case[key].as_str().unwrap();
    let input = case["input"].to_string();
    match word("kind") {
        "request" => request(word("from"), word("to"), word("model"), input.as_bytes()),
        "answer" => answer(word("from"), word("to"), input.as_bytes()),
        "stream" => stream(word("from"), word("to"), case["input"].as_array().unwrap()),
        kind => panic!("no such kind of case: {kind}"),
    }
}

fn request(from: &str, to: &str, model: &str, body: &[u8]) -> Value {
    let read = match from {
        "anthropic_messages" => anthropic_messages::request::read(body),
        "gemini" => gemini::request::read(body),
        "openai_responses" => openai_responses::request::read(body),
        _ => openai_chat::request::read(body),
    };
    let conversation = match read {
        Ok(conversation) => conversation,
        Err(unreadable) => return json!({"unreadable": unreadable.to_string()}),
    };
    let written = match to {
        "anthropic_messages" => anthropic_messages::request::write(&conversation, model),
        "gemini" => gemini::request::write(&conversation, model),
        "openai_responses" => openai_responses::request::write(&conversation, model),
        _ => openai_chat::request::write(&conversation, model),
    };
    match written {
        Err(cannot) => json!({"cannot": cannot.to_string()}),
        Ok(Written { body, losses }) => {
            let losses: Vec<String> = losses.into_iter().map(|loss| loss.path).collect();
            let body: Value = serde_json::from_slice(&body).unwrap();
            json!({"body": body, "losses": losses})
        }
    }
}

fn answer(from: &str, to: &str, body: &[u8]) -> Value {
    let read = match from {
        "anthropic_messages" => anthropic_messages::answer::read(body),
        "gemini" => gemini::answer::read(body),
        "openai_responses" => openai_responses::answer::read(body),
        _ => openai_chat::answer::read(body),
    };
    let reply = match read {
        Ok(reply) => reply,
        Err(Garbled::Error(error)) => return json!({"error": error}),
        Err(garbled) => return json!({"garbled": garbled.to_string()}),
    };
    let body = match to {
        "anthropic_messages" => anthropic_messages::answer::write(&reply, &facts()),
        "gemini" => gemini::answer::write(&reply, &facts()),
        "openai_responses" => openai_responses::answer::write(&reply, &facts()),
        _ => openai_chat::answer::write(&reply, &facts()),
    };
    serde_json::from_slice(&body).unwrap()
}

/// A frame that is a text stands for itself (`[DONE]`).
fn stream(from: &str, to: &str, frames: &[Value]) -> Value {
    let mut reader: Box<dyn Reader> = match from {
        "anthropic_messages" => Box::new(anthropic_messages::stream::Reader::default()),
        "gemini" => Box::new(gemini::stream::Reader::default()),
        "openai_responses" => Box::new(openai_responses::stream::Reader::default()),
        _ => Box::new(openai_chat::stream::Reader::default()),
    };
    let mut writer: Box<dyn Writer> = match to {
        "anthropic_messages" => Box::new(anthropic_messages::stream::Writer::new(facts())),
        "gemini" => Box::new(gemini::stream::Writer::new(facts())),
        "openai_responses" => Box::new(openai_responses::stream::Writer::new(facts())),
        _ => Box::new(openai_chat::stream::Writer::new(facts())),
    };
    let (mut events, mut out, mut fault) = (Vec::new(), Vec::new(), Value::Null);
    for frame in frames {
        let data = frame.as_str().map_or_else(|| frame.to_string(), str::to_owned);
        let name = frame["type"].as_str().unwrap_or_default();
        let frame = Frame { name, data: data.as_bytes() };
        if let Err(garbled) = reader.read(frame, &mut events) {
            fault = garbled.to_string().into();
            break;
        }
    }
    if fault.is_null()
        && let Err(garbled) = reader.finish(&mut events)
    {
        fault = garbled.to_string().into();
    }
    for event in &events {
        if let Event::Error(error) = event {
            fault = error.as_str().into();
        }
        writer.write(event, &mut out);
    }
    let text = String::from_utf8(out).unwrap().replace("\r\n", "\n");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunk = |data: &str| serde_json::from_str(data).unwrap_or_else(|_| data.into());
    json!({"fault": fault, "frames": data.map(chunk).collect::<Vec<Value>>()})
}

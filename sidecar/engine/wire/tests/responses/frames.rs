//! Writing and reading streams of Responses, frame by frame.

use pointsman_wire::Facts;
use pointsman_wire::form::{Event, Frame, Garbled, Reader as _, Writer as _};
use pointsman_wire::openai_responses::stream;

/// What a writer of answers knows in every case.
pub(crate) fn facts() -> Facts {
    Facts {
        id: "abc".into(),
        requested: "auto".into(),
        now: 1_700_000_000,
        input_estimate: 10,
        stream_usage: false,
    }
}

/// The stream of some events.
pub(crate) fn write(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (stream::Writer::new(facts()), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    out
}

/// Every frame's name and data.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let frame = |frame: &str| {
        let (name, data) = frame.split_once('\n').unwrap();
        (name["event: ".len()..].to_owned(), data["data: ".len()..].to_owned())
    };
    text.split_terminator("\n\n").map(frame).collect()
}

/// The events of a whole stream.
pub(crate) fn read(frames: &[(String, String)]) -> Result<Vec<Event>, Garbled> {
    let (mut reader, mut out) = (stream::Reader::default(), Vec::new());
    for (name, data) in frames {
        reader.read(Frame { name, data: data.as_bytes() }, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(out)
}

/// Frames of a provider's events.
pub(crate) fn raw(events: &[serde_json::Value]) -> Vec<(String, String)> {
    let name = |event: &serde_json::Value| event["type"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| (name(event), event.to_string())).collect()
}

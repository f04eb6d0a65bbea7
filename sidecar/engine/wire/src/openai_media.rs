//! OpenAI's sound and images, which only pass through: what a stream's events and a `usage` say.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::form::{self, Event, Frame, Garbled, Opening, Piece, Tokens};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Text of sound.
    Text,
    /// Sound of text.
    Sound,
    /// Images.
    Images,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    seconds: Option<f64>,
    #[serde(alias = "input_token_details")]
    input_tokens_details: Option<Details>,
    #[serde(alias = "output_token_details")]
    output_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
    cached_tokens: Option<u64>,
}

impl Details {
    fn apart(&self) -> Option<u64> {
        self.audio_tokens.or(self.image_tokens)
    }
}

/// Reads a `usage`. `None`: it says nothing that can be billed. Where it does not tell words from the rest,
/// what is sent counts as the rest, but for what is read aloud; what is made counts as what was asked for.
#[must_use]
pub fn usage(json: &[u8], made: Made) -> Option<Tokens> {
    let told: Usage = serde_json::from_slice(json).ok()?;
    let units = told.seconds.filter(|it| it.is_finite() && *it >= 0.0).map(whole);
    if told.input_tokens.is_none() && told.output_tokens.is_none() && units.is_none() {
        return None;
    }
    let (input, output) = (told.input_tokens.unwrap_or(0), told.output_tokens.unwrap_or(0));
    let sent = told.input_tokens_details.as_ref().and_then(Details::apart);
    let of_output = told.output_tokens_details.as_ref().and_then(Details::apart);
    let cached = told.input_tokens_details.and_then(|details| details.cached_tokens);
    Some(Tokens {
        input,
        cache_read: cached.unwrap_or(0).min(input),
        output,
        audio_input: sent.unwrap_or(if made == Made::Sound { 0 } else { input }).min(input),
        audio_output: match made {
            Made::Text => 0,
            Made::Sound | Made::Images => of_output.unwrap_or(output).min(output),
        },
        units: units.unwrap_or(0),
        ..Tokens::default()
    })
}

/// Seconds as they are billed: a second that has begun is one.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no sound is that long, and none is shorter than nothing"
)]
pub fn whole(seconds: f64) -> u64 {
    seconds.max(0.0).ceil() as u64
}

/// Watches a stream of sound, of what was heard, or of images. It ends with its body, after the event that
/// says that all is there.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    whole: bool,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    delta: Option<String>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Reader {
    fn begin(&mut self, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.push(Event::Begin { id: None, model: None, created: None });
        }
    }

    fn said(&mut self, said: &Said<'_>, out: &mut Vec<Event>) {
        let (choice, part) = (0, 0);
        let made = match said.kind.split('.').next() {
            Some("speech") => Made::Sound,
            Some("transcript") => Made::Text,
            _ => Made::Images,
        };
        match said.kind.rsplit('.').next() {
            Some("delta" | "segment") if made == Made::Text => {
                // Only what is said counts: a text's bytes bound its tokens.
                let text = said.delta.clone().unwrap_or_default();
                out.push(Event::Open { choice, part, opening: Opening::Text });
                out.push(Event::Delta { choice, part, piece: Piece::Text(text) });
            }
            Some("done" | "completed") => {
                self.whole = true;
                out.push(Event::Open { choice, part, opening: foreign(&said.kind) });
                let told = said.usage.and_then(|it| usage(it.get().as_bytes(), made));
                out.extend(told.map(Event::Usage));
            }
            _ => out.push(Event::Open { choice, part, opening: foreign(&said.kind) }),
        }
    }
}

fn foreign(kind: &str) -> Opening {
    Opening::Foreign(kind.to_owned())
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if frame.data.trim_ascii() == b"[DONE]" {
            if !self.whole {
                return Err(Garbled::Malformed);
            }
            out.push(Event::End);
            return Ok(());
        }
        let said: Said<'_> = serde_json::from_slice(frame.data).map_err(|_| Garbled::Malformed)?;
        self.begin(out);
        match said.error.map(RawValue::get).filter(|error| *error != "null") {
            Some(error) => out.push(Event::Error(error.to_owned())),
            None if said.kind == "error" => {
                out.push(Event::Error(String::from_utf8_lossy(frame.data).into_owned()));
            }
            None => self.said(&said, out),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if !self.whole {
            return Err(Garbled::Malformed);
        }
        out.push(Event::End);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Reader as _;

    fn read(datas: &[&str]) -> (Vec<Event>, Result<(), Garbled>) {
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        let read = datas
            .iter()
            .try_for_each(|data| reader.read(Frame { name: "", data: data.as_bytes() }, &mut out))
            .and_then(|()| reader.finish(&mut out));
        (out, read)
    }

    /// Tokens of words and of the rest are told apart; seconds are whole ones.
    #[test]
    fn usages() {
        let told = br#"{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45}"#;
        let read = usage(told, Made::Text).unwrap();
        assert_eq!((read.input, read.audio_input), (14, 10));
        assert_eq!((read.output, read.audio_output, read.units), (45, 0, 0));
        let read = usage(br#"{"type":"duration","seconds":8.01}"#, Made::Text).unwrap();
        assert_eq!((read.input, read.units), (0, 9));
        let told = br#"{"input_tokens":50,"output_tokens":1056}"#;
        let read = usage(told, Made::Images).unwrap();
        assert_eq!((read.audio_input, read.audio_output), (50, 1056), "the dearer of both");
        let read = usage(told, Made::Sound).unwrap();
        assert_eq!((read.audio_input, read.audio_output), (0, 1056));
        assert_eq!(usage(br#"{"type":"tokens"}"#, Made::Text), None);
        assert_eq!(usage(b"null", Made::Text), None);
    }

    /// Only the event that says that all is there makes the body's end a proper one.
    #[test]
    fn streams_end_after_their_last_event() {
        let delta = r#"{"type":"transcript.text.delta","delta":"Hi"}"#;
        let done = r#"{"type":"transcript.text.done","text":"Hi","usage":{"type":"duration","seconds":2}}"#;
        let (out, ended) = read(&[delta, done]);
        assert_eq!(ended, Ok(()));
        assert_eq!(out.last(), Some(&Event::End));
        assert!(out.iter().any(|it| matches!(it, Event::Usage(told) if told.units == 2)));
        assert_eq!(read(&[delta]).1, Err(Garbled::Malformed));
        let partial = r#"{"type":"image_generation.partial_image","b64_json":"aGk="}"#;
        assert_eq!(read(&[partial]).1, Err(Garbled::Malformed));
        let whole = r#"{"type":"image_generation.completed","b64_json":"aGk="}"#;
        assert_eq!(read(&[partial, whole]).1, Ok(()));
        assert!(read(&[partial, "[DONE]"]).1.is_err());
    }

    /// An error is one whether it stands alone or in an event.
    #[test]
    fn errors() {
        for told in [r#"{"error":{"message":"no"}}"#, r#"{"type":"error","code":"x"}"#] {
            let (out, _) = read(&[told]);
            assert!(out.iter().any(|it| matches!(it, Event::Error(_))), "{told}");
        }
    }
}

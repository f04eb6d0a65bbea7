//! OpenAI's sound and images: what a plain answer says, by the members that matter.

use pointsman_wire::openai_media::{self, Made};

use super::cursor::Cursor;
use super::openai_chat::{Answer, NoAnswer};
use crate::media::Medium;
use crate::usage::Usage;

/// The members of a plain answer that matter, raw.
#[derive(Default)]
struct Body<'a> {
    usage: Option<&'a [u8]>,
    /// Seconds of sound, as older answers tell them.
    duration: Option<&'a [u8]>,
    images: u64,
    error: bool,
}

/// Reads one. Text of other kinds than JSON says nothing of what it costs.
///
/// # Errors
/// A body that is cut, holds an error or nothing of what was asked for is no answer.
pub fn read(medium: Medium, body: &[u8], json: bool) -> Result<Answer, NoAnswer> {
    if !json && !medium.makes_images() {
        return Ok(Answer { output_bytes: body.len() as u64, ..Answer::default() });
    }
    std::str::from_utf8(body).map_err(|_| NoAnswer::NotJson)?;
    let mut told = Body::default();
    let mut cursor = Cursor::new(body);
    let whole = cursor.object(|cursor, key| told.member(cursor, key)).is_some();
    if !whole || !cursor.at_end() {
        return Err(NoAnswer::NotJson);
    }
    if told.error {
        return Err(NoAnswer::ErrorBody);
    }
    if medium.makes_images() && told.images == 0 {
        return Err(NoAnswer::Empty);
    }
    Ok(Answer { usage: told.usage(medium), ..Answer::default() })
}

/// What a `usage` says, raw.
#[must_use]
pub fn usage(medium: Medium, json: &[u8]) -> Option<Usage> {
    let made = match medium {
        Medium::Transcription | Medium::Translation => Made::Text,
        Medium::Speech => Made::Sound,
        Medium::Image | Medium::ImageEdit | Medium::ImageVariation => Made::Images,
    };
    Usage::of_tokens(&openai_media::usage(json, made)?)
}

impl<'a> Body<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Option<()> {
        let first = cursor.peek()?;
        match key {
            b"data" if first == b'[' => cursor.array(|cursor| {
                self.images += 1;
                cursor.value().map(drop)
            })?,
            b"usage" => self.usage = Some(cursor.value()?),
            b"duration" => self.duration = Some(cursor.value()?),
            b"error" => self.error = cursor.value()? != b"null",
            _ => drop(cursor.value()?),
        }
        Some(())
    }

    fn usage(&self, medium: Medium) -> Option<Usage> {
        let told = self.usage.and_then(|json| usage(medium, json));
        let units = match medium {
            _ if medium.makes_images() => self.images,
            _ => self.seconds(),
        };
        let mut told = told.or_else(|| (units > 0).then(Usage::default))?;
        told.units = told.units.max(units);
        Some(told)
    }

    /// A number, or a text of one.
    fn seconds(&self) -> u64 {
        let text = self.duration.and_then(|raw| std::str::from_utf8(raw).ok());
        let seconds = text.and_then(|text| text.trim_matches('"').parse::<f64>().ok());
        seconds.filter(|it| it.is_finite()).map_or(0, openai_media::whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(medium: Medium, body: &str) -> Result<Option<Usage>, NoAnswer> {
        read(medium, body.as_bytes(), true).map(|answer| answer.usage)
    }

    /// Images count themselves, whatever else is said of them.
    #[test]
    fn images() {
        let plain = r#"{"created":1,"data":[{"b64_json":"a"},{"url":"b"}]}"#;
        let told = of(Medium::Image, plain).unwrap().unwrap();
        assert_eq!((told.units, told.input), (2, 0));
        let usage = r#"{"data":[{}],"usage":{"input_tokens":5,"output_tokens":7,"input_tokens_details":{"image_tokens":2,"text_tokens":3}}}"#;
        let told = of(Medium::ImageEdit, usage).unwrap().unwrap();
        assert_eq!((told.units, told.media_input, told.media_output), (1, 2, 7));
        assert_eq!(of(Medium::Image, r#"{"data":[]}"#), Err(NoAnswer::Empty));
        assert_eq!(of(Medium::Image, r#"{"error":{}}"#), Err(NoAnswer::ErrorBody));
        assert_eq!(of(Medium::Image, r#"{"data":[{}]"#), Err(NoAnswer::NotJson));
    }

    /// Text says how long the sound was, in a `usage` or, as older models do, beside the text.
    #[test]
    fn texts() {
        let told = of(Medium::Transcription, r#"{"text":"Hi","duration":8.47}"#).unwrap().unwrap();
        assert_eq!(told.units, 9);
        let duration = r#"{"text":"","usage":{"type":"duration","seconds":3}}"#;
        assert_eq!(of(Medium::Translation, duration).unwrap().unwrap().units, 3);
        assert_eq!(of(Medium::Transcription, r#"{"text":"Hi"}"#), Ok(None));
        let subtitles = read(Medium::Transcription, b"WEBVTT\n", false).unwrap();
        assert_eq!(subtitles.usage, None);
    }
}

use super::form::{Form, Reader};
use super::*;
use crate::error::Refusal;
use crate::intake::Reads;
use crate::table::MediaPricing;

const BODY: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.mp3\"\r\n\
    Content-Type: audio/mpeg\r\n\r\n0123456789\r\n--b\r\nContent-Disposition: form-data; \
    name=\"model\"\r\n\r\nwhisper\r\n--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\
    a\r\n--c\r\n--b--\r\n";

fn read(pieces: &[&[u8]]) -> Result<Form, Refusal> {
    let mut reader = Reader::begin("b".to_owned());
    pieces.iter().try_for_each(|piece| reader.push(piece))?;
    reader.finish()
}

fn model(pricing: &str) -> Model {
    let told = format!(
        r#"{{"name":"main/m","pool":{{"namespace":"n","name":"main"}},"provider":{{"type":"OpenAI",
        "label":"openai","model":"m","baseURL":"http://a"}},"pricing":{pricing},"capabilities":[],
        "contextWindow":16000,"maxOutputTokens":2000}}"#
    );
    serde_json::from_str(&told).unwrap()
}

/// A form says the same however its bytes arrive, and the model's bytes are where it says.
#[test]
fn forms_are_read_at_every_split() {
    let whole = read(&[BODY.as_bytes()]).unwrap();
    let span = whole.model.clone().unwrap().span;
    assert_eq!((&BODY[span], whole.files), ("whisper", 1));
    assert_eq!(whole.texts[1], ("prompt".to_owned(), "a\r\n--c".to_owned()));
    assert_eq!((whole.length, whole.seconds), (BODY.len(), 1));
    for split in 0..=BODY.len() {
        let (one, two) = BODY.as_bytes().split_at(split);
        assert_eq!(read(&[one, two]).unwrap(), whole, "{split}");
    }
    let bytes: Vec<&[u8]> = BODY.as_bytes().chunks(1).collect();
    assert_eq!(read(&bytes).unwrap(), whole);
}

/// A form that breaks off is none, wherever; nor is one that says things twice, or too much.
#[test]
fn forms_that_are_none() {
    for cut in 0..BODY.len() - 2 {
        assert!(read(&[&BODY.as_bytes()[..cut]]).is_err(), "{cut}");
    }
    let twice = BODY.replace("name=\"prompt\"", "name=\"model\"").replace("a\r\n--c", "m");
    assert!(matches!(read(&[twice.as_bytes()]), Err(Refusal::DuplicateKey { .. })));
    let injected = BODY.replace("whisper", "whis\r\nper");
    assert!(read(&[injected.as_bytes()]).is_err());
    let head = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let long = format!("{head}{}\r\n--b--", "x".repeat(limits::FORM_TEXT_BYTES + 1));
    assert!(matches!(read(&[long.as_bytes()]), Err(Refusal::BadValue { .. })));
    let many = format!("{head}\r\n").repeat(limits::FORM_PARTS + 1);
    assert!(read(&[many.as_bytes()]).is_err());
    assert!(read(&[b"{}"]).is_err());
}

/// The head of a WAV file says how long it is; of others the most that their bytes can hold counts.
#[test]
fn seconds_of_sound() {
    let mut wav = b"RIFF....WAVEfmt \x10\0\0\0".to_vec();
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&2_u16.to_le_bytes());
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&32_000_u32.to_le_bytes());
    wav.extend_from_slice(&4_u16.to_le_bytes());
    wav.extend_from_slice(&16_u16.to_le_bytes());
    wav.resize(64_001, 0);
    let form = |content: &[u8]| {
        let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        read(&[head, content, b"\r\n--b--"]).unwrap().seconds
    };
    assert_eq!(form(&wav), 3, "begun seconds count");
    assert_eq!(form(&vec![0; 64_001]), 129);
}

/// What is reserved is the most that can be billed, by each kind's measure.
#[test]
fn bounds() {
    let model = model(r#"{"input":1,"output":1}"#);
    let asked = Asked {
        text_bytes: 10,
        seconds: 2,
        characters: 5,
        files: 1,
        images: 2,
        ..Asked::default()
    };
    let bound = |medium| Asked { medium: Some(medium), ..asked }.bound(&model);
    let heard = bound(Medium::Transcription);
    assert_eq!((heard.units, heard.input, heard.media_input), (2, 110, 100));
    assert_eq!((heard.output, heard.media_output), (320, 0));
    let said = bound(Medium::Speech);
    assert_eq!((said.units, said.media_output, said.output), (5, 296, 296));
    let drawn = bound(Medium::ImageEdit);
    assert_eq!((drawn.units, drawn.output, drawn.media_input), (2, 4_000, 8_192));
    let unseen = Asked { seconds: limits::UNSEEN_SOUND_SECONDS, ..asked };
    let unseen = Asked { medium: Some(Medium::Translation), ..unseen }.bound(&model);
    assert_eq!((unseen.media_input, unseen.output), (16_000, 2_000), "the model takes no more");
}

/// A report in another measure than the price's is no bill: it would be one of nothing.
#[test]
fn reports_that_can_be_billed() {
    let unit = Some(MediaPricing { unit: Some(1), ..MediaPricing::default() });
    let of = |input, media| Pricing { media, ..pointed(input) };
    let tokens = Usage { input: 1, ..Usage::default() };
    let seconds = Usage { units: 1, ..Usage::default() };
    assert!(tells(&of(1, None), &tokens) && !tells(&of(1, None), &seconds));
    assert!(tells(&of(0, unit), &seconds) && !tells(&of(0, unit), &tokens));
    assert!(tells(&of(0, None), &Usage::default()), "what is free is free");
}

fn pointed(input: u64) -> Pricing {
    let (cached_input, cache_write, cache_write_long, media) = (None, None, None, None);
    Pricing { input, output: 0, cached_input, cache_write, cache_write_long, media }
}

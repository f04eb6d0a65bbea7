//! `POST /v1/audio/...` and `/v1/images/...`: what is heard, said and drawn follows from the request. Models
//! named `whisper-`, `tts-` and `dall-e-` are billed by the second, character and image, others by the token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::behaviour::Action;
use super::super::bill::Tokens;
use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::prompt::tokens_of;
use super::super::reel::{Event, sse};
use super::super::replay::seed_of;
use super::error::bad_request;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// Sound to text.
    Transcription,
    /// Sound to English text.
    Translation,
    /// Text to sound.
    Speech,
    /// Text to images.
    Image,
    /// Images to images.
    ImageEdit,
    /// One image to others like it.
    ImageVariation,
}

/// An answer as it is made.
pub(crate) struct Made {
    pub(crate) content_type: &'static str,
    pub(crate) events: Vec<Event>,
    pub(crate) streamed: bool,
}

const EVENTS: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";
/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Tokens of one image that is made, and of one on the way there.
const IMAGE_TOKENS: u64 = 272;
const PARTIAL_TOKENS: u64 = 100;
/// Tokens of an image that is sent.
const SENT_TOKENS: u64 = 65;
/// Tokens of a second that is heard.
const HEARD_TOKENS: u64 = 10;
/// Bytes of sound for each token that is said.
const SOUND_BYTES: usize = 64;

impl Media {
    /// What stands at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/audio/transcriptions" => Self::Transcription,
            "/v1/audio/translations" => Self::Translation,
            "/v1/audio/speech" => Self::Speech,
            "/v1/images/generations" => Self::Image,
            "/v1/images/edits" => Self::ImageEdit,
            "/v1/images/variations" => Self::ImageVariation,
            _ => return None,
        })
    }
}

/// Answers.
///
/// # Errors
/// With the provider's own words where the request is malformed.
pub(crate) fn answer(media: Media, ask: &Ask<'_>, action: &Action) -> Result<Made, Refused> {
    if ask.model.is_empty() {
        return Err(missing("model"));
    }
    match media {
        Media::Transcription | Media::Translation => heard(media, ask, action),
        Media::Speech => said(ask, action),
        Media::Image | Media::ImageEdit | Media::ImageVariation => drawn(media, ask, action),
    }
}

fn missing(name: &str) -> Refused {
    bad_request(&format!("Missing required parameter: '{name}'."), Some(name))
}

fn by_unit(model: &str) -> bool {
    ["whisper-", "tts-", "dall-e-"].iter().any(|prefix| model.starts_with(prefix))
}

fn flag(value: &Value) -> bool {
    value == "true" || value == &Value::Bool(true)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The usage that is reported; the script may say another, or none.
fn reported(usage: Value, action: &Action) -> Option<Value> {
    match &action.usage {
        None => Some(usage),
        Some(Value::Null) => None,
        Some(told) => Some(told.clone()),
    }
}

/// A document, with its usage where one is told.
fn with_usage(mut document: Value, usage: Option<Value>) -> Value {
    if let Some(usage) = usage {
        document["usage"] = usage;
    }
    document
}

fn whole(content_type: &'static str, bytes: impl Into<bytes::Bytes>, tokens: Tokens) -> Made {
    let event = Event { bytes: bytes.into(), tokens, weight: 1 };
    Made { content_type, events: vec![event], streamed: false }
}

/// Events of a stream, the last of which pays for all.
fn stream(action: &Action, datas: &[Value], (first, all): (Tokens, Tokens)) -> Made {
    let last = datas.len().saturating_sub(1);
    let events = datas.iter().enumerate().map(|(at, data)| Event {
        bytes: sse(action, data["type"].as_str(), &data.to_string()).into(),
        tokens: if at == last { all } else { first },
        weight: 1,
    });
    Made { content_type: EVENTS, events: events.collect(), streamed: true }
}

fn heard(media: Media, ask: &Ask<'_>, action: &Action) -> Result<Made, Refused> {
    let file = &ask.body["file"][0];
    let Some(bytes) = file["bytes"].as_u64().filter(|bytes| *bytes > 0) else {
        return Err(missing("file"));
    };
    let seconds = bytes.div_ceil(file["rate"].as_u64().unwrap_or(1).max(1));
    let usual = match media {
        Media::Translation => "The train arrives at platform nine.",
        _ => "Der Zug kommt auf Gleis neun an.",
    };
    let text = action.text.as_deref().unwrap_or(usual);
    let unit = by_unit(ask.model);
    let words = tokens_of(ask.body["prompt"].as_str().unwrap_or_default().chars().count());
    let sound = seconds * HEARD_TOKENS;
    let tokens = if unit {
        Tokens { units: seconds, ..Tokens::default() }
    } else {
        let output = tokens_of(text.chars().count());
        Tokens { input: words + sound, media_input: sound, output, ..Tokens::default() }
    };
    let usage = if unit {
        json!({"type": "duration", "seconds": seconds})
    } else {
        let details = json!({"text_tokens": words, "audio_tokens": sound});
        json!({"type": "tokens", "input_tokens": tokens.input, "input_token_details": details,
            "output_tokens": tokens.output, "total_tokens": tokens.input + tokens.output})
    };
    let usage = reported(usage, action);
    if flag(&ask.body["stream"]) && !unit {
        let mut events: Vec<Value> = text
            .split_inclusive(' ')
            .map(|word| json!({"type": "transcript.text.delta", "delta": word}))
            .collect();
        events.push(with_usage(json!({"type": "transcript.text.done", "text": text}), usage));
        return Ok(stream(action, &events, (Tokens { output: 1, ..tokens }, tokens)));
    }
    Ok(match ask.body["response_format"].as_str().unwrap_or("json") {
        "text" => whole("text/plain; charset=utf-8", format!("{text}\n"), tokens),
        "srt" => whole(
            "text/plain; charset=utf-8",
            format!("1\n00:00:00,000 --> 00:00:{seconds:02},000\n{text}\n\n"),
            tokens,
        ),
        "vtt" => whole(
            "text/plain; charset=utf-8",
            format!("WEBVTT\n\n00:00:00.000 --> 00:00:{seconds:02}.000\n{text}\n\n"),
            tokens,
        ),
        "json" => whole(JSON, with_usage(json!({"text": text}), usage).to_string(), tokens),
        "verbose_json" => {
            let document = json!({"task": "transcribe", "language": "german", "text": text,
                "duration": seconds, "segments": []});
            whole(JSON, with_usage(document, usage).to_string(), tokens)
        }
        _ => return Err(bad_request("Unsupported response_format.", Some("response_format"))),
    })
}

fn said(ask: &Ask<'_>, action: &Action) -> Result<Made, Refused> {
    let input = ask.body["input"].as_str().filter(|input| !input.is_empty());
    let input = input.ok_or_else(|| missing("input"))?;
    if ask.body["voice"].is_null() {
        return Err(missing("voice"));
    }
    let characters = input.chars().count();
    if characters > 4096 {
        return Err(bad_request("String should have at most 4096 characters", Some("input")));
    }
    let unit = by_unit(ask.model);
    let spoken = characters as u64 * 2;
    let tokens = if unit {
        Tokens { units: characters as u64, ..Tokens::default() }
    } else {
        let input = tokens_of(characters);
        Tokens { input, output: spoken, media_output: spoken, ..Tokens::default() }
    };
    let mut random = fastrand::Rng::with_seed(seed_of(input, ask.model, ask.seed));
    let mut sound = b"ID3".to_vec();
    sound.extend((0..characters * 2 * SOUND_BYTES).map(|_| random.u8(..)));
    let pieces: Vec<&[u8]> = sound.chunks(8 * SOUND_BYTES).collect();
    let first = Tokens {
        output: tokens.output.min(16),
        media_output: tokens.media_output.min(16),
        ..tokens
    };
    if ask.body["stream_format"] == "sse" && !unit {
        let usage = json!({"input_tokens": tokens.input, "output_tokens": tokens.output,
            "total_tokens": tokens.input + tokens.output});
        let delta =
            |piece: &&[u8]| json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)});
        let mut events: Vec<Value> = pieces.iter().map(delta).collect();
        events.push(with_usage(json!({"type": "speech.audio.done"}), reported(usage, action)));
        return Ok(stream(action, &events, (first, tokens)));
    }
    let content_type = match ask.body["response_format"].as_str().unwrap_or("mp3") {
        "mp3" => "audio/mpeg",
        "opus" => "audio/ogg",
        "aac" => "audio/aac",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        _ => return Err(bad_request("Unsupported response_format.", Some("response_format"))),
    };
    // In pieces, without a length: it is sent while it is said.
    let last = pieces.len() - 1;
    let events = pieces.iter().enumerate().map(|(at, piece)| Event {
        bytes: bytes::Bytes::copy_from_slice(piece),
        tokens: if at == last { tokens } else { first },
        weight: 1,
    });
    Ok(Made { content_type, events: events.collect(), streamed: true })
}

fn drawn(media: Media, ask: &Ask<'_>, action: &Action) -> Result<Made, Refused> {
    let prompt = ask.body["prompt"].as_str().unwrap_or_default();
    if prompt.is_empty() && media != Media::ImageVariation {
        return Err(missing("prompt"));
    }
    let sent = ask.body["image"].as_array().or_else(|| ask.body["images"].as_array());
    let sent = sent.map_or(0, Vec::len) as u64;
    if sent == 0 && media != Media::Image {
        return Err(missing("image"));
    }
    let count = number(&ask.body["n"]).unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(bad_request("Invalid 'n': expected a value between 1 and 10.", Some("n")));
    }
    let streamed = flag(&ask.body["stream"]);
    let partial = number(&ask.body["partial_images"]).unwrap_or(0);
    let unit = by_unit(ask.model);
    let words = tokens_of(prompt.chars().count());
    let tokens = if unit {
        Tokens { units: count, ..Tokens::default() }
    } else {
        let output = count * IMAGE_TOKENS + if streamed { partial * PARTIAL_TOKENS } else { 0 };
        let media_input = sent * SENT_TOKENS;
        let input = words + media_input;
        Tokens { input, media_input, output, media_output: output, ..Tokens::default() }
    };
    let usage = json!({"input_tokens": tokens.input, "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "input_tokens_details": {"text_tokens": words, "image_tokens": tokens.media_input}});
    let usage = if unit { None } else { reported(usage, action) };
    if streamed && !unit {
        let family = if media == Media::Image { "image_generation" } else { "image_edit" };
        let image = |kind: &str| {
            json!({"type": format!("{family}.{kind}"), "b64_json": PIXEL,
            "created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque",
            "output_format": "png"})
        };
        let unfinished = |at: u64| {
            let mut event = image("partial_image");
            event["partial_image_index"] = at.into();
            event
        };
        let mut events: Vec<Value> = (0..partial).map(unfinished).collect();
        events.push(with_usage(image("completed"), usage));
        let first = Tokens { output: PARTIAL_TOKENS, media_output: PARTIAL_TOKENS, ..tokens };
        return Ok(stream(action, &events, (first, tokens)));
    }
    let data = vec![json!({"b64_json": PIXEL}); usize::try_from(count).unwrap_or(1)];
    let document = with_usage(json!({"created": 1, "data": data}), usage);
    Ok(whole(JSON, document.to_string(), tokens))
}

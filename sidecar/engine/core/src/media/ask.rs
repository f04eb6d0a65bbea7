//! Reading such a request: JSON as for other surfaces, or a form, whose words are read as the JSON that
//! would say the same. Rules, signals and detectors see the prompt either way.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::form::{Form, Reader};
use super::{Asked, Medium};
use crate::engine::Shared;
use crate::error::Refusal;
use crate::intake::{self, HeldBytes};
use crate::limits;
use crate::scan::{Scan, ScanOptions, Scanner, Spanned};
use crate::wire;

/// A request that was read.
#[derive(Debug)]
pub struct Intake {
    /// In order of arrival.
    pub pieces: Vec<Bytes>,
    /// What the path needs to know.
    pub scan: Scan,
    /// What money needs to know.
    pub asked: Asked,
    /// Keeps the bytes counted.
    pub held: HeldBytes,
}

/// Reads one. The body is kept whole, as every other is, so that it can go to the next candidate.
///
/// # Errors
/// Too large, too slow, broken off, or neither JSON nor a form that we can read.
pub async fn read(
    shared: &Arc<Shared>,
    head: &Parts,
    body: &mut Incoming,
    (medium, options): (Medium, ScanOptions),
) -> Result<Intake, Refusal> {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if let Some(kind) = kind.filter(|kind| is_form(kind)) {
        let boundary = boundary(kind).ok_or_else(|| Refusal::BadValue {
            param: "content-type".to_owned(),
            reason: "a form needs its boundary there, of at most 70 bytes".to_owned(),
        })?;
        let read = intake::read::<Reader>(shared, head, body, boundary).await?;
        let (scan, asked) = of_form(medium, &read.said, options)?;
        return Ok(Intake { pieces: read.pieces, scan, asked, held: read.held });
    }
    let read = intake::read::<Scanner>(shared, head, body, (medium.profile(), options)).await?;
    let mut scan = read.said;
    let words = wire::beside(&read.pieces, |body| serde_json::from_slice::<Value>(body)).await;
    let words = words.map_err(|wrong| Refusal::BadJson { reason: wrong.to_string() })?;
    if medium == Medium::Speech {
        let events = words["stream_format"] == "sse";
        scan.stream = events.then_some(Spanned { span: 0..0, value: true });
    }
    let files = ["images", "image", "mask"].iter().map(|name| items(&words[*name])).sum();
    let asked = of_words(medium, &words, files, None);
    Ok(Intake { pieces: read.pieces, scan, asked, held: read.held })
}

fn is_form(kind: &str) -> bool {
    kind.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))
}

/// The form's boundary; RFC 2046 allows 70 bytes.
fn boundary(kind: &str) -> Option<String> {
    let value = kind.split(';').skip(1).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let bare = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    (1..=70).contains(&bare.len()).then(|| bare.to_owned())
}

/// What a form says, read as JSON of the same words.
fn of_form(medium: Medium, form: &Form, options: ScanOptions) -> Result<(Scan, Asked), Refusal> {
    let mut written = String::from("{");
    let mut words = Map::new();
    for (name, text) in &form.texts {
        let value = match (name.as_str(), text.as_str()) {
            ("model" | "prompt", _) => Value::from(text.as_str()),
            ("stream", "true" | "True" | "1") => Value::from(true),
            ("stream", "false" | "False" | "0" | "") => Value::from(false),
            ("n" | "partial_images", _) => {
                text.parse::<u64>().map_or_else(|_| text.as_str().into(), Value::from)
            }
            _ => continue,
        };
        if written.len() > 1 {
            written.push(',');
        }
        // Twice the same is refused by who reads it, as in every other body.
        written.push_str(&format!("{}:{value}", Value::from(name.as_str())));
        words.insert(name.clone(), value);
    }
    written.push('}');
    let mut scanner = Scanner::of(medium.profile(), options);
    let scan = scanner.push(written.as_bytes()).and_then(|()| scanner.finish());
    let mut scan = scan.map_err(|wrong| intake::refusal(&wrong))?;
    scan.model = form.model.clone();
    scan.stream = scan.stream.map(|stream| Spanned { span: 0..0, ..stream });
    scan.body_len = form.length;
    Ok((scan, of_words(medium, &Value::Object(words), form.files, Some(form.seconds))))
}

fn of_words(medium: Medium, words: &Value, files: u64, seconds: Option<u64>) -> Asked {
    let text = |name: &str| words[name].as_str().unwrap_or_default();
    let unseen = limits::UNSEEN_SOUND_SECONDS;
    let texts = ["input", "prompt", "instructions"];
    Asked {
        medium: Some(medium),
        text_bytes: texts.iter().map(|name| text(name).len() as u64).sum(),
        characters: text("input").chars().count() as u64,
        files,
        // What is only referred to may be of any length.
        seconds: seconds.filter(|_| files > 0).unwrap_or(unseen),
        images: words["n"].as_u64().unwrap_or(1).max(1),
        partial_images: words["partial_images"].as_u64().unwrap_or(0),
    }
}

/// Things in a list, or the one thing.
fn items(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Array(list) => list.len() as u64,
        _ => 1,
    }
}

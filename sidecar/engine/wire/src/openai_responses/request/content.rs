//! `content` of messages and `output` of tools, both ways.

use serde_json::{Value, json};

use super::lose_rest;
use crate::form::{Cannot, Dialect, Loss, Media, MediaKind, Part, Payload, Source, Unreadable};
use crate::json::Members;
use crate::openai_chat::message::source;
use crate::openai_responses::items;

/// Reads text, or a list of parts.
pub(super) fn read(
    members: &mut Members,
    key: &str,
    into: &mut Vec<Part>,
    lost: &mut Vec<Loss>,
) -> Result<(), Unreadable> {
    match members.take(key) {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => into.push(Part::text(text)),
        Some(Value::Array(list)) => {
            let path = members.at(key);
            for (place, value) in list.into_iter().enumerate() {
                into.push(read_part(Members::of(value, format!("{path}[{place}]"))?, lost)?);
            }
        }
        Some(_) => return Err(members.wrong(key, "a string or an array of parts")),
    }
    Ok(())
}

fn read_part(mut part: Members, lost: &mut Vec<Loss>) -> Result<Part, Unreadable> {
    let kind = part.required_text("type")?;
    let cache = match part.object("prompt_cache_breakpoint")? {
        None => None,
        Some(mut mark) => Some(mark.text("ttl")?.unwrap_or_default()),
    };
    let payload = match kind.as_str() {
        "input_text" | "output_text" | "text" => Payload::Text(part.required_text("text")?),
        "refusal" => Payload::Refusal(part.required_text("refusal")?),
        "input_image" => Payload::Media(read_image(&mut part)?),
        "input_file" => Payload::Media(read_file(&mut part)?),
        "input_audio" => Payload::Media(read_audio(&mut part)?),
        _ => {
            let value = items::whole(part, &kind);
            return Ok(Part { payload: Payload::Foreign { kind, value }, cache });
        }
    };
    lose_rest(part, lost);
    Ok(Part { payload, cache })
}

fn read_image(part: &mut Members) -> Result<Media, Unreadable> {
    let source = match (part.text("image_url")?, part.text("file_id")?) {
        (Some(url), _) => source(url),
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(part.wrong("image_url", "a string (or give file_id)")),
    };
    let detail = part.text("detail")?.filter(|detail| detail != "auto");
    Ok(Media { kind: MediaKind::Image, source, name: None, detail })
}

fn read_file(part: &mut Members) -> Result<Media, Unreadable> {
    let name = part.text("filename")?;
    let (data, url) = (part.text("file_data")?, part.text("file_url")?);
    let source = match (data, url, part.text("file_id")?) {
        (Some(data), ..) => match source(data) {
            // Base64 without a word on its type: OpenAI takes it for what most files are.
            Source::Url(data) => Source::Inline { media_type: "application/pdf".into(), data },
            inline => inline,
        },
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File(id),
        (None, None, None) => {
            return Err(part.wrong("file_data", "a string (or give file_url or file_id)"));
        }
    };
    let detail = part.text("detail")?.filter(|detail| detail != "auto");
    Ok(Media { kind: MediaKind::Document, source, name, detail })
}

fn read_audio(part: &mut Members) -> Result<Media, Unreadable> {
    let Some(mut audio) = part.object("input_audio")? else {
        return Err(part.wrong("input_audio", "an object with data and format"));
    };
    let data = audio.required_text("data")?;
    let media_type = format!("audio/{}", audio.required_text("format")?);
    let source = Source::Inline { media_type, data };
    Ok(Media { kind: MediaKind::Audio, source, name: None, detail: None })
}

/// Writes what the caller, its system or its tools say: one text as a string, which all servers take, else
/// a list.
pub(super) fn write(
    parts: &[&Part],
    path: &str,
    origin: Option<Dialect>,
    losses: &mut Vec<Loss>,
) -> Result<Value, Cannot> {
    if let [Part { payload: Payload::Text(text), cache: None }] = parts {
        return Ok(text.as_str().into());
    }
    if parts.is_empty() {
        return Ok("".into());
    }
    let mut list = Vec::with_capacity(parts.len());
    for part in parts {
        let mut written = match &part.payload {
            Payload::Text(text) | Payload::Refusal(text) => {
                json!({"type": "input_text", "text": text})
            }
            Payload::Media(media) => write_media(media, path, origin, losses)?,
            Payload::Thinking(_) => {
                Loss::note(losses, "thinking");
                continue;
            }
            Payload::Call(_) | Payload::Result(_) => {
                let why = "is a tool call or result in a turn that cannot hold one; put it where it belongs";
                return Err(cannot(path, why));
            }
            Payload::Foreign { value, .. } if origin == OWN => value.clone(),
            Payload::Foreign { .. } => return Err(foreign(path)),
        };
        match &part.cache {
            None => {}
            Some(ttl) if origin == OWN => mark(&mut written, ttl),
            // OpenAI's cache needs no marks, and only its newest models know them.
            Some(_) => Loss::note(losses, "cache_control"),
        }
        list.push(written);
    }
    Ok(list.into())
}

/// Whose parts are written back as they came.
pub(super) const OWN: Option<Dialect> = Some(Dialect::OpenAiResponses);

fn mark(part: &mut Value, ttl: &str) {
    let mut mark = json!({"mode": "explicit"});
    if !ttl.is_empty() {
        mark["ttl"] = ttl.into();
    }
    part["prompt_cache_breakpoint"] = mark;
}

pub(super) fn cannot(path: &str, why: &'static str) -> Cannot {
    Cannot { path: Loss::at(path).path, why }
}

pub(super) fn foreign(path: &str) -> Cannot {
    let why = "holds a part that only its own provider knows; leave it out, or name a model of that provider";
    cannot(path, why)
}

fn write_media(
    media: &Media,
    path: &str,
    origin: Option<Dialect>,
    losses: &mut Vec<Loss>,
) -> Result<Value, Cannot> {
    let data_url = |media_type: &str, data: &str| format!("data:{media_type};base64,{data}");
    let detail = media.detail.as_deref().unwrap_or("auto");
    let image = |url: &str| json!({"type": "input_image", "image_url": url, "detail": detail});
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Inline { media_type, data }) => {
            Ok(image(&data_url(media_type, data)))
        }
        (MediaKind::Image, Source::Url(url)) => Ok(image(url)),
        (MediaKind::Document, Source::Inline { media_type, data }) => {
            let name = media.name.as_deref().unwrap_or("document");
            let data = data_url(media_type, data);
            Ok(json!({"type": "input_file", "filename": name, "file_data": data}))
        }
        (MediaKind::Document, Source::Url(url)) => {
            if media.name.is_some() {
                Loss::note(losses, "filename"); // it goes with content alone
            }
            Ok(json!({"type": "input_file", "file_url": url}))
        }
        (MediaKind::Document, Source::Text(text)) => {
            if media.name.is_some() {
                Loss::note(losses, "title");
            }
            Ok(json!({"type": "input_text", "text": text}))
        }
        (MediaKind::Audio, Source::Inline { media_type, data }) => {
            let format = media_type.rsplit('/').next().unwrap_or_default();
            let format = if format == "mpeg" { "mp3" } else { format };
            Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        (MediaKind::Image, Source::File(id)) if origin == OWN => {
            Ok(json!({"type": "input_image", "file_id": id, "detail": detail}))
        }
        (MediaKind::Document, Source::File(id)) if origin == OWN => {
            Ok(json!({"type": "input_file", "file_id": id}))
        }
        (_, Source::File(_)) => Err(cannot(
            path,
            "is a file stored at one provider; send its content, or name a model of that provider",
        )),
        (MediaKind::Video, _) => {
            Err(cannot(path, "is a video, which this model's format cannot carry; leave it out"))
        }
        _ => Err(cannot(
            path,
            "is an address that this model's provider does not fetch; send its content",
        )),
    }
}

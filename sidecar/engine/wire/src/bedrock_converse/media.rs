//! Images, documents, sound and video: a `format` instead of a media type, bytes or a place in S3.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::form::{Cannot, Media, MediaKind, Source, Unreadable};
use crate::json::Members;

/// Formats and the media types that stand for them; the first of a format is the one that is read.
const FORMATS: &[(MediaKind, &str, &str)] = &[
    (MediaKind::Image, "png", "image/png"),
    (MediaKind::Image, "jpeg", "image/jpeg"),
    (MediaKind::Image, "jpeg", "image/jpg"),
    (MediaKind::Image, "gif", "image/gif"),
    (MediaKind::Image, "webp", "image/webp"),
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "csv", "text/csv"),
    (MediaKind::Document, "doc", "application/msword"),
    (
        MediaKind::Document,
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (
        MediaKind::Document,
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    (MediaKind::Document, "html", "text/html"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Video, "mp4", "video/mp4"),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "webm", "video/webm"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "mpeg", "video/mpeg"),
    (MediaKind::Video, "mpg", "video/mpg"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
    (MediaKind::Audio, "mp3", "audio/mp3"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
    (MediaKind::Audio, "wav", "audio/wav"),
    (MediaKind::Audio, "wav", "audio/x-wav"),
    (MediaKind::Audio, "opus", "audio/opus"),
    (MediaKind::Audio, "aac", "audio/aac"),
    (MediaKind::Audio, "flac", "audio/flac"),
    (MediaKind::Audio, "mp4", "audio/mp4"),
    (MediaKind::Audio, "m4a", "audio/m4a"),
    (MediaKind::Audio, "ogg", "audio/ogg"),
    (MediaKind::Audio, "webm", "audio/webm"),
    (MediaKind::Audio, "pcm", "audio/pcm"),
];

/// Of a document's name; Bedrock takes 200, and a number may have to follow.
const NAME_CHARS: usize = 190;

/// As `image`, `document`, `video` or `audio` hold it.
#[derive(Debug, Serialize)]
pub(super) struct MediaBlock<'a> {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
    source: MediaSource<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum MediaSource<'a> {
    Bytes(&'a str),
    S3Location { uri: &'a str },
    Text(&'a str),
}

pub(super) fn kind_of(name: &str) -> Option<MediaKind> {
    match name {
        "image" => Some(MediaKind::Image),
        "document" => Some(MediaKind::Document),
        "video" => Some(MediaKind::Video),
        "audio" => Some(MediaKind::Audio),
        _ => None,
    }
}

/// Whether a block's inside says more than the form holds (citations, context, several texts, an owner).
pub(super) fn is_foreign(inside: &Value) -> bool {
    let beyond = |value: Option<&Value>, known: &[&str]| {
        let members = value.and_then(Value::as_object).into_iter().flatten();
        members.into_iter().any(|(name, value)| !value.is_null() && !known.contains(&name.as_str()))
    };
    let source = inside.get("source");
    beyond(Some(inside), &["format", "name", "source"])
        || beyond(source, &["bytes", "text", "s3Location"])
        || beyond(source.and_then(|source| source.get("s3Location")), &["uri"])
}

/// Reads a block's inside.
pub(super) fn read(kind: MediaKind, mut block: Members) -> Result<Media, Unreadable> {
    let (format, name) = (block.text("format")?, block.text("name")?);
    let wrong = block.wrong("source", "an object with bytes, text or s3Location");
    let mut inside = block.object("source")?.ok_or_else(|| wrong.clone())?;
    let (bytes, text) = (inside.text("bytes")?, inside.text("text")?);
    let source = match (bytes, text, inside.object("s3Location")?) {
        (Some(data), _, _) => {
            let format =
                format.ok_or_else(|| block.wrong("format", "there, such as png or pdf"))?;
            Source::Inline { media_type: media_type(kind, &format).into_owned(), data }
        }
        (None, Some(text), _) => Source::Text(text),
        (None, None, Some(mut place)) => Source::File(place.required_text("uri")?),
        (None, None, None) => return Err(wrong),
    };
    Ok(Media { kind, source, name, detail: None })
}

fn media_type(kind: MediaKind, format: &str) -> Cow<'static, str> {
    let known = FORMATS.iter().find(|(of, name, _)| *of == kind && *name == format);
    known.map_or_else(
        || Cow::Owned(format!("{}/{format}", top_level(kind))),
        |(_, _, media_type)| Cow::Borrowed(*media_type),
    )
}

const fn top_level(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "application",
    }
}

pub(super) fn write<'a>(media: &'a Media, path: &str) -> Result<MediaBlock<'a>, Cannot> {
    let cannot = |why| Cannot { path: path.to_owned(), why };
    let (format, source) = match &media.source {
        Source::Inline { media_type, data } => {
            let format = format_of(media.kind, media_type).ok_or_else(|| {
                cannot("has a media type that this provider does not take; convert it")
            })?;
            (format, MediaSource::Bytes(data))
        }
        Source::Text(text) if media.kind == MediaKind::Document => ("txt", MediaSource::Text(text)),
        Source::File(uri) if uri.starts_with("s3://") => {
            let ending = uri.rsplit('.').next().unwrap_or_default();
            let known = FORMATS.iter().find(|(of, name, _)| *of == media.kind && *name == ending);
            let (_, format, _) = known.ok_or_else(|| {
                cannot("is an object in S3 whose name does not end in its format; name it so")
            })?;
            (*format, MediaSource::S3Location { uri })
        }
        Source::File(_) => {
            let why = "is a file stored at one provider; send its content, or name a model of that provider";
            return Err(cannot(why));
        }
        Source::Text(_) => {
            return Err(cannot("is text where an image, sound or video belongs; send it as text"));
        }
        Source::Url(_) => {
            return Err(cannot(
                "is an address that this model's provider does not fetch; send its content",
            ));
        }
    };
    Ok(MediaBlock { format, name: None, source })
}

fn format_of(kind: MediaKind, media_type: &str) -> Option<&'static str> {
    // Parameters (`; charset=utf-8`) say nothing here.
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    let same = |(of, _, known): &&(MediaKind, &str, &str)| {
        *of == kind && known.eq_ignore_ascii_case(plain)
    };
    FORMATS.iter().find(same).map(|(_, format, _)| *format)
}

/// A document's name in the letters that Bedrock allows; a format's ending goes, for `format` says it.
pub(super) fn document_name(name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    let ends = |(_, format, _): &(MediaKind, &str, &str)| {
        name.len() > format.len()
            && name.ends_with(format)
            && name[..name.len() - format.len()].ends_with('.')
    };
    let stem = match FORMATS.iter().find(|entry| ends(entry)) {
        Some((_, format, _)) => &name[..name.len() - format.len() - 1],
        None => name,
    };
    let mut fit = String::with_capacity(stem.len().min(NAME_CHARS));
    for letter in stem.chars().take(NAME_CHARS) {
        match letter {
            _ if letter.is_ascii_alphanumeric() || "-()[]".contains(letter) => fit.push(letter),
            _ if letter.is_whitespace() && fit.ends_with(' ') => {}
            _ if letter.is_whitespace() => fit.push(' '),
            _ => fit.push('-'),
        }
    }
    let fit = fit.trim();
    if fit.is_empty() { "document".to_owned() } else { fit.to_owned() }
}

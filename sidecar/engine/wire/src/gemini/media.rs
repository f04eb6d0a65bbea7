//! `inlineData` and `fileData`.

use super::body::{FileData, InlineData, Piece};
use crate::form::{Cannot, Media, MediaKind, Source, Unreadable};
use crate::json::Members;

/// Where files lie that only Google can open.
const GOOGLE: [&str; 3] = ["https://generativelanguage.googleapis.com/", "gs://", "files/"];

/// What a media type is; what is neither seen nor heard is a document.
pub(super) fn kind(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

pub(super) fn read_inline(mut blob: Members) -> Result<Media, Unreadable> {
    let media_type = blob.required_text("mimeType")?;
    let (kind, name) = (kind(&media_type), blob.text("displayName")?);
    let source = Source::Inline { media_type, data: standard(blob.required_text("data")?) };
    Ok(Media { kind, source, name, detail: None })
}

pub(super) fn read_file(mut file: Members) -> Result<Media, Unreadable> {
    let address = file.required_text("fileUri")?;
    let kind = match file.text("mimeType")? {
        Some(media_type) => kind(&media_type),
        // Films are the only thing that Google takes by a page's address.
        None if address.contains("youtu") => MediaKind::Video,
        None => kind(media_type(&address).unwrap_or_default()),
    };
    let name = file.text("displayName")?;
    let google = GOOGLE.iter().any(|place| address.starts_with(place));
    let source = if google { Source::File(address) } else { Source::Url(address) };
    Ok(Media { kind, source, name, detail: None })
}

pub(super) fn write<'a>(media: &'a Media, path: &str) -> Result<Piece<'a>, Cannot> {
    Ok(match &media.source {
        Source::Inline { media_type, data } => {
            Piece::Inline { inline_data: InlineData { mime_type: media_type, data } }
        }
        Source::Text(text) => Piece::text(text),
        Source::Url(address) => file(media.kind, address),
        Source::File(address) if GOOGLE.iter().any(|place| address.starts_with(place)) => {
            file(media.kind, address)
        }
        Source::File(_) => {
            let why = "is a file stored at another provider; send its content, or name a model of \
                       that provider";
            return Err(Cannot { path: path.to_owned(), why });
        }
    })
}

fn file(kind: MediaKind, address: &str) -> Piece<'_> {
    // Vertex wants a media type and fetches the address itself; without an ending that tells it the
    // commonest of the kind is named: providers look at the bytes.
    let mime_type = media_type(address).unwrap_or(match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    });
    Piece::File { file_data: FileData { mime_type, file_uri: address } }
}

/// What an address's ending says.
fn media_type(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        _ => return None,
    })
}

/// Google's parsers take the URL-safe alphabet as well, and no padding; the other providers do not.
fn standard(mut data: String) -> String {
    if data.contains(['-', '_']) {
        data = data.replace('-', "+").replace('_', "/");
    }
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(blob: serde_json::Value) -> Media {
        read_file(Members::of(blob, String::new()).unwrap()).unwrap()
    }

    /// A11 images: Google's own files stay with Google, public addresses may go anywhere.
    #[test]
    fn files_and_addresses_are_told_apart() {
        let own = "https://generativelanguage.googleapis.com/v1beta/files/abc";
        let file = read(json!({"fileUri": own, "mimeType": "image/png"}));
        assert_eq!((file.kind, &file.source), (MediaKind::Image, &Source::File(own.into())));
        assert!(write(&file, "p").is_ok());
        let film = read(json!({"fileUri": "https://youtu.be/x"}));
        assert_eq!(
            (film.kind, film.source),
            (MediaKind::Video, Source::Url("https://youtu.be/x".into()))
        );
        let source = Source::File("file-123".into());
        let other = Media { kind: MediaKind::Image, source, name: None, detail: None };
        assert_eq!(write(&other, "messages[0]").unwrap_err().path, "messages[0]");
    }

    /// Addresses tell their media type by their ending, else by what the caller called them.
    #[test]
    fn addresses_have_a_media_type() {
        let typed = |address: &str| {
            let source = Source::Url(address.into());
            let media = Media { kind: MediaKind::Image, source, name: None, detail: None };
            serde_json::to_value(write(&media, "p").unwrap()).unwrap()["fileData"]["mimeType"]
                .clone()
        };
        assert_eq!(typed("https://e.org/a.PNG?x=.jpg"), "image/png");
        assert_eq!(typed("https://e.org/a"), "image/jpeg");
    }

    /// Base64 leaves in the alphabet that all providers take.
    #[test]
    fn base64_is_standard() {
        assert_eq!(standard("_-8".into()), "/+8=");
        assert_eq!(standard("QUJD".into()), "QUJD");
    }
}

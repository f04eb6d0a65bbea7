//! Images and documents as blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::blocks::{Block, Mark, Source};
use crate::form::{self, Cannot, Loss, Media, MediaKind};

/// Writes an image or document; `own`: a file's id means something to the provider.
pub(super) fn write<'a>(
    media: &'a Media,
    cache: Option<&'a str>,
    path: &str,
    own: bool,
    losses: &mut Vec<Loss>,
) -> Result<Block<'a>, Cannot> {
    let cannot = |why| Cannot { path: path.to_owned(), why };
    let cache_control = Mark::of(cache);
    if let form::Source::File(file_id) = &media.source {
        if !own {
            return Err(cannot(
                "is a file stored at one provider; send its content, or name a model of that provider",
            ));
        }
        let source = Source::File { file_id };
        let title = media.name.as_deref();
        return Ok(match media.kind {
            MediaKind::Image => Block::Image { source, cache_control },
            _ => Block::Document { source, title, cache_control },
        });
    }
    match media.kind {
        MediaKind::Image => {
            if media.detail.is_some() {
                Loss::note(losses, "image_url.detail");
            }
            let source = image(&media.source).ok_or_else(|| {
                cannot("is an image that this provider cannot read; send JPEG, PNG, GIF or WebP")
            })?;
            Ok(Block::Image { source, cache_control })
        }
        MediaKind::Document => {
            let source = document(&media.source).ok_or_else(|| {
                cannot("is a file that this provider cannot read; send a PDF or plain text")
            })?;
            Ok(Block::Document { source, title: media.name.as_deref(), cache_control })
        }
        MediaKind::Audio | MediaKind::Video => Err(cannot(
            "is sound or video, which this provider cannot take; leave it out, or name another model",
        )),
    }
}

fn image(source: &form::Source) -> Option<Source<'_>> {
    match source {
        form::Source::Inline { media_type, data } => {
            let media_type = match media_type.as_str() {
                "image/jpg" => "image/jpeg", // a common slip, which OpenAI forgives
                known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
                _ => return None,
            };
            Some(Source::Base64 { media_type, data })
        }
        form::Source::Url(url) => Some(Source::Url { url }),
        form::Source::Text(_) | form::Source::File(_) => None,
    }
}

fn document(source: &form::Source) -> Option<Source<'_>> {
    let text = |data| Source::Text { media_type: "text/plain", data };
    match source {
        form::Source::Inline { media_type, data } if media_type == "application/pdf" => {
            Some(Source::Base64 { media_type, data })
        }
        // Text goes as text: in base64 only PDFs are taken.
        form::Source::Inline { media_type, data } if media_type.starts_with("text/") => {
            let bytes = STANDARD.decode(data).ok()?;
            Some(text(String::from_utf8(bytes).ok()?.into()))
        }
        form::Source::Text(data) => Some(text(data.into())),
        form::Source::Url(url) => Some(Source::Url { url }),
        form::Source::Inline { .. } | form::Source::File(_) => None,
    }
}

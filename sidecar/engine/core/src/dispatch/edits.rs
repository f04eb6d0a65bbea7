//! What an attempt changes in the caller's body.

use bytes::Bytes;
use pointsman_wire::openai_chat::quirks::Quirks;

use crate::call::Call;
use crate::plan::Taken;
use crate::scan::{Edit, Key, splice};
use crate::surface::Surface;
use crate::wire::Dialect;

/// The caller's body as the current candidate is sent it.
#[must_use]
pub fn spliced(call: &Call, pieces: &[Bytes]) -> Vec<Bytes> {
    splice(pieces, &edits(call))
}

/// The named splices; all other bytes of the body pass unchanged.
fn edits(call: &Call) -> Vec<Edit> {
    let Some((model, planned)) = call.model() else { return Vec::new() };
    let mut edits = Vec::with_capacity(3);
    if call.taken != Taken::PassThrough && call.requested() != model.provider.model {
        // Where the path names it, the body does not.
        let requested = call.scan.model.as_ref().filter(|it| !it.span.is_empty());
        edits.extend(requested.map(|requested| {
            // In a form names stand without quotes.
            let bare = requested.span.len() == requested.value.len();
            let with = if bare {
                Bytes::copy_from_slice(model.provider.model.as_bytes())
            } else {
                planned.upstream_name.clone()
            };
            Edit { at: requested.span.clone(), with }
        }));
    }
    if let Some(cap) = call.capped {
        edits.push(cap_edit(call, &model.provider.cap_field, cap));
    }
    let told_anyway = model.provider.quirks.any(Quirks::NO_OTHERS);
    let says_usage = matches!(call.surface, Surface::Chat | Surface::Completions) && !told_anyway;
    if call.wants_stream() && says_usage {
        edits.extend(call.scan.ask_usage());
    }
    edits.sort_by_key(|edit| edit.at.start);
    edits
}

/// The cap goes where the caller put one, else into the field that the provider reads.
fn cap_edit(call: &Call, field: &str, cap: u64) -> Edit {
    let key = if call.surface.dialect() == Dialect::Gemini {
        return call.scan.set_gemini_cap(&cap.to_string());
    } else if matches!(call.surface, Surface::Messages | Surface::Completions) {
        Key::MaxTokens
    } else if call.surface == Surface::Responses {
        Key::MaxOutputTokens
    } else if call.scan.max_completion_tokens.is_some() {
        Key::MaxCompletionTokens
    } else if call.scan.max_tokens.is_some() || field == "max_tokens" {
        Key::MaxTokens
    } else {
        Key::MaxCompletionTokens
    };
    call.scan.set(key, &cap.to_string())
}

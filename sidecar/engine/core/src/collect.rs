//! Reading an upstream body into memory, bounded.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::decode::Decoder;
use crate::error::Class;

/// What was read.
#[derive(Debug)]
pub enum Collected {
    /// The whole body.
    All(Bytes),
    /// More than the bound; the body goes on.
    Part(Bytes),
}

/// Reads a body to its end, or until more than `most` bytes are there.
///
/// # Errors
/// It broke off, or its encoding could not be undone.
pub async fn collect(
    body: &mut Incoming,
    mut decoder: Option<&mut Decoder>,
    most: usize,
) -> Result<Collected, Class> {
    // Most answers come in one piece, which is passed on without a copy.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Class::TruncatedEarly)?;
        let Ok(mut piece) = frame.into_data() else { continue };
        if let Some(decoder) = &mut decoder {
            piece = decoder.push(&piece).map_err(|fault| fault.class(false))?;
        }
        if first.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
        if first.len().max(all.len()) > most {
            return Ok(Collected::Part(joined(first, all)));
        }
    }
    if let Some(decoder) = decoder {
        decoder.finish().map_err(|fault| fault.class(false))?;
    }
    Ok(Collected::All(joined(first, all)))
}

fn joined(first: Bytes, all: BytesMut) -> Bytes {
    if all.is_empty() { first } else { all.freeze() }
}

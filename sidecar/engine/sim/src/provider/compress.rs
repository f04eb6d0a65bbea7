//! Content codings that nobody asked for: each event stays a separate, flushed piece.

use std::io::Write;

use bytes::Bytes;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::behaviour::Compression;
use super::reel::Event;

impl Compression {
    /// The token of the `content-encoding` header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Replaces the bytes of `events` by one compressed stream, cut at the same places.
///
/// # Errors
/// Never on memory; passed up rather than hidden.
pub(crate) fn compress(events: &mut [Event], coding: Compression) -> std::io::Result<()> {
    let level = flate2::Compression::default();
    match coding {
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            for event in events.iter_mut() {
                encoder.write_all(&event.bytes)?;
                encoder.flush()?;
                event.bytes = Bytes::from(std::mem::take(encoder.get_mut()));
            }
            append(events, encoder.finish()?);
        }
        Compression::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            for event in events.iter_mut() {
                encoder.write_all(&event.bytes)?;
                encoder.flush()?;
                event.bytes = Bytes::from(std::mem::take(encoder.get_mut()));
            }
            append(events, encoder.finish()?);
        }
    }
    Ok(())
}

/// Adds the stream's end to the last event.
fn append(events: &mut [Event], end: Vec<u8>) {
    if let Some(last) = events.last_mut() {
        last.bytes = [last.bytes.as_ref(), &end].concat().into();
    }
}

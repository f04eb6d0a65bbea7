//! Frames of `application/vnd.amazon.eventstream`: lengths, headers, payload, two checksums.

use bytes::Bytes;
use flate2::Crc;
use serde_json::Value;

/// Type byte of a header that holds text.
const TEXT: u8 = 7;
/// Bytes of lengths and their checksum.
const PRELUDE: usize = 12;

/// An event.
pub(super) fn event(kind: &str, payload: &Value) -> Bytes {
    let headers =
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, payload.to_string().as_bytes())
}

/// A failure in mid-stream.
pub(super) fn exception(kind: &str, payload: &Value) -> Bytes {
    let headers = [
        (":exception-type", kind),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    frame(&headers, payload.to_string().as_bytes())
}

/// A frame whose last checksum is wrong.
pub(super) fn garbage() -> Bytes {
    let whole = event("contentBlockDelta", &Value::Null);
    let mut bytes = whole.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 0xff;
    }
    bytes.into()
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.extend_from_slice(name.as_bytes());
        head.push(TEXT);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE + head.len() + payload.len() + 4;
    let mut bytes = Vec::with_capacity(total);
    for length in [total, head.len()] {
        bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    let prelude = checksum(&bytes);
    bytes.extend_from_slice(&prelude);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(payload);
    let all = checksum(&bytes);
    bytes.extend_from_slice(&all);
    bytes.into()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of the format: no headers, no payload.
    #[test]
    fn the_empty_message_has_its_known_bytes() {
        let known = [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(frame(&[], b""), Bytes::copy_from_slice(&known));
    }
}

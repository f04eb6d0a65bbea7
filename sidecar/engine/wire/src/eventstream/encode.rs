//! Messages to bytes.

use super::{CHECKSUM_BYTES, PRELUDE_BYTES};

/// Appends an event with a JSON payload.
pub fn event(kind: &str, payload: &[u8], out: &mut Vec<u8>) {
    let headers =
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload, out);
}

/// Appends an exception with a JSON payload.
pub fn exception(kind: &str, payload: &[u8], out: &mut Vec<u8>) {
    let headers = [
        (":exception-type", kind),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, payload, out);
}

/// Names and types are words of the protocol, far shorter than their lengths can tell.
fn message(headers: &[(&str, &str)], payload: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    let length: usize = headers.iter().map(|(name, value)| 4 + name.len() + value.len()).sum();
    let total = PRELUDE_BYTES + length + payload.len() + CHECKSUM_BYTES;
    out.reserve(total);
    put(total, out);
    put(length, out);
    checksum(from, out);
    for (name, value) in headers {
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
        out.push(7); // a string
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(payload);
    checksum(from, out);
}

fn put(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn checksum(from: usize, out: &mut Vec<u8>) {
    let sum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}

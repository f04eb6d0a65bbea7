//! Bytes, in pieces of any size, to messages.

use std::ops::Range;

use super::{CHECKSUM_BYTES, EXCEPTION, HEADERS_BYTES, Message, PAYLOAD_BYTES, PRELUDE_BYTES};

/// Why a stream cannot be read on: nothing after this point can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A checksum does not match.
    #[error("a message of the event stream is corrupt")]
    Corrupt,
    /// Longer than [`HEADERS_BYTES`] or [`PAYLOAD_BYTES`] allow.
    #[error("a message of the event stream is too long")]
    TooLong,
    /// Lengths or headers that cannot be.
    #[error("a message of the event stream is malformed")]
    Malformed,
    /// The stream ended within a message.
    #[error("the event stream is cut")]
    Cut,
}

/// Reads a stream piece by piece.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Of the message that has begun.
    held: Vec<u8>,
    broken: Option<Broken>,
}

impl Decoder {
    /// Takes the next bytes and appends the messages that they complete.
    ///
    /// # Errors
    /// As [`Broken`] says, now and ever after; messages before the fault are appended.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<Message>) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        self.take(piece, out).inspect_err(|broken| {
            self.broken = Some(*broken);
            self.held = Vec::new();
        })
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// Within a message, or broken before.
    pub fn finish(&self) -> Result<(), Broken> {
        match self.broken {
            Some(broken) => Err(broken),
            None if self.held.is_empty() => Ok(()),
            None => Err(Broken::Cut),
        }
    }

    fn take(&mut self, mut piece: &[u8], out: &mut Vec<Message>) -> Result<(), Broken> {
        while !self.held.is_empty() {
            let Some(missing) = missing(&self.held)? else {
                out.push(read(&self.held)?);
                self.held.clear();
                break;
            };
            if piece.is_empty() {
                return Ok(());
            }
            let (now, later) = piece.split_at(missing.min(piece.len()));
            self.held.extend_from_slice(now);
            piece = later;
        }
        // Whole messages are read where they lie.
        while let Some(length) = whole(piece)? {
            let (message, rest) = piece.split_at(length);
            out.push(read(message)?);
            piece = rest;
        }
        self.held.extend_from_slice(piece);
        Ok(())
    }
}

/// How many bytes a message still wants, as far as is known; `None`: it is whole.
fn missing(begun: &[u8]) -> Result<Option<usize>, Broken> {
    let wanted = if begun.len() < PRELUDE_BYTES { PRELUDE_BYTES } else { total(begun)? };
    Ok(wanted.checked_sub(begun.len()).filter(|missing| *missing > 0))
}

/// The length of the message that `bytes` begin with, if it is all there.
fn whole(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    if bytes.len() < PRELUDE_BYTES {
        return Ok(None);
    }
    Ok(Some(total(bytes)?).filter(|length| *length <= bytes.len()))
}

/// The length that a prelude tells, believed only under its checksum and within the bounds.
fn total(bytes: &[u8]) -> Result<usize, Broken> {
    if crc32fast::hash(bytes.get(..8).ok_or(Broken::Malformed)?) != number(bytes, 8)? {
        return Err(Broken::Corrupt);
    }
    let total = number(bytes, 0)? as usize;
    let headers = number(bytes, 4)? as usize;
    let around = PRELUDE_BYTES + CHECKSUM_BYTES;
    if headers > HEADERS_BYTES {
        return Err(Broken::TooLong);
    }
    match total.checked_sub(around + headers) {
        None => Err(Broken::Malformed),
        Some(payload) if payload > PAYLOAD_BYTES => Err(Broken::TooLong),
        Some(_) => Ok(total),
    }
}

/// A whole message; its prelude has been looked at.
fn read(message: &[u8]) -> Result<Message, Broken> {
    let body = message.len().checked_sub(CHECKSUM_BYTES).ok_or(Broken::Malformed)?;
    let headers = PRELUDE_BYTES..PRELUDE_BYTES + number(message, 4)? as usize;
    if crc32fast::hash(part(message, 0..body)?) != number(message, body)? {
        return Err(Broken::Corrupt);
    }
    let payload = part(message, headers.end..body)?;
    let told = Told::read(part(message, headers)?)?;
    told.into_message(payload)
}

/// The headers that matter here.
#[derive(Debug, Default)]
struct Told<'a> {
    message_type: Option<&'a str>,
    event_type: Option<&'a str>,
    exception_type: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn read(mut headers: &'a [u8]) -> Result<Self, Broken> {
        let mut told = Self::default();
        while let Some((&length, rest)) = headers.split_first() {
            let (name, rest) = split(rest, usize::from(length))?;
            let (&kind, rest) = rest.split_first().ok_or(Broken::Malformed)?;
            let (length, rest) = match kind {
                0 | 1 => (0, rest), // true, false
                2 => (1, rest),
                3 => (2, rest),
                4 => (4, rest),
                5 | 8 => (8, rest), // a number, a time
                6 | 7 => {
                    let (length, rest) = split(rest, 2)?;
                    (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
                }
                9 => (16, rest), // a UUID
                _ => return Err(Broken::Malformed),
            };
            let (value, rest) = split(rest, length)?;
            headers = rest;
            if let (7, Ok(name)) = (kind, str::from_utf8(name)) {
                told.note(name, str::from_utf8(value).map_err(|_| Broken::Malformed)?);
            }
        }
        Ok(told)
    }

    fn note(&mut self, name: &str, value: &'a str) {
        let place = match name {
            ":message-type" => &mut self.message_type,
            ":event-type" => &mut self.event_type,
            ":exception-type" => &mut self.exception_type,
            ":error-code" => &mut self.error_code,
            ":error-message" => &mut self.error_message,
            _ => return,
        };
        *place = Some(value);
    }

    fn into_message(self, payload: &[u8]) -> Result<Message, Broken> {
        let payload = payload.to_vec();
        match self.message_type {
            Some("event") => {
                let name = self.event_type.ok_or(Broken::Malformed)?.to_owned();
                Ok(Message { name, payload })
            }
            Some("exception") => {
                let kind = self.exception_type.ok_or(Broken::Malformed)?;
                Ok(Message { name: [EXCEPTION, kind].concat(), payload })
            }
            // All that it says stands in its headers.
            Some("error") => {
                let kind = self.error_code.unwrap_or("error");
                let text = self.error_message.unwrap_or_default();
                let payload = serde_json::json!({"message": text}).to_string().into_bytes();
                Ok(Message { name: [EXCEPTION, kind].concat(), payload })
            }
            _ => Err(Broken::Malformed),
        }
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Broken> {
    bytes.split_at_checked(at).ok_or(Broken::Malformed)
}

fn part(bytes: &[u8], range: Range<usize>) -> Result<&[u8], Broken> {
    bytes.get(range).ok_or(Broken::Malformed)
}

fn number(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Broken::Malformed)?;
    Ok(u32::from_be_bytes(*four))
}

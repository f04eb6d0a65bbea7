//! Reading a request: head and body within bounds, scanned as the pieces arrive. The body stays the
//! received pieces, to be sent and replayed without copying.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use crate::engine::Shared;
use crate::error::Refusal;
use crate::limits;
use crate::scan::{Profile, Scan, ScanError, ScanOptions, Scanner};

/// Bytes of requests, and of streams that are held back, counted against the process's bound for as long as this lives.
#[derive(Debug)]
pub struct HeldBytes {
    shared: Arc<Shared>,
    counted: u64,
    received: u64,
}

impl HeldBytes {
    /// Counts what a head announces before it comes: of bodies that come together, those that will
    /// not fit are refused unread, and the others need not fear them.
    fn announced(shared: &Arc<Shared>, bytes: u64) -> Result<Self, Refusal> {
        let mut held = Self::none(shared);
        held.count(bytes)?;
        Ok(held)
    }

    /// Of a call that holds nothing yet.
    #[must_use]
    pub fn none(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), counted: 0, received: 0 }
    }

    /// Counts more bytes; false where there is no room for them.
    #[must_use]
    pub fn more(&mut self, bytes: u64) -> bool {
        self.count(bytes).is_ok()
    }

    fn receive(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.received += bytes;
        self.count(self.received.saturating_sub(self.counted))
    }

    fn count(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.counted += bytes;
        self.shared.room.hold(bytes)
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.shared.room.free(self.counted);
    }
}

/// A request body and what it says.
#[derive(Debug)]
pub struct Intake<Said> {
    /// In order of arrival.
    pub pieces: Vec<Bytes>,
    /// What the path needs to know.
    pub said: Said,
    /// Keeps the bytes counted.
    pub held: HeldBytes,
}

/// Reads a body as it arrives.
pub trait Reads: Sized {
    /// What it must know beforehand.
    type How;
    /// What it has read.
    type Read;

    /// Nothing has arrived yet.
    fn begin(how: Self::How) -> Self;

    /// Reads on.
    ///
    /// # Errors
    /// It is not of the form that is read.
    fn push(&mut self, piece: &[u8]) -> Result<(), Refusal>;

    /// The body has ended.
    ///
    /// # Errors
    /// It is not whole.
    fn finish(self) -> Result<Self::Read, Refusal>;
}

impl Reads for Scanner {
    type How = (Profile, ScanOptions);
    type Read = Scan;

    fn begin((profile, options): Self::How) -> Self {
        Self::of(profile, options)
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        Self::push(self, piece).map_err(|error| refusal(&error))
    }

    fn finish(self) -> Result<Scan, Refusal> {
        Self::finish(self).map_err(|error| refusal(&error))
    }
}

/// Refuses a head that is too large, before any of the body is read.
///
/// # Errors
/// 431 or 415 in OpenAI's shape.
pub fn check_head(head: &Parts) -> Result<(), Refusal> {
    let size: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let many = head.headers.len() > limits::REQUEST_HEADERS;
    if many || size + head.uri.path().len() > limits::REQUEST_HEAD_BYTES {
        return Err(Refusal::HeadersTooLarge { limit: limits::REQUEST_HEAD_BYTES });
    }
    match head.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("identity") => Ok(()),
        Some(encoding) => Err(Refusal::EncodedBody { encoding: encoding.to_owned() }),
    }
}

/// Reads the body.
///
/// # Errors
/// Too large, too slow, broken off, or nothing that its reader can read.
pub async fn read<R: Reads>(
    shared: &Arc<Shared>,
    head: &Parts,
    body: &mut Incoming,
    how: R::How,
) -> Result<Intake<R::Read>, Refusal> {
    let limit = largest(shared);
    let announced =
        head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced: u64 = announced.unwrap_or(0);
    if announced > limit as u64 {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let mut held = HeldBytes::announced(shared, announced)?;
    let mut reader = R::begin(how);
    let mut pieces = Vec::with_capacity(4);
    let began = Instant::now();
    let mut length = 0;
    while let Some(frame) = tokio::time::timeout(patience(length, began.elapsed()), body.frame())
        .await
        .map_err(|_| Refusal::RequestTooSlow)?
    {
        let frame = frame.map_err(|_| Refusal::CallerGone)?;
        let Ok(piece) = frame.into_data() else { continue };
        length += piece.len();
        if length > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        held.receive(piece.len() as u64)?;
        push_in_slices(&mut reader, &piece).await?;
        pieces.push(piece);
    }
    Ok(Intake { pieces, said: reader.finish()?, held })
}

/// Reads on what the caller still sends of a request that is refused, and throws it away: a connection
/// that is closed over unread bytes is reset, and the answer on its way is lost with it.
pub fn discard(head: &Parts, mut body: Incoming, refusal: &Refusal) {
    // Who asks first (`expect: 100-continue`) has sent nothing; who has left or stalls sends no more.
    let nothing_comes = matches!(refusal, Refusal::CallerGone | Refusal::RequestTooSlow);
    if nothing_comes || body.is_end_stream() || head.headers.contains_key(EXPECT) {
        return;
    }
    tokio::task::spawn_local(async move {
        let idle = Duration::from_millis(limits::DISCARD_IDLE_MS);
        let mut taken = 0;
        while taken <= limits::DISCARDED_BODY_BYTES
            && let Ok(Some(Ok(frame))) = tokio::time::timeout(idle, body.frame()).await
        {
            taken += frame.data_ref().map_or(0, Bytes::len);
        }
    });
}

/// How long the next piece of a body may take, `after` so long in which so many bytes have come.
fn patience(received: usize, after: Duration) -> Duration {
    let idle = Duration::from_millis(limits::BODY_IDLE_TIMEOUT_MS);
    let earned = Duration::from_secs(received as u64 / limits::BODY_LEAST_RATE);
    (idle + earned).saturating_sub(after).min(idle)
}

/// A body that would never find room is too large: "try again" would be a lie.
fn largest(shared: &Shared) -> usize {
    let room = usize::try_from(shared.room.most_bytes()).unwrap_or(usize::MAX);
    limits::REQUEST_BODY_BYTES.min(room)
}

/// No step holds the thread longer than 500 us: large pieces are scanned in slices.
async fn push_in_slices(reader: &mut impl Reads, piece: &[u8]) -> Result<(), Refusal> {
    let mut slices = piece.chunks(limits::SCAN_SLICE_BYTES);
    if let Some(first) = slices.next() {
        reader.push(first)?;
    }
    for slice in slices {
        tokio::task::yield_now().await;
        reader.push(slice)?;
    }
    Ok(())
}

pub(crate) fn refusal(error: &ScanError) -> Refusal {
    match error {
        ScanError::DuplicateKey { key } => Refusal::DuplicateKey { key: key.to_string() },
        ScanError::WrongType { key, expected } => Refusal::BadValue {
            param: key.to_string(),
            reason: format!("it must be {expected}; correct it or leave it out"),
        },
        ScanError::TooLong { key, limit } => Refusal::BadValue {
            param: key.to_string(),
            reason: format!("it is longer than {limit} bytes; shorten it"),
        },
        _ => Refusal::BadJson { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_pause_and_must_get_on() {
        let s = Duration::from_secs;
        assert_eq!(patience(0, s(0)), s(30), "the first byte");
        assert_eq!(patience(10, s(29)), s(1), "a byte now and then earns nothing");
        assert_eq!(patience(10, s(31)), s(0));
        assert_eq!(patience(1 << 20, s(200)), s(30), "a slow line, not an idle one");
        assert_eq!(patience(1 << 20, s(280)), s(6), "256 s for a MiB, and one pause");
        assert_eq!(patience(64 << 20, s(10)), s(30), "never more than the pause");
    }
}

//! A request body made of the received pieces: sent without copying, replayed from the same pieces; or
//! one that passes as it comes, once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::limits;

/// Pieces in order, or a caller's body.
#[derive(Debug, Default)]
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    remaining: u64,
    /// What is still to come, and how many bytes have.
    upload: Option<Box<(Incoming, u64)>>,
}

/// Why a body breaks off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The caller's own did.
    #[error("the caller's body broke off")]
    Caller(#[source] hyper::Error),
    /// It grew beyond its limit.
    #[error("the caller's body is larger than {} bytes", limits::UPLOAD_BYTES)]
    TooLarge,
}

impl Pieces {
    /// A body of `pieces`; empty ones are left out.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: VecDeque<Bytes> =
            pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let remaining = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, remaining, upload: None }
    }

    /// A body that passes as it comes.
    #[must_use]
    pub fn upload(body: Incoming) -> Self {
        Self { upload: Some(Box::new((body, 0))), ..Self::default() }
    }

    /// All of it, in order; `None`: it passes as it comes.
    #[must_use]
    pub fn known(&self) -> Option<impl Iterator<Item = &[u8]>> {
        self.upload.is_none().then(|| self.pieces.iter().map(|piece| &piece[..]))
    }

    /// Bytes left to send.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.remaining
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.remaining == 0
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(upload) = &mut self.upload {
            let (body, taken) = &mut **upload;
            let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
            let length = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref().map(Bytes::len));
            *taken += length.unwrap_or(0) as u64;
            if *taken > limits::UPLOAD_BYTES {
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Caller)));
        }
        let piece = self.pieces.pop_front();
        self.remaining -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.upload {
            Some(upload) => upload.0.is_end_stream(),
            None => self.pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upload {
            Some(upload) => upload.0.size_hint(),
            None => SizeHint::with_exact(self.remaining),
        }
    }
}

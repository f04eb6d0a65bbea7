//! A request head that cannot be read never becomes a request: hyper answers it by itself with a bare
//! status. This socket gives that answer OpenAI's shape; everything else passes as it is.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patient::Patient;
use crate::error::Refusal;
use crate::limits;

/// What hyper's own answers contain and ours never do.
const BARE: &[u8] = b"\r\ncontent-length: 0\r\n";

/// A caller's connection.
#[derive(Debug)]
pub(super) struct Worded {
    tcp: Patient,
    /// Our answer in place of hyper's.
    answer: Bytes,
}

impl Worded {
    pub(super) fn new(tcp: Patient) -> Self {
        Self { tcp, answer: Bytes::new() }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.answer.is_empty() {
            let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.answer))?;
            self.answer.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Worded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Worded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if let Some(answer) = answer_to(bytes) {
            self.answer = answer;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if let Some((bytes, answer)) =
            slices.first().and_then(|bytes| Some((bytes, answer_to(bytes)?)))
        {
            self.answer = answer;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_answer(cx))?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_answer(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Our answer where `bytes` are hyper's own to a head that it could not read.
fn answer_to(bytes: &[u8]) -> Option<Bytes> {
    let status = bytes.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    memchr::memmem::find(bytes, BARE)?;
    let refusal = match status {
        b"31" | b"14" => Refusal::HeadersTooLarge { limit: limits::REQUEST_HEAD_BYTES },
        b"00" => Refusal::BadHead,
        _ => return None,
    };
    let (status, headers) = refusal.to_response_parts();
    let body = refusal.body();
    let mut answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n").into_bytes();
    for (name, value) in &headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(&body);
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_answers_are_reworded() {
        let bare =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let answer = answer_to(bare).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 431 ") && answer.ends_with(b"}"));
        assert!(answer_to(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").is_some());
        assert!(answer_to(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\n\r\n").is_none());
        assert!(answer_to(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_none());
        assert!(answer_to(b"data: x\r\ncontent-length: 0\r\n").is_none());
    }
}

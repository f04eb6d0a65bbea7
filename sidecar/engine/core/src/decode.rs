//! Answers that come compressed although we asked for identity: undone piece by piece, within bounds,
//! or a failure, never a zero bill. A truncated or corrupt answer is noticed here already.

use bytes::Bytes;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::error::Class;
use crate::limits;
use crate::sse::StreamFault;

/// Why an answer cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    /// An encoding that we neither asked for nor know, or several.
    #[error("the answer's content-encoding is unknown")]
    UnknownEncoding,
    /// It is not what its content-encoding says.
    #[error("the compressed answer is corrupt")]
    Corrupt,
    /// It ended too early.
    #[error("the compressed answer is cut")]
    Truncated,
    /// It grows beyond its limit or beyond any plausible ratio.
    #[error("the compressed answer is too large")]
    TooLarge,
}

impl DecodeFault {
    /// The class of an attempt that ended so; `committed` as in `StreamFault::class`.
    #[must_use]
    pub fn class(self, committed: bool) -> Class {
        StreamFault::from(self).class(committed)
    }
}

impl From<DecodeFault> for StreamFault {
    fn from(fault: DecodeFault) -> Self {
        match fault {
            DecodeFault::Truncated => Self::Truncated,
            _ => Self::Undecodable,
        }
    }
}

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    stage: Stage,
    inflate: Decompress,
    crc: Crc,
    limit: u64,
    encoded: u64,
    decoded: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    /// With zlib's header as the standard says, or raw as some servers send it.
    Deflate,
}

#[derive(Debug)]
enum Stage {
    /// Collecting a header; `again` once a gzip member has ended, so that the body may end here.
    Header {
        bytes: Vec<u8>,
        again: bool,
    },
    Body,
    /// Collecting gzip's CRC and length.
    Trailer(Vec<u8>),
    Ended,
}

impl Decoder {
    /// The decoder that the answer's headers call for; `None`: it is not compressed. `limit` is in
    /// decoded bytes: `limits::PLAIN_ANSWER_BYTES` or `limits::STREAM_DECODED_BYTES`.
    ///
    /// # Errors
    /// `UnknownEncoding`.
    pub fn of(headers: &HeaderMap, limit: usize) -> Result<Option<Self>, DecodeFault> {
        let mut format = None;
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_| DecodeFault::UnknownEncoding)?;
            for name in value.split(',').map(|name| name.trim().to_ascii_lowercase()) {
                let named = match name.as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Format::Gzip,
                    "deflate" => Format::Deflate,
                    _ => return Err(DecodeFault::UnknownEncoding),
                };
                if format.replace(named).is_some() {
                    return Err(DecodeFault::UnknownEncoding);
                }
            }
        }
        Ok(format.map(|format| Self {
            format,
            stage: Stage::Header { bytes: Vec::new(), again: false },
            inflate: Decompress::new(false),
            crc: Crc::new(),
            limit: limit as u64,
            encoded: 0,
            decoded: 0,
        }))
    }

    /// Decodes what arrived; everything that can be known from it comes out at once, as streams need.
    ///
    /// # Errors
    /// The answer is no good; nothing may be pushed afterwards.
    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, DecodeFault> {
        self.encoded += piece.len() as u64;
        let (mut rest, mut out) = (piece, Vec::new());
        while !rest.is_empty() {
            rest = match &mut self.stage {
                Stage::Header { .. } => self.header(rest)?,
                Stage::Body => self.body(rest, &mut out)?,
                Stage::Trailer(_) => self.trailer(rest)?,
                // After deflate's end servers may pad; nothing of it is the answer's.
                Stage::Ended => &[],
            };
        }
        Ok(Bytes::from(out))
    }

    /// The body has ended: was the compressed answer whole?
    ///
    /// # Errors
    /// `Truncated`.
    pub fn finish(&self) -> Result<(), DecodeFault> {
        match &self.stage {
            Stage::Ended => Ok(()),
            Stage::Header { bytes, again: true } if bytes.is_empty() => Ok(()),
            _ => Err(DecodeFault::Truncated),
        }
    }

    fn header<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], DecodeFault> {
        let Stage::Header { bytes, .. } = &mut self.stage else { return Ok(piece) };
        let before = bytes.len();
        bytes.extend_from_slice(piece);
        let known = match self.format {
            Format::Gzip => gzip_header_length(bytes)?.map(|length| (length, false)),
            Format::Deflate => zlib_header(bytes).map(|zlib| (0, zlib)),
        };
        let Some((length, zlib)) = known else {
            return if bytes.len() > limits::GZIP_HEADER_BYTES {
                Err(DecodeFault::Corrupt)
            } else {
                Ok(&[])
            };
        };
        let early = std::mem::take(bytes);
        self.inflate = Decompress::new(zlib);
        self.crc = Crc::new();
        self.stage = Stage::Body;
        // Deflate's first byte may have come in an earlier piece, and inflating needs it: it alone
        // yields nothing.
        if let Some(replay) = early.get(length..before) {
            self.body(replay, &mut Vec::new())?;
            return Ok(piece);
        }
        Ok(&piece[length - before..])
    }

    fn body<'a>(&mut self, piece: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], DecodeFault> {
        let mut rest = piece;
        let mut block = [0_u8; limits::INFLATE_BLOCK_BYTES];
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(rest, &mut block, FlushDecompress::None)
                .map_err(|_| DecodeFault::Corrupt)?;
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(rest.len());
            let written = usize::try_from(self.inflate.total_out() - written)
                .unwrap_or(limits::INFLATE_BLOCK_BYTES);
            rest = rest.get(read..).unwrap_or_default();
            self.account(&block[..written])?;
            out.extend_from_slice(&block[..written]);
            if status == Status::StreamEnd {
                self.stage = match self.format {
                    Format::Gzip => Stage::Trailer(Vec::with_capacity(8)),
                    Format::Deflate => Stage::Ended,
                };
                return Ok(rest);
            }
            if written < limits::INFLATE_BLOCK_BYTES && (rest.is_empty() || read == 0) {
                return if rest.is_empty() { Ok(rest) } else { Err(DecodeFault::Corrupt) };
            }
        }
    }

    /// Bounds the size, absolutely and in relation to what arrived: a bomb is stopped while it is small.
    fn account(&mut self, block: &[u8]) -> Result<(), DecodeFault> {
        self.crc.update(block);
        self.decoded += block.len() as u64;
        let plausible =
            self.encoded.saturating_mul(limits::DECODE_RATIO) + limits::DECODE_SLACK_BYTES;
        if self.decoded > self.limit.min(plausible) { Err(DecodeFault::TooLarge) } else { Ok(()) }
    }

    fn trailer<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], DecodeFault> {
        let Stage::Trailer(bytes) = &mut self.stage else { return Ok(piece) };
        let (part, rest) = piece.split_at(piece.len().min(8 - bytes.len()));
        bytes.extend_from_slice(part);
        if let Some((sum, size)) = bytes.split_first_chunk::<4>()
            && let Ok(size) = <[u8; 4]>::try_from(size)
        {
            let whole = u32::from_le_bytes(*sum) == self.crc.sum()
                && u32::from_le_bytes(size) == self.crc.amount();
            if !whole {
                return Err(DecodeFault::Corrupt);
            }
            self.stage = Stage::Header { bytes: Vec::new(), again: true };
        }
        Ok(rest)
    }
}

/// Length of a gzip header (RFC 1952); `None`: more is needed.
fn gzip_header_length(bytes: &[u8]) -> Result<Option<usize>, DecodeFault> {
    let known = bytes.len().min(GZIP_MAGIC.len());
    if bytes[..known] != GZIP_MAGIC[..known] {
        return Err(DecodeFault::Corrupt);
    }
    let Some(flags) = bytes.get(3) else { return Ok(None) };
    if flags & 0b1110_0000 != 0 {
        return Err(DecodeFault::Corrupt);
    }
    Ok(gzip_fields_end(bytes, *flags))
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Where the optional fields end: extra (flag 4), name (8), comment (16), checksum (2).
fn gzip_fields_end(bytes: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10;
    if flags & 4 != 0 {
        let length = [*bytes.get(at)?, *bytes.get(at + 1)?];
        at += 2 + usize::from(u16::from_le_bytes(length));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += memchr::memchr(0, bytes.get(at..)?)? + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    (bytes.len() >= at).then_some(at)
}

/// Is it zlib's header (RFC 1950)? `None`: more is needed.
fn zlib_header(bytes: &[u8]) -> Option<bool> {
    let (method, flags) = (*bytes.first()?, *bytes.get(1)?);
    Some(method & 0x0f == 8 && u16::from_be_bytes([method, flags]) % 31 == 0)
}

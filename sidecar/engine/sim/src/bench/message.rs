//! Just enough HTTP/1.1 to read requests (origin) and answers (load client) without allocating:
//! head, then a body by length or in chunks.

use memchr::memmem;

/// The largest head taken.
const HEAD_MAX: usize = 64 * 1024;

/// The peer does not speak HTTP/1.1 as expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One message at a time, read out of a caller's buffer.
pub(crate) struct Message {
    state: State,
    /// Status of an answer; 0 for a request.
    status: u16,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Whole,
}

impl Message {
    /// An empty message.
    pub(crate) fn new() -> Self {
        Self { state: State::Head, status: 0, body: Vec::with_capacity(64 * 1024) }
    }

    /// Status of the answer that was read.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The body read so far, without chunk framing.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes what it can from `buffer` and says whether the message is whole. After a whole
    /// message the next call begins a new one.
    ///
    /// # Errors
    /// When the bytes are no HTTP/1.1 message.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Malformed> {
        if self.state == State::Whole {
            self.state = State::Head;
            self.body.clear();
        }
        let mut at = 0;
        while self.state != State::Whole {
            let rest = &buffer[at..];
            match self.step(rest)? {
                Some(taken) => at += taken,
                None => break,
            }
        }
        buffer.drain(..at);
        Ok(self.state == State::Whole)
    }

    /// Takes one part; none when more bytes are needed.
    fn step(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        match self.state {
            State::Head => self.head(rest),
            State::Length(0) => {
                self.state = State::Whole;
                Ok(Some(0))
            }
            State::Length(left) => Ok(self.take(rest, left, State::Length)),
            State::ChunkSize => self.chunk_size(rest),
            State::Chunk(0) => {
                self.state = State::ChunkEnd;
                Ok(Some(0))
            }
            State::Chunk(left) => Ok(self.take(rest, left, State::Chunk)),
            State::ChunkEnd | State::Trailer => {
                if rest.len() < 2 {
                    return Ok(None);
                }
                if !rest.starts_with(b"\r\n") {
                    return Err(Malformed);
                }
                self.state = match self.state {
                    State::ChunkEnd => State::ChunkSize,
                    _ => State::Whole,
                };
                Ok(Some(2))
            }
            State::Whole => Ok(None),
        }
    }

    fn take(&mut self, rest: &[u8], left: usize, next: fn(usize) -> State) -> Option<usize> {
        if rest.is_empty() {
            return None;
        }
        let taken = rest.len().min(left);
        self.body.extend_from_slice(&rest[..taken]);
        self.state = next(left - taken);
        Some(taken)
    }

    fn head(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
            return if rest.len() > HEAD_MAX { Err(Malformed) } else { Ok(None) };
        };
        let mut lines = rest[..end].split(|byte| *byte == b'\n');
        let first = lines.next().ok_or(Malformed)?;
        if first.starts_with(b"HTTP/1.") {
            self.status = number(first.get(9..12).ok_or(Malformed)?, 10)?.try_into().unwrap_or(0);
        }
        self.state = State::Length(0);
        for line in lines {
            if let Some(value) = value_of(line, b"content-length:") {
                self.state = State::Length(number(value, 10)?);
            } else if value_of(line, b"transfer-encoding:").is_some() {
                self.state = State::ChunkSize;
            }
        }
        Ok(Some(end + 4))
    }

    fn chunk_size(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = memmem::find(rest, b"\r\n") else { return Ok(None) };
        let size = number(&rest[..end], 16)?;
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(Some(end + 2))
    }
}

/// Frames `bytes` as one chunk.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn number(digits: &[u8], radix: u32) -> Result<usize, Malformed> {
    let text = std::str::from_utf8(digits.trim_ascii()).map_err(|_utf8| Malformed)?;
    usize::from_str_radix(text, radix).map_err(|_digits| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both framings are read at every split, and the next message begins where one ends.
    #[test]
    fn every_split_reads_the_same() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
        bytes.extend_from_slice(b"HTTP/1.1 429 No\r\ntransfer-encoding: chunked\r\n\r\n");
        bytes.extend_from_slice(&chunk(b"ab"));
        bytes.extend_from_slice(&chunk(&[b'x'; 17]));
        bytes.extend_from_slice(b"0\r\n\r\n");
        for split in 0..bytes.len() {
            let mut message = Message::new();
            let mut seen = Vec::new();
            let mut buffer = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                buffer.extend_from_slice(part);
                while message.read(&mut buffer).unwrap() {
                    seen.push((message.status(), message.body().to_vec()));
                }
            }
            let second = [b"ab".as_slice(), &[b'x'; 17]].concat();
            assert_eq!(seen, [(200, b"hello".to_vec()), (429, second)], "split at {split}");
        }
    }

    /// What is not HTTP is an error, not an endless wait.
    #[test]
    fn garbage_is_malformed() {
        let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec();
        assert_eq!(Message::new().read(&mut bytes), Err(Malformed));
    }
}

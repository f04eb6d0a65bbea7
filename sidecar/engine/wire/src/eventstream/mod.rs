//! AWS's event stream (`application/vnd.amazon.eventstream`): length, headers and payload of each message
//! under two checksums. Converse's streams come in it instead of server-sent events.
//!
//! Own code because `aws-smithy-eventstream` brings two generations of HTTP crates into this one.

mod decode;
mod encode;

pub use decode::{Broken, Decoder};
pub use encode::{event, exception};

use crate::form::Frame;

/// Most bytes of a message's headers: what AWS's own SDKs take.
pub const HEADERS_BYTES: usize = 128 << 10;
/// Most bytes of a message's payload, likewise.
pub const PAYLOAD_BYTES: usize = 24 << 20;

/// Total length, headers' length, and the checksum of both.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// What stands before the name of an exception in [`Frame::name`], which no event's name holds.
const EXCEPTION: &str = "exception:";

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `:event-type`; for an exception or error `exception:` and its type or code.
    pub name: String,
    /// JSON as a rule.
    pub payload: Vec<u8>,
}

impl Message {
    /// As readers of streams take it.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame { name: &self.name, data: &self.payload }
    }
}

/// The exception's type where a frame's name is one's.
#[must_use]
pub fn exception_type(name: &str) -> Option<&str> {
    name.strip_prefix(EXCEPTION)
}

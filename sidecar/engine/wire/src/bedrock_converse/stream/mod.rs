//! A streamed answer. Frames come from [`crate::eventstream`]: an event's type and payload.
//!
//! Blocks follow one another; those of text and reasoning have no `contentBlockStart`. `messageStop` comes
//! before `metadata` with the usage, which alone ends a stream.

mod read;
mod write;

pub use read::Reader;
pub use write::Writer;

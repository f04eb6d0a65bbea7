//! The streamed answer: server-sent events whose blocks never overlap.

mod read;
mod write;

pub use read::Reader;
pub use write::Writer;

//! The stream of chunks.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

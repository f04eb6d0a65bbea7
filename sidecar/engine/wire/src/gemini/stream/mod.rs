//! The stream: chunks that look like whole answers. It ends with the body, no mark says so.

mod partial;
mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

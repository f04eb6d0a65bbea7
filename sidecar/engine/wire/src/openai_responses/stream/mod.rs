//! The stream of semantic events.

mod reader;
mod said;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

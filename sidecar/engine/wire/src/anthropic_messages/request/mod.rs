//! The request: [`read`] for callers that speak Anthropic's dialect, [`write`] for providers that do.

mod compose;
mod content;
mod media;
mod read;
mod schema;
mod thinking;
mod tools;
mod write;

pub use read::read;
pub(super) use read::read_uncapped;
pub use write::write;

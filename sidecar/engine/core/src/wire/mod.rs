//! Wire dialects: which one is spoken where, and what passes unchanged read by the members that matter.
//! What is translated goes through the crate `pointsman-wire`.
mod cursor;
mod dialect;
mod embeddings;
pub mod media;
pub mod openai_chat;
mod translation;

pub use dialect::Dialect;
pub use embeddings::Wish;
pub use translation::{Sent, Target, Translation};
pub(crate) use translation::{beside, is_large, on_a_thread};

//! Wire dialects: which one is spoken where, and what passes unchanged read by the members that matter.
//! What is translated goes through the crate `pointsman-wire`.
mod cursor;
mod dialect;
pub mod openai_chat;
mod translation;

pub use dialect::Dialect;
pub use translation::{Sent, Target, Translation};

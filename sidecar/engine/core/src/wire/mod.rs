//! Wire dialects: one module each.
mod cursor;
pub mod openai_chat;

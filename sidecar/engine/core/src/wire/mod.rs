//! Wire dialects: one module each.
pub mod openai_chat;

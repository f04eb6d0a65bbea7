//! Anthropic's Messages (`POST /v1/messages`), its count of tokens and its list of models.
//!
//! [`request::read`] and [`answer::read`] take whatever Anthropic's own API says; the writers say nothing
//! that it would refuse: alternating turns that begin with the user's, results of tools right after their
//! calls, no blank text, ids and names in its alphabet.

pub mod answer;
mod blocks;
pub mod count_tokens;
pub mod error;
mod finish;
mod ids;
pub mod models;
pub mod request;
pub mod stream;
mod usage;

/// `max_tokens` where the caller's dialect does not ask for a cap and this one does.
pub const DEFAULT_MAX_TOKENS: u64 = 4_096;

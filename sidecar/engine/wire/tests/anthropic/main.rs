//! Anthropic's Messages.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod build;
mod request;
mod thinking;
mod turns;

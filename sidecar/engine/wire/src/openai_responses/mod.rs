//! OpenAI Responses (`POST /v1/responses`), as OpenAI, Azure and vLLM speak it. Source: wire.md A2 and the
//! types of openai-python 3.54.
//!
//! What the caller's own provider keeps between calls (`previous_response_id`, `conversation`, `prompt`,
//! `background`, item references) is named in [`crate::form::Conversation::state`]: no other dialect can
//! carry it. Reasoning that comes from another provider is shown as a summary and never as
//! `encrypted_content`: OpenAI would take that for its own and refuse it.

pub mod answer;
pub mod error;
mod items;
mod marks;
pub mod request;
mod response;
pub mod stream;
mod usage;

//! `POST /v1/messages/count_tokens`. Clients call it before every turn, and probe with paid calls where it
//! is missing.

use serde_json::json;

use super::request;
use crate::form::{Conversation, Unreadable};

/// Reads a request to count: one for an answer that need not say how long the answer may be.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    request::read_uncapped(body)
}

/// Writes the count.
#[must_use]
pub fn write(input_tokens: u64) -> Vec<u8> {
    json!({"input_tokens": input_tokens}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A count needs no cap; an answer does.
    #[test]
    fn a_count_needs_no_cap() {
        let body =
            br#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "system": "s"}"#;
        let conversation = read(body).unwrap();
        assert_eq!((conversation.turns.len(), conversation.settings.max_output), (2, None));
        assert_eq!(request::read(body).unwrap_err().path, "max_tokens");
        assert_eq!(write(7), br#"{"input_tokens":7}"#);
    }
}

//! `:countTokens`.

use serde_json::{Value, json};

use super::request::read_members;
use super::spelling::{object, parse};
use super::{answer, spelling};
use crate::form::{Conversation, Garbled, Unreadable};

/// Reads what is to be counted: `contents`, or a whole `generateContentRequest`.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let mut members = parse(body)?;
    match object(&mut members, "generateContentRequest")? {
        Some(request) => read_members(request),
        None => read_members(members),
    }
}

/// The answer.
#[must_use]
pub fn write(tokens: u64) -> Vec<u8> {
    json!({"totalTokens": tokens}).to_string().into_bytes()
}

/// A provider's count.
///
/// # Errors
/// It is cut, an error, or says no number.
pub fn read_answer(body: &[u8]) -> Result<u64, Garbled> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let mut members = answer::open(value)?;
    let told = spelling::count(&mut members, "totalTokens").map_err(|_| Garbled::Malformed)?;
    told.ok_or(Garbled::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both shapes of the request count the same conversation.
    #[test]
    fn both_shapes_are_read() {
        let contents = json!([{"parts": [{"text": "Hi"}]}]);
        let bare = read(json!({"contents": contents}).to_string().as_bytes()).unwrap();
        let request = json!({"model": "models/gemini-3-flash", "contents": contents});
        let wrapped = json!({"generate_content_request": request});
        let wrapped = read(wrapped.to_string().as_bytes()).unwrap();
        assert_eq!(wrapped.model, "gemini-3-flash");
        assert_eq!(wrapped.turns, bare.turns);
        assert_eq!(read(b"{}").unwrap_err().path, "contents");
    }

    /// What is written is read.
    #[test]
    fn counts_come_back() {
        assert_eq!(read_answer(&write(42)), Ok(42));
        assert_eq!(read_answer(b"{}"), Err(Garbled::Empty));
        let error = read_answer(br#"{"error":{"code":404}}"#);
        assert_eq!(error, Err(Garbled::Error(r#"{"code":404}"#.into())));
    }
}

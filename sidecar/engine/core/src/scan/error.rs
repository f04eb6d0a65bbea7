//! Why a body is refused: always a 400, with a message that names the field and the remedy.

use thiserror::Error;

/// What is wrong with a request body. Offsets count bytes from the body's start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScanError {
    /// Not JSON.
    #[error("the body is not valid JSON: expected {expected} at byte {offset}")]
    Syntax {
        /// The first byte that does not fit.
        offset: usize,
        /// What would have fitted.
        expected: &'static str,
    },
    /// JSON that ends too early.
    #[error("the body ends after {length} bytes, before its JSON object does; send all of it")]
    Incomplete {
        /// Bytes received.
        length: usize,
    },
    /// Not UTF-8.
    #[error("the body is not UTF-8 at byte {offset}; encode it as UTF-8")]
    InvalidUtf8 {
        /// Where UTF-8 ends.
        offset: usize,
    },
    /// Too many open arrays and objects.
    #[error("the body nests deeper than {limit} arrays and objects at byte {offset}; flatten it")]
    TooDeep {
        /// The container that is one too many.
        offset: usize,
        /// The bound.
        limit: usize,
    },
    /// Another JSON value than an object.
    #[error("the body must be a JSON object, such as {{\"model\": \"…\", \"messages\": […]}}")]
    NotAnObject,
    /// Which of the two would count is anyone's guess.
    #[error("`{key}` is given twice; send it once")]
    DuplicateKey {
        /// The member.
        key: &'static str,
    },
    /// A member that we interpret has a value that cannot mean anything.
    #[error("`{key}` must be {expected}; correct it or leave it out")]
    WrongType {
        /// The member.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A name beyond its bound.
    #[error("`{key}` is longer than {limit} bytes; shorten it")]
    TooLong {
        /// The member.
        key: &'static str,
        /// The bound.
        limit: usize,
    },
}

impl ScanError {
    /// The member at fault, for `param` in OpenAI's error shape.
    #[must_use]
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::DuplicateKey { key }
            | Self::WrongType { key, .. }
            | Self::TooLong { key, .. } => Some(key),
            _ => None,
        }
    }
}

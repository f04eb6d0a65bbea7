//! What does not fit.

/// A member that the target's dialect has no place for and that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Path in the caller's own dialect where it is known there (`logit_bias`), else in the form's words.
    /// `[A-Za-z0-9_.\[\]-]`, at most 64 characters: fit for a header.
    pub path: String,
}

impl Loss {
    /// A loss at this path, made fit for a header.
    #[must_use]
    pub fn at(path: &str) -> Self {
        let fit = |c: char| c.is_ascii_alphanumeric() || "_.[]-".contains(c);
        let path = path.chars().take(64).map(|c| if fit(c) { c } else { '_' });
        Self { path: path.collect() }
    }

    /// Adds it to a list unless it is there.
    pub fn note(losses: &mut Vec<Self>, path: &str) {
        let loss = Self::at(path);
        if !losses.contains(&loss) {
            losses.push(loss);
        }
    }
}

/// A body in the target's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// JSON.
    pub body: Vec<u8>,
    /// What it leaves out, in the request's order, without duplicates.
    pub losses: Vec<Loss>,
}

/// The target cannot give the kind of answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Cannot {
    /// As in [`Loss::path`].
    pub path: String,
    /// Ends in what the caller can do.
    pub why: &'static str,
}

/// A request that is not of its dialect's shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Unreadable {
    /// Path of the member, `messages[2].content[0].type`.
    pub path: String,
    /// What is wrong and what is expected.
    pub why: String,
}

/// An answer or event that is not of its dialect's shape, or an answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    /// Cut, or no JSON, or members of other types.
    #[error("the answer is cut or malformed")]
    Malformed,
    /// An error where an answer should be: its JSON.
    #[error("the answer is an error")]
    Error(String),
    /// Well formed, and holds no answer.
    #[error("the answer is empty")]
    Empty,
}

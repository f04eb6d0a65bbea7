//! A plain answer.

use super::{Part, Tokens};

/// A whole answer, in no provider's words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The provider's id.
    pub id: Option<String>,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// Unix seconds, where the provider says it.
    pub created: Option<u64>,
    /// At least one, in order.
    pub choices: Vec<Choice>,
    /// As billed; `None`: the provider did not say.
    pub usage: Option<Tokens>,
}

/// One of the answers that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What the model says and calls.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
}

/// Why an answer ended, and in the provider's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The meaning.
    pub reason: FinishReason,
    /// The provider's word, for an extension field where no word of ours says as much.
    pub raw: String,
}

/// The meaning of a finish or stop reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// One of the caller's stop texts; which, where the provider says it.
    StopText(Option<String>),
    /// The cap on answer tokens.
    Length,
    /// The model's window is full.
    Window,
    /// Tools are to be called.
    Calls,
    /// The provider's filter.
    Filter,
    /// The model declined.
    Refusal,
    /// The provider paused a long turn: the caller must send it again to go on.
    Pause,
    /// Something that no dialect shares; `Finish::raw` says what.
    Other,
}

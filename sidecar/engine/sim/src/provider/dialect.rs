//! What sets one provider's wire format apart from another's. Script, content, bill and player are
//! the same for all of them: a dialect reads requests, judges them as the real provider does, and
//! writes the one answer in its own form.

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use super::answer::Answer;
use super::behaviour::Action;
use super::bill::Tokens;
use super::failure::{Class, Refused};
use super::prompt::Prompt;
use super::reel::Reel;

/// A request as its dialect sees it.
pub(crate) struct Ask<'a> {
    /// Method, target, headers.
    pub(crate) head: &'a Parts,
    /// The JSON body.
    pub(crate) body: &'a Value,
    /// The upstream model, wherever the dialect names it; empty where it does not.
    pub(crate) model: &'a str,
    /// The path asks for a stream.
    pub(crate) streamed: bool,
    /// Chat, too, is judged as OpenAI itself judges it.
    pub(crate) strict: bool,
    /// Seed of what is made up.
    pub(crate) seed: u64,
}

/// One provider's wire format.
pub(crate) trait Dialect: Sync {
    /// Checks the credential and what else the headers must say.
    ///
    /// # Errors
    /// As the provider refuses.
    fn admit(&self, head: &Parts) -> Result<(), Refused>;

    /// Reads a request for an answer, strictly.
    ///
    /// # Errors
    /// With the provider's own words where the request is malformed.
    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused>;

    /// The plain answer.
    ///
    /// # Errors
    /// Never for real answers; passed up rather than hidden.
    fn document(&self, answer: &Answer, prompt: &Prompt) -> serde_json::Result<Vec<u8>>;

    /// The streamed answer, event by event.
    ///
    /// # Errors
    /// Never for real answers; passed up rather than hidden.
    fn stream(
        &self,
        answer: &Answer,
        prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()>;

    /// Counts tokens instead of answering.
    ///
    /// # Errors
    /// Where the provider has no such call, or the request is malformed.
    fn count(&self, ask: &Ask<'_>) -> Result<Value, Refused> {
        Err(self.unknown_path(ask.head.method.as_str(), ask.head.uri.path()))
    }

    /// Embeds instead of answering: the document and what it costs.
    ///
    /// # Errors
    /// Where the provider has no such call, or the request is malformed.
    fn embed(&self, ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
        Err(self.unknown_path(ask.head.method.as_str(), ask.head.uri.path()))
    }

    /// A header that says what vectors cost.
    fn counted(&self, tokens: Tokens) -> Option<(&'static str, String)> {
        let _unused = tokens;
        None
    }

    /// The list of `models`.
    fn models(&self, models: &[String]) -> Value;

    /// How `tokens` are reported.
    fn usage(&self, tokens: Tokens) -> Value;

    /// What is billed for a reported `usage`; what it does not say stays as in `counted`.
    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens;

    /// The provider's own form of a failure.
    fn failure(&self, class: Class) -> Refused;

    /// A body that is no JSON object.
    fn unparsable(&self) -> Refused;

    /// A path or method that does not exist.
    fn unknown_path(&self, method: &str, path: &str) -> Refused;

    /// A model that this provider does not serve.
    fn unknown_model(&self, model: &str) -> Refused;

    /// The body of `refused` in the answer of this `mark`.
    fn sealed(&self, refused: &Refused, mark: &str) -> Value {
        let _unused = mark;
        refused.body.clone()
    }

    /// A failure after the head was sent, `at` so many events.
    fn broken_off(&self, refused: &Refused, action: &Action, at: usize) -> Bytes;

    /// An event that nobody can read.
    fn garbage(&self, action: &Action) -> Bytes;

    /// The content type of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// Headers of every answer of this `mark`.
    fn headers(&self, mark: &str) -> Vec<(&'static str, String)>;
}

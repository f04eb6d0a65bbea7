//! One call's request in other dialects' words: read once, written for each candidate that needs it.
//! Large bodies are worked on beside the data thread, which no step may hold for longer than 500 us.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_wire::form::{Cannot, Conversation, EmbeddingRequest, Loss, Unreadable, Written};
use pointsman_wire::openai_chat::quirks::{Quirks, Spelling};

use super::Dialect;
use super::embeddings::Wish;
use crate::limits;

/// What a request becomes for one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its dialect.
    pub dialect: Dialect,
    /// The model's name there.
    pub model: Arc<str>,
    /// Where OpenAI-like providers read the cap.
    pub cap_field: Arc<str>,
    /// Where it differs from OpenAI's chat.
    pub quirks: Quirks,
    /// A cap that a Budget set in place of the caller's.
    pub cap: Option<u64>,
}

impl Target {
    fn spelling(&self) -> Spelling<'_> {
        Spelling { cap_field: &self.cap_field, quirks: self.quirks }
    }
}

/// A request that was read, and what was written of it last.
#[derive(Debug)]
pub struct Translation {
    asked: Arc<Asked>,
    large: bool,
    written: Option<(Target, Result<Sent, Cannot>)>,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The body.
    pub body: Bytes,
    /// What it leaves out.
    pub losses: Arc<[Loss]>,
}

#[derive(Debug)]
enum Asked {
    Answer(Box<Conversation>),
    Vectors(EmbeddingRequest),
}

impl Translation {
    /// Reads a request of `dialect` for a model, as the caller names it, that is to be streamed or not.
    ///
    /// # Errors
    /// It is not of the dialect's shape.
    pub async fn read(
        dialect: Dialect,
        pieces: &[Bytes],
        (model, stream): (String, bool),
    ) -> Result<Self, Unreadable> {
        let asked = beside(pieces, move |body| {
            Ok(if dialect.embeds() {
                Asked::Vectors(EmbeddingRequest { model, ..dialect.read_embedding_request(body)? })
            } else {
                let asked = dialect.read_request(body)?;
                Asked::Answer(Box::new(Conversation { model, stream, ..asked }))
            })
        });
        let asked = Arc::new(asked.await?);
        Ok(Self { asked, large: is_large(pieces), written: None })
    }

    /// The request in the target's words; kept until another target's are asked for.
    ///
    /// # Errors
    /// The target cannot give what was asked for.
    pub async fn write(&mut self, target: Target) -> Result<Sent, Cannot> {
        if let Some((same, sent)) = &self.written
            && *same == target
        {
            return sent.clone();
        }
        let (asked, to) = (self.asked.clone(), target.clone());
        let sent = on_a_thread(self.large, move || asked.write(&to));
        let sent = sent
            .await
            .map(|written| Sent { body: written.body.into(), losses: written.losses.into() });
        self.written = Some((target, sent.clone()));
        sent
    }

    /// How the caller wants its vectors, where it asked for some.
    #[must_use]
    pub fn wish(&self) -> Option<Wish> {
        match &*self.asked {
            Asked::Vectors(asked) => Some(Wish::of(asked)),
            Asked::Answer(_) => None,
        }
    }
}

impl Asked {
    fn write(&self, to: &Target) -> Result<Written, Cannot> {
        match self {
            Self::Vectors(asked) => to.dialect.write_embedding_request(asked, &to.model),
            Self::Answer(asked) if to.cap.is_none() => {
                to.dialect.write_request(asked, &to.model, to.spelling())
            }
            Self::Answer(asked) => {
                let mut capped = Conversation::clone(asked);
                capped.settings.max_output = to.cap;
                to.dialect.write_request(&capped, &to.model, to.spelling())
            }
        }
    }
}

/// Works on a body, beside this thread where it is large.
pub(crate) async fn beside<T: Send + 'static>(
    pieces: &[Bytes],
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> T {
    let body = match pieces {
        [one] => one.clone(),
        several => several.concat().into(),
    };
    on_a_thread(is_large(pieces), move || work(&body)).await
}

/// Whether work on a body takes long.
pub(crate) fn is_large(pieces: &[Bytes]) -> bool {
    pieces.iter().map(Bytes::len).sum::<usize>() > limits::TRANSLATED_HERE_BYTES
}

/// Runs on this thread, or, where it takes long, on one beside it.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    large: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if !large {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // It is never cancelled: what is left is a panic of the work, which is this call's.
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

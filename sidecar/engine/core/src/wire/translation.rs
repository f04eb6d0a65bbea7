//! One call's request in other dialects' words: read once, written for each candidate that needs it.
//! Large bodies are worked on beside the data thread, which no step may hold for longer than 500 us.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_wire::form::{Cannot, Conversation, Loss, Unreadable};

use super::Dialect;
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
    /// A cap that a Budget set in place of the caller's.
    pub cap: Option<u64>,
}

/// A request that was read, and what was written of it last.
#[derive(Debug)]
pub struct Translation {
    asked: Arc<Conversation>,
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

impl Translation {
    /// Reads a request of `dialect`.
    ///
    /// # Errors
    /// It is not of the dialect's shape.
    pub async fn read(
        dialect: Dialect,
        pieces: &[Bytes],
        complete: impl FnOnce(&mut Conversation),
    ) -> Result<Self, Unreadable> {
        let length = pieces.iter().map(Bytes::len).sum::<usize>();
        let large = length > limits::TRANSLATED_HERE_BYTES;
        let body = match pieces {
            [one] => one.clone(),
            several => several.concat().into(),
        };
        let mut asked = beside(large, move || dialect.read_request(&body)).await?;
        complete(&mut asked);
        Ok(Self { asked: Arc::new(asked), large, written: None })
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
        let sent = beside(self.large, move || {
            let write =
                |asked: &Conversation| to.dialect.write_request(asked, &to.model, &to.cap_field);
            if to.cap.is_none() {
                return write(&asked);
            }
            let mut capped = Conversation::clone(&asked);
            capped.settings.max_output = to.cap;
            write(&capped)
        });
        let sent = sent
            .await
            .map(|written| Sent { body: written.body.into(), losses: written.losses.into() });
        self.written = Some((target, sent.clone()));
        sent
    }
}

/// Runs on this thread, or, where it takes long, on one beside it.
async fn beside<T: Send + 'static>(large: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !large {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // It is never cancelled: what is left is a panic of the work, which is this call's.
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

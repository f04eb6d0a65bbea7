//! The reply to one request, before it is sent: the script's own, or a healthy provider's.

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;

use super::answer::{Answer, Source};
use super::behaviour::Action;
use super::bill::{Call, Tokens};
use super::dialect::{Ask, Dialect};
use super::failure::{Class, Refused};
use super::identity::Given;
use super::kept::Told;
use super::openai::media::{self, Made};
use super::prompt::Prompt;
use super::reel::{Event, Reel};
use super::service::Provider;
use super::stats::unix_time_ns;
use super::surface::{Operation, Surface};
use crate::Failure;

/// What goes down, before script and bill have had their say about how.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) events: Vec<Event>,
    pub(crate) streamed: bool,
    pub(crate) billed: bool,
}

impl Reply {
    /// A token endpoint's.
    ///
    /// # Errors
    /// Never: its statuses are HTTP's.
    pub(crate) fn given(given: Given) -> Result<Self, Failure> {
        let status = StatusCode::from_u16(given.status)?;
        let mut reply = Self::document(status, given.body, None);
        reply.content_type = given.content_type;
        Ok(reply)
    }

    /// What is kept, or a word about it; nobody is billed for that.
    pub(crate) fn told(told: Told) -> Self {
        let mut reply = Self::document(told.status, told.body, None);
        reply.content_type = told.content_type;
        reply.headers = told.headers;
        reply
    }

    /// A document of one piece.
    fn document(status: StatusCode, bytes: impl Into<Bytes>, tokens: Option<Tokens>) -> Self {
        let billed = tokens.is_some();
        let tokens = tokens.unwrap_or_default();
        let event = Event { bytes: bytes.into(), tokens, weight: 1 };
        let content_type = "application/json";
        let headers = Vec::new();
        Self { status, content_type, headers, events: vec![event], streamed: false, billed }
    }
}

/// One request's own part in the answer.
pub(crate) struct Turn<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) surface: &'a Surface,
    pub(crate) action: &'a Action,
    pub(crate) sequence: u64,
}

impl Turn<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        self.surface.dialect
    }

    /// What is unique in the answer's head.
    pub(crate) fn mark(&self) -> String {
        format!("{:016x}", self.sequence)
    }

    /// An error as this dialect seals it.
    pub(crate) fn refused(&self, refused: &Refused) -> Reply {
        let body = self.dialect().sealed(refused, &self.mark()).to_string();
        let mut reply = Reply::document(refused.status, body, None);
        reply.headers.clone_from(&refused.headers);
        reply
    }

    /// The script's own status, failure or body, where it names one.
    pub(crate) fn scripted(&self) -> Option<Reply> {
        let action = self.action;
        let status = action.status.and_then(|status| StatusCode::from_u16(status).ok());
        let body = match &action.body {
            None => return self.failed(status),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let usage = action.usage.as_ref().filter(|usage| usage.is_object());
        let tokens = usage.map(|usage| self.dialect().billed(usage, Tokens::default()));
        let mut reply = Reply::document(status.unwrap_or_default(), Vec::new(), tokens);
        let events = ["data:", "event:", ":"].iter().any(|start| body.starts_with(start));
        let pieces: Vec<&str> =
            if events { body.split_inclusive("\n\n").collect() } else { vec![body.as_str()] };
        reply.streamed = events;
        reply.content_type = if events { "text/event-stream" } else { reply.content_type };
        reply.events = pieces
            .into_iter()
            .map(|piece| Event {
                bytes: Bytes::copy_from_slice(piece.as_bytes()),
                tokens: tokens.unwrap_or_default(),
                weight: 1,
            })
            .collect();
        Some(reply)
    }

    /// The scripted failure: by class, or by what a bare status means.
    fn failed(&self, status: Option<StatusCode>) -> Option<Reply> {
        let bad = status.filter(|status| status.as_u16() >= 400);
        let class = self.action.error.filter(|_| self.action.error_at_event.is_none());
        let mut refused = match (class, bad) {
            (Some(class), _) => self.dialect().failure(class),
            (None, Some(status)) => {
                let mut refused = self.dialect().failure(Class::of_status(status.as_u16()));
                // A bare status says nothing about waiting; the script's `headers` do.
                refused
                    .headers
                    .retain(|(name, _)| !name.contains("retry") && !name.contains("ratelimit"));
                refused
            }
            (None, None) => return None,
        };
        if let Some(status) = status {
            refused.status = status;
        }
        let streamed = self.surface.operation == Operation::Stream;
        let mut reply = self.refused(&refused);
        if refused.status.is_success() && streamed {
            reply.streamed = true;
            reply.content_type = self.dialect().stream_type();
            reply.events[0].bytes = self.dialect().broken_off(&refused, self.action, 0);
        }
        Some(reply)
    }

    /// What a provider without faults answers, within the model's limits.
    ///
    /// # Errors
    /// As `healthy`.
    pub(crate) fn served(
        &self,
        head: &Parts,
        body: Option<&Value>,
        model: &str,
        call: &mut Call,
    ) -> Result<Reply, Failure> {
        let reply = self.healthy(head, body, model, call)?;
        Ok(self.admitted(reply, model, call))
    }

    /// What a provider without faults answers.
    ///
    /// # Errors
    /// Never for real answers; passed up rather than hidden.
    fn healthy(
        &self,
        head: &Parts,
        body: Option<&Value>,
        model: &str,
        call: &mut Call,
    ) -> Result<Reply, Failure> {
        let (dialect, provider) = (self.dialect(), self.provider);
        let streamed = self.surface.operation == Operation::Stream;
        match (self.surface.operation, body) {
            (Operation::Nothing, _) => {
                let path = head.uri.path();
                let path = path.find("/v1/").map_or(path, |at| &path[at..]);
                Ok(self.refused(&dialect.unknown_path(head.method.as_str(), path)))
            }
            (Operation::Models, _) => {
                let document = dialect.models(&provider.models).to_string();
                Ok(Reply::document(StatusCode::OK, document, None))
            }
            (_, None) => {
                let admitted = dialect.admit(head).err();
                Ok(self.refused(&admitted.unwrap_or_else(|| dialect.unparsable())))
            }
            (operation, Some(body)) => {
                let (strict, seed) = (provider.strict, provider.seed);
                let ask = Ask { head, body, model, streamed, strict, seed };
                match self.asked(operation, &ask, call) {
                    Ok(reply) => Ok(reply?),
                    Err(refused) => Ok(self.refused(&refused)),
                }
            }
        }
    }

    /// The answer, or that the model's limits are reached: those of calls that are billed.
    fn admitted(&self, reply: Reply, model: &str, call: &mut Call) -> Reply {
        if !reply.billed {
            return reply;
        }
        let tokens = reply.events.last().map_or(0, |last| last.tokens.input + last.tokens.output);
        match self.provider.quotas.admit(model, tokens) {
            None => reply,
            Some(Ok(place)) => {
                call.hold(place);
                reply
            }
            Some(Err(_)) => self.refused(&self.dialect().failure(Class::RateLimit)),
        }
    }

    /// Admits, reads and answers; the inner error is never one of a real answer.
    fn asked(
        &self,
        operation: Operation,
        ask: &Ask<'_>,
        call: &mut Call,
    ) -> Result<serde_json::Result<Reply>, Refused> {
        let dialect = self.dialect();
        dialect.admit(ask.head)?;
        let served = || match ask.model {
            model if self.provider.serves(model) => Ok(()),
            model => Err(dialect.unknown_model(model)),
        };
        match operation {
            Operation::Count => {
                let counted = dialect.count(ask)?;
                served()?;
                Ok(Ok(Reply::document(StatusCode::OK, counted.to_string(), None)))
            }
            Operation::Media(media) => {
                let made = media::answer(media, ask, self.action)?;
                served()?;
                Ok(Ok(self.made(made)))
            }
            Operation::Embed => {
                if !ask.model.is_empty() {
                    served()?;
                }
                let (document, tokens) = dialect.embed(ask)?;
                let told = dialect.counted(tokens);
                let mut reply = Reply::document(StatusCode::OK, document.to_string(), Some(tokens));
                reply.headers.extend(told);
                Ok(Ok(reply))
            }
            _ => {
                let prompt = dialect.read(ask)?;
                served()?;
                Ok(self.answered(&prompt, call))
            }
        }
    }

    /// Sound or images under the script's damage.
    fn made(&self, made: Made) -> Reply {
        let (dialect, action) = (self.dialect(), self.action);
        let mut events = made.events;
        if let Some(event) = action.garbage_at_event.and_then(|at| events.get_mut(at)) {
            event.bytes = dialect.garbage(action);
        }
        if let Some(at) = action.error_at_event.filter(|_| made.streamed) {
            events.truncate(at);
            let fault = dialect.failure(action.error.unwrap_or(Class::ServerError));
            let tokens = events.last().map_or(Tokens::default(), |event| event.tokens);
            let bytes = dialect.broken_off(&fault, action, events.len());
            events.push(Event { bytes, tokens, weight: 0 });
        }
        let status = StatusCode::from_u16(action.status.unwrap_or(200)).unwrap_or_default();
        Reply {
            status,
            content_type: made.content_type,
            headers: Vec::new(),
            events,
            streamed: made.streamed,
            billed: true,
        }
    }

    fn answered(&self, prompt: &Prompt, call: &mut Call) -> serde_json::Result<Reply> {
        let (dialect, provider, action) = (self.dialect(), self.provider, self.action);
        call.set_choices(prompt.choices as u64);
        provider.stats.looked_at(prompt.images);
        let source = Source {
            replay: &provider.replay,
            seed: provider.seed,
            sequence: self.sequence,
            created: unix_time_ns() / 1_000_000_000,
        };
        let answer = Answer::compose(dialect, prompt, action, &source);
        let status = StatusCode::from_u16(action.status.unwrap_or(200)).unwrap_or_default();
        if !prompt.stream {
            let document = dialect.document(&answer, prompt)?;
            return Ok(Reply::document(status, document, Some(answer.tokens)));
        }
        let mut reel = Reel::new(&answer, action, provider.pace.delta_tokens);
        dialect.stream(&answer, prompt, &mut reel)?;
        let fault = dialect.failure(action.error.unwrap_or(Class::ServerError));
        let events =
            reel.finish(dialect.garbage(action), |at| dialect.broken_off(&fault, action, at));
        Ok(Reply {
            status,
            content_type: dialect.stream_type(),
            headers: Vec::new(),
            events,
            streamed: true,
            billed: true,
        })
    }
}

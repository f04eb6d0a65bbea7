//! Turns -> `system` and `messages`, as Anthropic's rules want them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use serde::Serialize;

use super::super::blocks::{Block, Input, Mark};
use super::super::ids;
use super::media;
use crate::form::{Call, Cannot, Conversation, Dialect, Loss, Part, Payload, Role, ToolResult};

/// The user's first words where a conversation begins with the model's, which this provider refuses.
const OPENING: &str = "(The conversation begins.)";

/// Most system turns in mid-conversation whose lost role is told one by one: what tells it is a header.
const MAX_LATE_TOLD: usize = 32;

/// One of `messages`.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// `system` and `messages`.
#[derive(Debug, Default)]
pub(super) struct Composed<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
}

impl Composed<'_> {
    /// Whether the model is in the middle of a round of tools that it did not begin with a thought.
    pub(super) fn is_unthought_round(&self) -> bool {
        let [.., asked, told] = self.messages.as_slice() else { return false };
        let is_result = |block: &Block| matches!(block, Block::ToolResult { .. });
        let is_thought = |block: &Block| {
            matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. })
        };
        told.content.first().is_some_and(is_result)
            && !asked.content.first().is_some_and(is_thought)
    }
}

/// Composes a conversation's turns.
///
/// # Errors
/// Results without calls, calls without results, or parts that this dialect cannot hold.
pub(super) fn compose<'a>(
    conversation: &'a Conversation,
    losses: &mut Vec<Loss>,
) -> Result<Composed<'a>, Cannot> {
    let own = conversation.origin == Some(Dialect::AnthropicMessages);
    let mut composer = Composer {
        own,
        losses,
        composed: Composed::default(),
        said: Said::default(),
        asked: Asked::default(),
        ids: HashSet::new(),
        number: 0,
        late: 0,
    };
    for (place, turn) in conversation.turns.iter().enumerate() {
        let path = format!("messages[{place}]");
        match turn.role {
            Role::System => composer.system(&turn.parts, &path)?,
            Role::User => composer.user(&turn.parts, &path)?,
            Role::Assistant => composer.assistant(&turn.parts, &path)?,
        }
    }
    composer.finish()
}

struct Composer<'a, 'l> {
    own: bool,
    losses: &'l mut Vec<Loss>,
    composed: Composed<'a>,
    said: Said<'a>,
    asked: Asked<'a>,
    /// Written ids of calls: they may not repeat in a request, and some providers' do.
    ids: HashSet<String>,
    /// The next number that makes an id unique: it never falls, so that hostile ids cost no more than others.
    number: usize,
    /// System turns in mid-conversation.
    late: usize,
}

/// A user's turn that is not whole yet.
#[derive(Default)]
struct Said<'a> {
    /// With the place of its call: they stand first, in the calls' order.
    results: Vec<(usize, Block<'a>)>,
    others: Vec<Block<'a>>,
}

/// The calls of the model's last turn.
#[derive(Default)]
struct Asked<'a> {
    /// Places of those that await their result, by the caller's id.
    open: HashMap<&'a str, VecDeque<usize>>,
    /// Ids as written, by place.
    ids: Vec<Cow<'a, str>>,
    answered: usize,
}

impl<'a> Composer<'a, '_> {
    /// What stands before the conversation is the system's. Later on, most models take no such turn: then it
    /// stands among the user's words at its place in time, and that its role is lost is said. A caller of
    /// this dialect has chosen a model that takes it.
    fn system(&mut self, parts: &'a [Part], path: &str) -> Result<(), Cannot> {
        if self.composed.messages.is_empty() && self.said.is_empty() {
            let mut system = std::mem::take(&mut self.composed.system);
            self.texts(parts, path, &mut system)?;
            self.composed.system = system;
            return Ok(());
        }
        let mut content = Vec::with_capacity(parts.len());
        self.texts(parts, path, &mut content)?;
        if self.own {
            self.settle()?;
            if !content.is_empty() {
                self.composed.messages.push(Message { role: "system", content });
            }
        } else if !content.is_empty() {
            self.late += 1;
            if self.late <= MAX_LATE_TOLD {
                Loss::note(self.losses, &format!("{path}.role"));
            }
            self.said.others.append(&mut content);
        }
        Ok(())
    }

    fn texts(
        &mut self,
        parts: &'a [Part],
        path: &str,
        into: &mut Vec<Block<'a>>,
    ) -> Result<(), Cannot> {
        for part in parts {
            match &part.payload {
                Payload::Text(_) | Payload::Refusal(_) => into.extend(text(part)),
                _ => {
                    let why = "holds more than text in a system message; say it as the user";
                    return Err(Cannot { path: path.to_owned(), why });
                }
            }
        }
        Ok(())
    }

    fn user(&mut self, parts: &'a [Part], path: &str) -> Result<(), Cannot> {
        for part in parts {
            if let Payload::Result(result) = &part.payload {
                let block = self.result(result, part.cache.as_deref(), path)?;
                self.said.results.push(block);
            } else {
                let block = self.said(part, path)?;
                self.said.others.extend(block);
            }
        }
        Ok(())
    }

    /// A part of the user's turn or of a tool's result.
    fn said(&mut self, part: &'a Part, path: &str) -> Result<Option<Block<'a>>, Cannot> {
        let cache = part.cache.as_deref();
        match &part.payload {
            Payload::Text(_) | Payload::Refusal(_) => Ok(text(part)),
            Payload::Media(media) => {
                media::write(media, cache, path, self.own, self.losses).map(Some)
            }
            Payload::Foreign { value, .. } if self.own => Ok(Some(Block::Foreign(value))),
            Payload::Foreign { .. } => Err(foreign(path)),
            Payload::Thinking(_) => {
                Loss::note(self.losses, "thinking");
                Ok(None)
            }
            Payload::Call(_) | Payload::Result(_) => Err(misplaced(path)),
        }
    }

    fn result(
        &mut self,
        result: &'a ToolResult,
        cache: Option<&'a str>,
        path: &str,
    ) -> Result<(usize, Block<'a>), Cannot> {
        let place = self.asked.open.get_mut(result.id.as_str()).and_then(VecDeque::pop_front);
        let (Some(place), Some(id)) = (place, place.and_then(|place| self.asked.ids.get(place)))
        else {
            let why =
                "is the result of a tool that the turn before did not call; put it after its call";
            return Err(Cannot { path: path.to_owned(), why });
        };
        let tool_use_id = id.clone();
        self.asked.answered += 1;
        let mut content = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            content.extend(self.said(part, path)?);
        }
        let cache_control = Mark::of(cache);
        let is_error = result.failed;
        Ok((place, Block::ToolResult { tool_use_id, content, is_error, cache_control }))
    }

    fn assistant(&mut self, parts: &'a [Part], path: &str) -> Result<(), Cannot> {
        if parts.iter().any(|part| self.speaks(part)) {
            self.settle()?;
        } // else nothing is said: the turns around it become one
        let mut content = Vec::with_capacity(parts.len());
        for part in parts {
            content.extend(self.of_model(part, path)?);
        }
        match self.composed.messages.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == "assistant" => last.content.append(&mut content),
            _ => self.composed.messages.push(Message { role: "assistant", content }),
        }
        Ok(())
    }

    /// Whether [`Composer::of_model`] makes anything of a part.
    fn speaks(&self, part: &Part) -> bool {
        match &part.payload {
            Payload::Text(text) | Payload::Refusal(text) => !text.trim().is_empty(),
            Payload::Thinking(thinking) => self.own && thinking.signature.is_some(),
            Payload::Foreign { .. } => self.own,
            Payload::Call(_) | Payload::Media(_) | Payload::Result(_) => true,
        }
    }

    fn of_model(&mut self, part: &'a Part, path: &str) -> Result<Option<Block<'a>>, Cannot> {
        match &part.payload {
            Payload::Text(_) | Payload::Refusal(_) => Ok(text(part)),
            // A signature is worth something to the provider that made it, and unsigned thoughts to none.
            Payload::Thinking(thinking) => match thinking.signature.as_deref() {
                Some(data) if self.own && thinking.redacted => {
                    Ok(Some(Block::RedactedThinking { data }))
                }
                Some(signature) if self.own => {
                    Ok(Some(Block::Thinking { thinking: &thinking.text, signature }))
                }
                _ => {
                    Loss::note(self.losses, "thinking");
                    Ok(None)
                }
            },
            Payload::Call(call) => self.call(call, part.cache.as_deref(), path).map(Some),
            Payload::Foreign { value, .. } if self.own => Ok(Some(Block::Foreign(value))),
            Payload::Foreign { kind, .. } => {
                Loss::note(self.losses, kind); // what the provider's own tools did: the text after it stays
                Ok(None)
            }
            Payload::Media(_) => {
                let why = "is media that a model made, which this provider takes from users only";
                Err(Cannot { path: path.to_owned(), why })
            }
            Payload::Result(_) => Err(misplaced(path)),
        }
    }

    fn call(
        &mut self,
        call: &'a Call,
        cache: Option<&'a str>,
        path: &str,
    ) -> Result<Block<'a>, Cannot> {
        let input = Input::of(&call.arguments);
        // In the caller's own dialect it says itself that they are none; else the model would be shown
        // arguments that it never wrote.
        if !self.own && (call.custom || matches!(input, Input::Invalid { .. })) {
            let why = "calls a tool with arguments that are no JSON object; leave that call and its result out";
            return Err(Cannot { path: path.to_owned(), why });
        }
        if call.signature.is_some() {
            Loss::note(self.losses, "thought_signature");
        }
        let id = self.unique(&call.id);
        let place = self.asked.ids.len();
        self.asked.ids.push(id.clone());
        self.asked.open.entry(&call.id).or_default().push_back(place);
        Ok(Block::ToolUse { id, name: &call.name, input, cache_control: Mark::of(cache) })
    }

    fn unique(&mut self, id: &'a str) -> Cow<'a, str> {
        let legal = if id.is_empty() { Cow::Borrowed("toolu") } else { ids::legal(id) };
        if self.ids.insert(legal.to_string()) {
            return legal;
        }
        self.number = self.number.max(self.ids.len());
        loop {
            let other = format!("{legal}_{}", self.number);
            self.number += 1;
            if self.ids.insert(other.clone()) {
                return other.into();
            }
        }
    }

    /// The user's turn is whole: it follows the model's last one, with all its results.
    fn settle(&mut self) -> Result<(), Cannot> {
        let mut said = std::mem::take(&mut self.said);
        if said.is_empty() {
            return Ok(());
        }
        self.check_answered()?;
        self.asked = Asked::default();
        said.results.sort_by_key(|(place, _)| *place);
        let mut content: Vec<Block<'a>> =
            said.results.into_iter().map(|(_, block)| block).collect();
        content.append(&mut said.others);
        self.composed.messages.push(Message { role: "user", content });
        Ok(())
    }

    fn check_answered(&self) -> Result<(), Cannot> {
        if self.asked.answered == self.asked.ids.len() {
            return Ok(());
        }
        let why = "lack the result of a tool that was called; put it right after its call";
        Err(Cannot { path: "messages".into(), why })
    }

    fn finish(mut self) -> Result<Composed<'a>, Cannot> {
        self.settle()?;
        self.check_answered()?;
        let Composed { system, messages } = &mut self.composed;
        match messages.first() {
            None if system.is_empty() => {
                let why = "say nothing; say something as the user";
                return Err(Cannot { path: "messages".into(), why });
            }
            // Instructions alone are what the user wants.
            None => {
                Loss::note(self.losses, "messages[0].role");
                messages.push(Message { role: "user", content: std::mem::take(system) });
            }
            Some(first) if first.role == "assistant" && !self.own => {
                Loss::note(self.losses, "messages[0].role");
                let content = vec![Block::Text { text: OPENING, cache_control: None }];
                messages.insert(0, Message { role: "user", content });
            }
            Some(_) => {}
        }
        if let Some(last) = messages.last_mut().filter(|last| last.role == "assistant")
            && let Some(Block::Text { text, .. }) = last.content.last_mut()
        {
            *text = text.trim_end(); // an answer that is to be continued may not end in blanks
        }
        Ok(self.composed)
    }
}

impl Said<'_> {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty()
    }
}

/// A text, unless it is blank: Anthropic refuses blank ones.
fn text(part: &Part) -> Option<Block<'_>> {
    let (Payload::Text(text) | Payload::Refusal(text)) = &part.payload else { return None };
    let cache_control = Mark::of(part.cache.as_deref());
    (!text.trim().is_empty()).then_some(Block::Text { text, cache_control })
}

fn foreign(path: &str) -> Cannot {
    let why = "holds a part that only its own provider knows; leave it out, or name a model of that provider";
    Cannot { path: path.to_owned(), why }
}

fn misplaced(path: &str) -> Cannot {
    let why = "is a tool call or result in a turn that cannot hold one; put it where it belongs";
    Cannot { path: path.to_owned(), why }
}

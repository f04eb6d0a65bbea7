//! `messages` and `system`.

use std::collections::{HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::block::{Block, CachePoint, Input, Reasoning, ToolResultBlock, ToolUse, of_media};
use super::ids::Ids;
use super::{Maker, media};
use crate::form::{
    Call, Cannot, Conversation, Dialect, Loss, Media, MediaKind, Part, Payload, Role, Thinking,
    ToolResult, Turn,
};

/// Losses beyond which turns are no longer named one by one.
const TURN_LOSSES: usize = 64;

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
}

/// Results come first: the model's turn must be answered before anything else is said.
#[derive(Debug, Default)]
struct Content<'a> {
    results: Vec<Block<'a>>,
    said: Vec<Block<'a>>,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.results.iter().chain(&self.said))
    }
}

/// What a conversation's turns become.
#[derive(Debug, Default)]
pub(super) struct Messages<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
    /// Some turn calls a tool or holds a result.
    pub(super) has_calls: bool,
    /// The last model's turn calls tools, and its reasoning could not come along.
    pub(super) thought_lost: bool,
}

pub(super) fn write<'a>(
    conversation: &'a Conversation,
    maker: Maker,
    losses: &mut Vec<Loss>,
) -> Result<Messages<'a>, Cannot> {
    let writer = Writer {
        origin: conversation.origin,
        caches: conversation.origin == Some(Dialect::BedrockConverse) || maker.caches(),
        maker,
        losses,
        ids: Ids::default(),
        used: HashSet::new(),
        names: HashMap::new(),
        out: Messages::default(),
        path: String::new(),
    };
    writer.write(&conversation.turns)
}

struct Writer<'a, 'l> {
    origin: Option<Dialect>,
    maker: Maker,
    /// The model takes cache points.
    caches: bool,
    losses: &'l mut Vec<Loss>,
    ids: Ids,
    /// Names of documents that are taken: each may be once.
    used: HashSet<String>,
    /// The number that each name got last.
    names: HashMap<String, usize>,
    out: Messages<'a>,
    /// Of the turn that is written.
    path: String,
}

impl<'a> Writer<'a, '_> {
    fn write(mut self, turns: &'a [Turn]) -> Result<Messages<'a>, Cannot> {
        // A prompt of instructions alone is common with OpenAI's apps, and here a request must hold a
        // user's turn: the last one becomes it.
        let nobody_speaks = turns.iter().all(|turn| turn.role == Role::System);
        let spoken = if nobody_speaks { turns.len().checked_sub(1) } else { None };
        for (place, turn) in turns.iter().enumerate() {
            self.path = format!("messages[{place}]");
            match turn.role {
                Role::System if Some(place) == spoken => {
                    self.lose("role");
                    self.user(&turn.parts)?;
                }
                Role::System => self.system(&turn.parts)?,
                Role::User => self.user(&turn.parts)?,
                Role::Assistant => self.assistant(&turn.parts)?,
            }
        }
        self.ids.settle(&self.path)?;
        match self.out.messages.first() {
            Some(first) if first.role == "user" => Ok(self.out),
            Some(_) => Err(Cannot {
                path: "messages".to_owned(),
                why: "must begin with the user's turn at this provider; put one before the model's",
            }),
            None => Err(Cannot {
                path: "messages".to_owned(),
                why: "must hold a user's turn with more than blanks at this provider; add one",
            }),
        }
    }

    /// All instructions stand at the beginning; of those that came later, the place is lost.
    fn system(&mut self, parts: &'a [Part]) -> Result<(), Cannot> {
        if !self.out.messages.is_empty() {
            self.lose("role");
        }
        for part in parts {
            let block = match &part.payload {
                Payload::Text(text) | Payload::Refusal(text) => Block::Text(text),
                Payload::Foreign { value, .. } if self.is_own() => Block::Foreign(value),
                _ => {
                    return Err(self.cannot("holds instructions that are not text; write them out"));
                }
            };
            let mut content = std::mem::take(&mut self.out.system);
            self.push(block, part, &mut content);
            self.out.system = content;
        }
        Ok(())
    }

    fn user(&mut self, parts: &'a [Part]) -> Result<(), Cannot> {
        let mut content = Content::default();
        for part in parts {
            match &part.payload {
                Payload::Result(result) => {
                    let block = self.result(result)?;
                    self.push(block, part, &mut content.results);
                }
                Payload::Call(_) => {
                    return Err(
                        self.cannot("holds a tool call in the user's turn; put it in the model's")
                    );
                }
                Payload::Thinking(_) => Loss::note(self.losses, "thinking"),
                _ => {
                    let block = self.said(part)?;
                    self.push(block, part, &mut content.said);
                }
            }
        }
        self.append("user", content);
        Ok(())
    }

    fn assistant(&mut self, parts: &'a [Part]) -> Result<(), Cannot> {
        if self.out.messages.last().is_some_and(|last| last.role == "user") {
            self.ids.settle(&self.path)?;
        }
        let mut content = Vec::with_capacity(parts.len());
        for part in parts {
            let block = match &part.payload {
                Payload::Thinking(thinking) if self.is_valid(thinking) => {
                    Block::ReasoningContent(Reasoning::of(thinking))
                }
                Payload::Thinking(_) => {
                    Loss::note(self.losses, "thinking");
                    continue;
                }
                Payload::Call(call) => self.call(call)?,
                Payload::Result(_) => {
                    return Err(self.cannot(
                        "holds a tool's result in the model's turn; put it in the user's",
                    ));
                }
                _ => self.said(part)?,
            };
            self.push(block, part, &mut content);
        }
        let calls = content.iter().any(|block| matches!(block, Block::ToolUse(_)));
        let thinks = content.iter().any(|block| matches!(block, Block::ReasoningContent(_)));
        self.out.thought_lost = calls && !thinks;
        self.append("assistant", Content { results: Vec::new(), said: content });
        Ok(())
    }

    /// Claude's signatures are valid on all of its platforms; any other's would be refused.
    fn is_valid(&self, thinking: &Thinking) -> bool {
        let claudes = self.origin == Some(Dialect::AnthropicMessages)
            && self.maker == Maker::Anthropic
            && thinking.signature.is_some();
        claudes || self.is_own()
    }

    fn is_own(&self) -> bool {
        self.origin == Some(Dialect::BedrockConverse)
    }

    fn call(&mut self, call: &'a Call) -> Result<Block<'a>, Cannot> {
        self.out.has_calls = true;
        let input = Input::of(&call.arguments);
        if call.custom || (matches!(input, Input::Text(_)) && !self.is_own()) {
            let why = "calls a tool with arguments that are no JSON object (cut short, or free text), which this provider cannot hold; leave the call out";
            return Err(self.cannot(why));
        }
        let tool_use_id = self.ids.call(call);
        Ok(Block::ToolUse(ToolUse { tool_use_id, name: &call.name, input }))
    }

    fn result(&mut self, result: &'a ToolResult) -> Result<Block<'a>, Cannot> {
        self.out.has_calls = true;
        let tool_use_id = self.ids.result(result, &self.path)?;
        let mut content = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            if matches!(part.payload, Payload::Media(Media { kind: MediaKind::Audio, .. })) {
                return Err(self.cannot("holds a tool's result with sound, which this provider cannot hold; send its text"));
            }
            let block = self.said(part)?;
            self.push(block, part, &mut content);
        }
        let status = result.failed.then_some("error");
        Ok(Block::ToolResult(ToolResultBlock { tool_use_id, content, status }))
    }

    /// Text, media and what only Bedrock knows.
    fn said(&mut self, part: &'a Part) -> Result<Block<'a>, Cannot> {
        match &part.payload {
            Payload::Text(text) | Payload::Refusal(text) => Ok(Block::Text(text)),
            Payload::Media(media) => {
                let mut block = media::write(media, &self.path)?;
                if media.kind == MediaKind::Document {
                    block.name = Some(self.name(media).into());
                }
                Ok(of_media(media.kind, block))
            }
            Payload::Foreign { value, .. } if self.is_own() => Ok(Block::Foreign(value)),
            Payload::Foreign { .. } => Err(self.cannot(
                "holds a part that only its own provider knows; leave it out, or name a model of that provider",
            )),
            Payload::Thinking(_) | Payload::Call(_) | Payload::Result(_) => {
                Err(self.cannot("is a tool call or result where none can be; put it where it belongs"))
            }
        }
    }

    fn name(&mut self, media: &Media) -> String {
        let plain = media::document_name(media.name.as_deref());
        let mut name = plain.clone();
        while self.used.contains(&name) {
            let count = self.names.entry(plain.clone()).or_insert(1);
            *count += 1;
            name = format!("{plain} ({count})");
        }
        self.used.insert(name.clone());
        name
    }

    /// Appends a block and its cache point. Blank text is refused there and says nothing, so it goes.
    fn push(&mut self, block: Block<'a>, part: &'a Part, content: &mut Vec<Block<'a>>) {
        match block {
            Block::Text(text) if text.trim().is_empty() => {
                if !text.is_empty() {
                    self.lose("content");
                }
            }
            block => content.push(block),
        }
        let Some(ttl) = &part.cache else { return };
        let in_vain = content.is_empty() || matches!(content.last(), Some(Block::CachePoint(_)));
        if self.caches && !in_vain {
            content.push(Block::CachePoint(CachePoint::of(ttl)));
        } else if !self.caches {
            Loss::note(self.losses, "cache_control");
        }
    }

    /// One after the other, user and model take turns.
    fn append(&mut self, role: &'static str, mut content: Content<'a>) {
        if content.results.is_empty() && content.said.is_empty() {
            return;
        }
        match self.out.messages.last_mut().filter(|last| last.role == role) {
            None => self.out.messages.push(Message { role, content }),
            Some(last) => {
                last.content.results.append(&mut content.results);
                last.content.said.append(&mut content.said);
            }
        }
    }

    /// A member of a turn. Of very many the first tell enough; the list is searched at each.
    fn lose(&mut self, member: &str) {
        if self.losses.len() < TURN_LOSSES {
            Loss::note(self.losses, &format!("{}.{member}", self.path));
        } else {
            Loss::note(self.losses, "messages");
        }
    }

    fn cannot(&self, why: &'static str) -> Cannot {
        Cannot { path: self.path.clone(), why }
    }
}

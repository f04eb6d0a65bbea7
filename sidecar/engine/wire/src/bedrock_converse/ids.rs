//! Ids of tool calls: `[a-zA-Z0-9_.:-]{1,64}`, each once, and each answered in the very next turn. What other
//! dialects allow beyond that is put right here where it can be, for no provider remembers ids.

use std::collections::HashSet;

use crate::form::{Call, Cannot, ToolResult};

/// The calls of a conversation while it is written.
#[derive(Debug, Default)]
pub(super) struct Ids {
    used: HashSet<String>,
    /// Of the last model's turn.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    said: String,
    name: String,
    written: String,
    answered: bool,
}

impl Ids {
    /// A call's id as it is written.
    pub(super) fn call(&mut self, call: &Call) -> String {
        let fits = fits(&call.id) && !self.used.contains(&call.id);
        let written = if fits { call.id.clone() } else { self.made() };
        self.used.insert(written.clone());
        let (said, name) = (call.id.clone(), call.name.clone());
        self.open.push(Open { said, name, written: written.clone(), answered: false });
        written
    }

    fn made(&self) -> String {
        let from = self.used.len();
        let mut free = (from..).map(|number| format!("tooluse_{number}"));
        free.find(|id| !self.used.contains(id)).unwrap_or_default()
    }

    /// The id of the call that a result answers.
    pub(super) fn result(&mut self, result: &ToolResult, path: &str) -> Result<String, Cannot> {
        let same_name = |open: &Open| match &result.name {
            Some(name) if result.id.is_empty() => *name == open.name,
            _ => true,
        };
        let answers =
            |open: &&mut Open| !open.answered && open.said == result.id && same_name(open);
        match self.open.iter_mut().find(answers) {
            Some(open) => {
                open.answered = true;
                Ok(open.written.clone())
            }
            None => Err(Cannot {
                path: path.to_owned(),
                why: "is the result of a tool that the model's turn before does not call; send the turn that calls it",
            }),
        }
    }

    /// The user's turn is over: every call must have its result.
    pub(super) fn settle(&mut self, path: &str) -> Result<(), Cannot> {
        if self.open.drain(..).all(|open| open.answered) {
            return Ok(());
        }
        Err(Cannot {
            path: path.to_owned(),
            why: "does not hold the result of every tool that the turn before calls; send them all",
        })
    }
}

fn fits(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

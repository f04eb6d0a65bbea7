//! Ids of tool calls: `[a-zA-Z0-9_.:-]{1,64}`, each once, and each answered in the very next turn. What other
//! dialects allow beyond that is put right here where it can be, for no provider remembers ids.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::form::{Call, Cannot, ToolResult};

/// The calls of a conversation while it is written.
#[derive(Debug, Default)]
pub(super) struct Ids {
    used: HashSet<String>,
    /// Number of the next id that is made.
    next: usize,
    /// Of the last model's turn, by the id that was said, and by the tool where none was: what a result
    /// takes, in order. Maps, for a hostile turn may hold any number.
    open: HashMap<(String, Option<String>), VecDeque<String>>,
    unanswered: usize,
}

impl Ids {
    /// A call's id as it is written.
    pub(super) fn call(&mut self, call: &Call) -> String {
        let fits = fits(&call.id) && !self.used.contains(&call.id);
        let written = if fits { call.id.clone() } else { self.made() };
        self.used.insert(written.clone());
        let name = call.id.is_empty().then(|| call.name.clone());
        self.open.entry((call.id.clone(), name)).or_default().push_back(written.clone());
        self.unanswered += 1;
        written
    }

    fn made(&mut self) -> String {
        loop {
            let id = format!("tooluse_{}", self.next);
            self.next += 1;
            if !self.used.contains(&id) {
                return id;
            }
        }
    }

    /// The id of the call that a result answers.
    pub(super) fn result(&mut self, result: &ToolResult, path: &str) -> Result<String, Cannot> {
        let name = result.name.clone().filter(|_| result.id.is_empty());
        let waiting = self.open.get_mut(&(result.id.clone(), name));
        match waiting.and_then(VecDeque::pop_front) {
            Some(written) => {
                self.unanswered -= 1;
                Ok(written)
            }
            None => Err(Cannot {
                path: path.to_owned(),
                why: "is the result of a tool that the model's turn before does not call; send the turn that calls it",
            }),
        }
    }

    /// The user's turn is over: every call must have its result.
    pub(super) fn settle(&mut self, path: &str) -> Result<(), Cannot> {
        self.open.clear();
        if std::mem::take(&mut self.unanswered) == 0 {
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

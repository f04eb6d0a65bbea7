//! The request.

mod content;
mod items;
mod reader;
mod tools;
mod turns;
mod writer;

pub use reader::read;
pub use writer::write;

use serde_json::Value;

use crate::form::Loss;
use crate::json::Members;

/// Notes what a reader left over, but for what says nothing.
fn lose_rest(members: Members, lost: &mut Vec<Loss>) {
    let path = members.at("");
    for (name, value) in members.rest() {
        let silent = value == Value::Bool(false) || value.as_array().is_some_and(Vec::is_empty);
        if !silent {
            Loss::note(lost, &format!("{path}{name}"));
        }
    }
}

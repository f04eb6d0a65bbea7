//! `GET /v1/models` and `GET /v1/models/{id}`: the names that a call may give as its model.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use crate::admission::Guest;
use crate::answer::Answer;
use crate::error::{CallerNo, Refusal};
use crate::handle::Reply;
use crate::table::RouteTable;

/// Where the list is; what follows it and a slash is a name.
pub const PATH: &str = "/v1/models";

/// Whether a path is the list's or a name's below it.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The list, or one entry of it, as far as the caller may ask for it.
///
/// # Errors
/// The name is none of ours, or not for this caller.
pub fn answer(table: &RouteTable, path: &str, guest: Option<&Guest>) -> Result<Reply, Refusal> {
    let may_ask = |name: &str| guest.is_none_or(|guest| guest.may_ask(name));
    let document = match path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')) {
        None => {
            let mut entries = list(table);
            entries.retain(|entry| entry["id"].as_str().is_some_and(may_ask));
            json!({"object": "list", "data": entries})
        }
        Some(escaped) => {
            let name = unescaped(escaped);
            if !may_ask(&name) {
                return Err(Refusal::Caller(CallerNo::Model { model: name }));
            }
            one(table, &name)?
        }
    };
    let mut reply = Response::new(Answer::whole(Bytes::from(document.to_string())));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(reply)
}

/// The pool's models, then literal aliases, then the literal names that rules and signals take.
fn list(table: &RouteTable) -> Vec<Value> {
    let models = table.models.iter();
    let full = models.clone().map(|model| (&model.name, &*model.provider.label));
    let aliases =
        models.flat_map(|model| model.aliases.iter().map(|alias| (alias, &*model.provider.label)));
    let rules = table.rules.iter().flat_map(|rule| &rule.when.models);
    let signals = table.signals.iter().filter_map(|signal| signal.models.as_ref()).flatten();
    let routed = rules.chain(signals).map(|name| (name, "pointsman"));
    let mut seen = BTreeSet::new();
    full.chain(aliases)
        .chain(routed)
        .filter(|(name, _)| !name.contains('*') && seen.insert(name.as_str()))
        .map(|(name, owner)| entry(name, owner))
        .collect()
}

/// A listed name, or a model's name without its pool.
fn one(table: &RouteTable, name: &str) -> Result<Value, Refusal> {
    let listed = list(table).into_iter().find(|entry| entry["id"] == name);
    let short = || {
        let mut models = table.models.iter();
        models
            .find(|model| model.name.split_once('/').is_some_and(|(_, short)| short == name))
            .map(|model| entry(name, &model.provider.label))
    };
    listed.or_else(short).ok_or_else(|| Refusal::ModelNotFound { model: name.to_owned() })
}

fn entry(id: &str, owner: &str) -> Value {
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}

/// With `%XX` read; what is no escape stays as it is.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| first == b'%');
        let read = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(read.unwrap_or(first));
        rest = if read.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Escapes are read, also of a slash; halves of escapes are text.
    #[test]
    fn escapes_are_read() {
        assert_eq!(unescaped("main%2Fgpt-4o"), "main/gpt-4o");
        assert_eq!(unescaped("%C3%A9%zz%"), "é%zz%");
    }

    /// The list has a path, and each name below it; a longer word is neither.
    #[test]
    fn paths() {
        assert!(is_path("/v1/models") && is_path("/v1/models/a"));
        assert!(!is_path("/v1/modelsx"));
    }
}

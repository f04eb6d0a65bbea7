//! Which names a call may give as its model: `GET /v1/models` and `/v1beta/models`, the list and one name
//! of it, in the shape that the caller's SDK reads.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use pointsman_wire::{anthropic_messages, gemini};
use serde_json::{Value, json};

use crate::admission::Guest;
use crate::answer::Answer;
use crate::error::{CallerNo, Refusal};
use crate::handle::Reply;
use crate::table::{Model, RouteTable};
use crate::wire::Dialect;

/// Where the lists are; what follows one and a slash is a name.
const PATHS: [&str; 2] = ["/v1/models", "/v1beta/models"];

/// Whether a path is a list's or a name's below it.
#[must_use]
pub fn is_path(path: &str) -> bool {
    below(path).is_some()
}

/// The list, or one entry of it, as far as the caller may ask for it, in the words of its dialect.
///
/// # Errors
/// The name is none of ours, or not for this caller.
pub fn answer(
    table: &RouteTable,
    path: &str,
    dialect: Dialect,
    guest: Option<&Guest>,
) -> Result<Reply, Refusal> {
    let may_ask = |name: &str| guest.is_none_or(|guest| guest.may_ask(name));
    let document = match below(path).filter(|rest| !rest.is_empty()) {
        None => {
            let mut listed = list(table);
            listed.retain(|named| may_ask(named.name));
            told_list(dialect, &listed)
        }
        Some(escaped) => {
            let name = unescaped(escaped);
            if !may_ask(&name) {
                return Err(Refusal::Caller(CallerNo::Model { model: name }));
            }
            told_one(dialect, &one(table, &name)?)
        }
    };
    let mut reply = Response::new(Answer::whole(Bytes::from(document)));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(reply)
}

/// What follows the list's path, without its slash.
fn below(path: &str) -> Option<&str> {
    let rest = PATHS.iter().find_map(|list| path.strip_prefix(list))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// A name that callers may use.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    owner: &'a str,
    /// What stands behind it; `None`: a rule decides, call by call.
    model: Option<&'a Model>,
}

impl<'a> Named<'a> {
    fn of(name: &'a str, model: &'a Model) -> Self {
        Self { name, owner: &model.provider.label, model: Some(model) }
    }
}

/// The pool's models, then literal aliases, then the literal names that rules and signals take.
fn list(table: &RouteTable) -> Vec<Named<'_>> {
    let models = table.models.iter();
    let full = models.clone().map(|model| Named::of(&model.name, model));
    let aliases =
        models.flat_map(|model| model.aliases.iter().map(|alias| Named::of(alias, model)));
    let rules = table.rules.iter().flat_map(|rule| &rule.when.models);
    let signals = table.signals.iter().filter_map(|signal| signal.models.as_ref()).flatten();
    let routed = rules.chain(signals).map(|name| Named { name, owner: "pointsman", model: None });
    let mut seen = BTreeSet::new();
    full.chain(aliases)
        .chain(routed)
        .filter(|named| !named.name.contains('*') && seen.insert(named.name))
        .collect()
}

/// A listed name, or a model's name without its pool.
fn one<'a>(table: &'a RouteTable, name: &str) -> Result<Named<'a>, Refusal> {
    let listed = list(table).into_iter().find(|named| named.name == name);
    let short = || {
        table.models.iter().find_map(|model| {
            let (_, short) = model.name.split_once('/')?;
            (short == name).then(|| Named::of(short, model))
        })
    };
    listed.or_else(short).ok_or_else(|| Refusal::ModelNotFound { model: name.to_owned() })
}

fn told_list(dialect: Dialect, listed: &[Named<'_>]) -> Vec<u8> {
    match dialect {
        Dialect::Messages => {
            let listed: Vec<_> = listed.iter().map(of_anthropic).collect();
            anthropic_messages::models::list(&listed)
        }
        Dialect::Gemini => {
            let listed: Vec<_> = listed.iter().map(of_google).collect();
            gemini::models::list(&listed)
        }
        _ => {
            let data: Vec<Value> = listed.iter().map(of_openai).collect();
            json!({"object": "list", "data": data}).to_string().into_bytes()
        }
    }
}

fn told_one(dialect: Dialect, named: &Named<'_>) -> Vec<u8> {
    match dialect {
        Dialect::Messages => anthropic_messages::models::one(&of_anthropic(named)),
        Dialect::Gemini => gemini::models::one(&of_google(named)),
        _ => of_openai(named).to_string().into_bytes(),
    }
}

fn of_openai(named: &Named<'_>) -> Value {
    json!({"id": named.name, "object": "model", "created": 0, "owned_by": named.owner})
}

fn of_anthropic(named: &Named<'_>) -> anthropic_messages::models::Model {
    anthropic_messages::models::Model {
        id: named.name.to_owned(),
        display_name: named.name.to_owned(),
        created_at: 0,
        window: named.model.map(|model| model.context_window),
        max_output: named.model.map(|model| model.max_output_tokens),
    }
}

fn of_google(named: &Named<'_>) -> gemini::models::Model {
    let can = |what: &str| {
        named.model.is_some_and(|model| model.capabilities.iter().any(|it| it == what))
    };
    gemini::models::Model {
        name: named.name.to_owned(),
        display_name: String::new(),
        input_limit: named.model.map(|model| model.context_window),
        output_limit: named.model.map(|model| model.max_output_tokens),
        embeds: can("embeddings") && !can("chat"),
    }
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

    /// The lists have a path, and each name below it; a longer word is neither.
    #[test]
    fn paths() {
        assert!(is_path("/v1/models") && is_path("/v1/models/a"));
        assert!(is_path("/v1beta/models") && is_path("/v1beta/models/a"));
        assert!(!is_path("/v1/modelsx") && !is_path("/v1alpha/models"));
    }
}

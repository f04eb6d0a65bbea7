//! A call that arrives in pieces: `partialArgs` with a path each (Vertex, and only where the caller set
//! `streamFunctionCallArguments`).

use serde_json::{Map, Value};

use super::super::spelling::objects;
use crate::form::Call;
use crate::json::Members;

/// A call of which more may come.
#[derive(Debug)]
pub(super) struct Partial {
    call: Call,
    args: Value,
}

enum Step<'a> {
    Key(&'a str),
    Place(usize),
}

impl Partial {
    /// From a call's first piece, which names the function.
    pub(super) fn begin(piece: &mut Members, signature: Option<String>) -> Option<Self> {
        let name = piece.text("name").ok()??;
        let id = piece.text("id").ok()?.unwrap_or_default();
        let call = Call { id, name, signature, ..Call::default() };
        Some(Self { call, args: Value::Object(Map::new()) })
    }

    /// Takes a piece; whether more will come. `None`: malformed.
    pub(super) fn take(&mut self, piece: &mut Members) -> Option<bool> {
        for mut arg in objects(piece, "partialArgs").ok()?.unwrap_or_default() {
            let path = arg.text("jsonPath").ok()??;
            let steps = steps(&path)?;
            let place = locate(&mut self.args, &steps)?;
            if let Some(text) = arg.text("stringValue").ok()? {
                match place {
                    Value::String(before) => before.push_str(&text),
                    place => *place = text.into(),
                }
            } else if let Some(value) = arg.take("numberValue").or_else(|| arg.take("boolValue")) {
                *place = value;
            }
        }
        Some(piece.flag("willContinue").ok()?.unwrap_or(false))
    }

    /// The whole call.
    pub(super) fn end(self) -> Call {
        Call { arguments: self.args.to_string(), ..self.call }
    }
}

/// `$.a['b c'][0]`.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (key, more) = after.split_at_checked(end)?;
            steps.push(Step::Key(key));
            rest = more;
            continue;
        }
        let inner = rest.strip_prefix('[')?;
        let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'));
        if let Some(quote) = quote {
            let (key, more) = inner.get(1..)?.split_once(quote)?;
            steps.push(Step::Key(key));
            rest = more.strip_prefix(']')?;
        } else {
            let (place, more) = inner.split_once(']')?;
            steps.push(Step::Place(place.parse().ok()?));
            rest = more;
        }
    }
    Some(steps)
}

/// The value at a path, made where it is not there yet; lists grow by one element at a time.
fn locate<'a>(root: &'a mut Value, steps: &[Step<'_>]) -> Option<&'a mut Value> {
    let mut at = root;
    for step in steps {
        at = match step {
            Step::Key(key) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(*key).or_insert(Value::Null)
            }
            Step::Place(place) => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                let list = at.as_array_mut()?;
                if list.len() == *place {
                    list.push(Value::Null);
                }
                list.get_mut(*place)?
            }
        };
    }
    Some(at)
}

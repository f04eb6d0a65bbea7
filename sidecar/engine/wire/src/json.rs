//! Reading JSON objects member by member, with a path for the error that names the field.

use serde_json::{Map, Number, Value};

use crate::form::Unreadable;

/// An object whose members are taken out one by one; what is left is what the reader does not know.
/// `null` counts as absent everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    map: Map<String, Value>,
    path: String,
}

/// `body` as a JSON object.
pub(crate) fn parse(body: &[u8]) -> Result<Members, Unreadable> {
    let value = serde_json::from_slice(body)
        .map_err(|error| Unreadable { path: "body".into(), why: format!("not JSON: {error}") })?;
    Members::of(value, String::new())
}

impl Members {
    /// The members of `value`, which stands at `path` (empty: the body itself).
    pub(crate) fn of(value: Value, path: String) -> Result<Self, Unreadable> {
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            _ => Err(unreadable(if path.is_empty() { "body" } else { &path }, "an object")),
        }
    }

    /// Path of a member.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// "must be …" at this member.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Unreadable {
        unreadable(&self.at(key), expected)
    }

    /// Takes a member; `None`: absent or `null`.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Puts a member in place of what was taken, so that [`Members::rest`] holds it.
    pub(crate) fn put_back(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    /// Whether a member is there and is not `null`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// Whether a member is an object with this `type`.
    pub(crate) fn is_of_kind(&self, key: &str, kind: &str) -> bool {
        self.map.get(key).and_then(|value| value.get("type")).is_some_and(|told| told == kind)
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    pub(crate) fn required_text(&mut self, key: &str) -> Result<String, Unreadable> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "a string"))
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<Option<bool>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    pub(crate) fn number(&mut self, key: &str) -> Result<Option<Number>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(key, "a number")),
        }
    }

    pub(crate) fn count(&mut self, key: &str) -> Result<Option<u64>, Unreadable> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        let whole = number.as_u64();
        whole.map(Some).ok_or_else(|| self.wrong(key, "a whole number of at least 0"))
    }

    pub(crate) fn integer(&mut self, key: &str) -> Result<Option<i64>, Unreadable> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        number.as_i64().map(Some).ok_or_else(|| self.wrong(key, "a whole number"))
    }

    pub(crate) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, Unreadable> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(key, "an array")),
        }
    }

    /// A member's own members.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Self>, Unreadable> {
        let path = self.at(key);
        self.take(key).map(|value| Self::of(value, path)).transpose()
    }

    /// A member's elements, each an object with its path.
    pub(crate) fn objects(&mut self, key: &str) -> Result<Option<Vec<Self>>, Unreadable> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        let path = self.at(key);
        let element = |(place, value)| Self::of(value, format!("{path}[{place}]"));
        list.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Some)
    }

    /// Strings of a member that is one string or an array of them.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, Unreadable> {
        let wrong = self.wrong(key, "a string or an array of strings");
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(list)) => {
                let text = |value| match value {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong.clone()),
                };
                list.into_iter().map(text).collect()
            }
            Some(_) => Err(wrong),
        }
    }

    /// What was not taken, `null` members left out.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.map.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }

    /// The object as it stands, without what was taken.
    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.map)
    }
}

/// JSON of what cannot fail to be JSON: texts, numbers, and maps whose keys are texts.
pub(crate) fn written(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// "must be …" at a path.
pub(crate) fn unreadable(path: &str, expected: &str) -> Unreadable {
    Unreadable { path: path.to_owned(), why: format!("must be {expected}") }
}

//! Streams, chunk by chunk.

use memchr::memmem;
use serde_json::Value;

use super::Quirks;
use super::answer::{finish_with_calls, flatten};

/// Choices that a stream may have.
const CHOICES: u64 = 128;
/// Tool calls of a choice; OpenAI's models make as many at most.
const CALLS: usize = 128;

/// Writes chunks in OpenAI's own words where a server's differ.
#[derive(Debug)]
pub struct Mender {
    quirks: Quirks,
    calls: Vec<Called>,
}

/// A tool call that has begun.
#[derive(Debug)]
struct Called {
    choice: u64,
    /// As the server counts.
    index: u64,
    id: String,
    /// As OpenAI counts.
    place: u64,
}

impl Mender {
    /// For a stream of which nothing has arrived; `None`: there is nothing to mend in such.
    #[must_use]
    pub fn of(quirks: Quirks) -> Option<Self> {
        quirks.of_answers().then(|| Self { quirks, calls: Vec::new() })
    }

    /// A chunk in OpenAI's own words; `None`: it is already.
    pub fn chunk(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let holds = |word: &[u8]| memmem::find(data, word).is_some();
        let lists = self.quirks.any(Quirks::CONTENT_LISTS) && holds(b"\"type\"");
        let calls = self.quirks.any(Quirks::ONE_INDEX)
            && (holds(b"\"tool_calls\"") || (!self.calls.is_empty() && holds(b"\"stop\"")));
        if !(lists || calls) {
            return None;
        }
        let mut chunk: Value = serde_json::from_slice(data).ok()?;
        let mut changed = false;
        for choice in chunk.get_mut("choices")?.as_array_mut()? {
            let number = choice.get("index").and_then(Value::as_u64).unwrap_or(0).min(CHOICES);
            if let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut) {
                changed |= lists && flatten(delta);
                let list = delta.get_mut("tool_calls").and_then(Value::as_array_mut);
                for call in list.into_iter().flatten().filter(|_| calls) {
                    changed |= self.place(number, call);
                }
            }
            if calls && self.calls.iter().any(|call| call.choice == number) {
                changed |= finish_with_calls(choice);
            }
        }
        changed.then(|| chunk.to_string().into_bytes())
    }

    /// Another id is another call, whatever its index says; without one it is the last of that index.
    fn place(&mut self, choice: u64, call: &mut Value) -> bool {
        let index = call.get("index").and_then(Value::as_u64).unwrap_or(0);
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
        let same = |it: &&Called| {
            it.choice == choice && it.index == index && (id.is_empty() || it.id == id)
        };
        let place = match self.calls.iter().rev().find(same) {
            Some(known) => known.place,
            None if self.calls.len() >= CALLS => return false,
            None => {
                let place = self.calls.iter().filter(|it| it.choice == choice).count() as u64;
                self.calls.push(Called { choice, index, id: id.to_owned(), place });
                place
            }
        };
        if call.get("index").and_then(Value::as_u64) == Some(place) {
            return false;
        }
        call["index"] = place.into();
        true
    }
}

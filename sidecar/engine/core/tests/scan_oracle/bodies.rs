//! Request bodies in all their dress, some of them damaged.

use proptest::prelude::*;

use crate::json::{Dice, Json, any_json, any_name, any_text, number, render};

/// Bytes of a request, sometimes damaged.
pub(crate) fn body() -> impl Strategy<Value = Vec<u8>> {
    let odd = b"\"\\{}[]:,0-.eEtnu \x01\x80\xc3\xed\xff".to_vec();
    let damage = (any::<prop::sample::Index>(), 0..4u8, prop::sample::select(odd));
    let damages = prop_oneof![Just(Vec::new()), prop::collection::vec(damage, 1..3)];
    let document = prop_oneof![6 => request(), 1 => any_json()];
    (document, prop::collection::vec(any::<u8>(), 0..200), damages).prop_map(
        |(document, dice, damages)| {
            let mut text = String::new();
            render(&document, &mut Dice(dice.iter()), &mut text);
            let mut bytes = text.into_bytes();
            for (index, kind, byte) in damages {
                let at = if bytes.is_empty() { 0 } else { index.index(bytes.len()) };
                match kind {
                    0 if !bytes.is_empty() => bytes[at] = byte,
                    1 if !bytes.is_empty() => drop(bytes.remove(at)),
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        },
    )
}

fn named(
    name: &'static str,
    value: impl Strategy<Value = Json>,
) -> impl Strategy<Value = (String, Json)> {
    value.prop_map(move |value| (name.to_owned(), value))
}

fn object(
    member: impl Strategy<Value = (String, Json)>,
    most: usize,
) -> impl Strategy<Value = Json> {
    prop::collection::vec(member, 0..=most).prop_map(Json::Object)
}

fn array(element: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec(element, 0..4).prop_map(Json::Array)
}

fn word(words: &[&'static str]) -> impl Strategy<Value = Json> {
    prop::sample::select(words.to_vec()).prop_map(|word| Json::String(word.to_owned()))
}

fn text() -> impl Strategy<Value = Json> {
    any_text().prop_map(Json::String)
}

fn message() -> BoxedStrategy<Json> {
    let part = object((any_name(), any_json()), 3);
    let content = prop_oneof![3 => text(), 2 => array(part), 1 => any_json()];
    let role = word(&["user", "user", "assistant", "system"]);
    (content, role, any_name(), any_json(), 0..3usize)
        .prop_map(|(content, role, name, json, turn)| {
            let mut members = vec![("content".to_owned(), content), ("role".to_owned(), role)];
            members.push((name, json));
            members.rotate_left(turn);
            Json::Object(members)
        })
        .boxed()
}

/// A document that is mostly a request: right kinds under interpreted names, in any order.
fn request() -> impl Strategy<Value = Json> {
    let flag = || any::<bool>().prop_map(Json::Bool);
    let member = prop_oneof![
        2 => named("model", text()),
        1 => named("stream", flag()),
        1 => named("stream_options", object(named("include_usage", flag()), 1)),
        1 => named("max_tokens", number()),
        1 => named("max_completion_tokens", number()),
        1 => named("n", number()),
        1 => named("response_format", object(named("type", word(&["json_schema", "text", "x"])), 1)),
        1 => named("service_tier", text()),
        1 => named("tools", array(any_json())),
        4 => named("messages", array(message())),
        1 => named("input", array(any_json())),
        1 => named("input", text()),
        2 => (any_name(), any_json()),
    ];
    object(member, 5)
}

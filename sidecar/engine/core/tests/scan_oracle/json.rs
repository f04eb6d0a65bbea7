//! JSON as `serde_json` reads it, with order and duplicate members kept; and as text in odd dress.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// `Some` where it is a whole number that fits `u64`.
    Number(Option<u64>),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(Some(value)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

/// Any JSON, with names and strings that mean something where they may stand.
pub(crate) fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number(),
        any_text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec((any_name(), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

pub(crate) fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        (0u64..300).prop_map(|whole| Json::Number(Some(whole))),
        any::<u64>().prop_map(|whole| Json::Number(Some(whole))),
        Just(Json::Number(None)),
    ]
}

pub(crate) fn any_name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "model",
        "stream",
        "stream_options",
        "include_usage",
        "max_tokens",
        "n",
        "tools",
        "role",
        "messages",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "input",
        "input_audio",
        "data",
        "file",
        "id",
        "refusal",
        "max_completion_tokens_",
        "",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any_text()]
}

pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,12}",
        "\\PC{0,8}",
        prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
        Just("user".to_owned()),
        Just("data:image/png;base64,AAAA".to_owned()),
        (0usize..1300, prop::sample::select(vec!["a", "é", "漢", "😀", "\n", "\"\\"]))
            .prop_map(|(times, unit)| unit.repeat(times)),
    ]
}

/// Writes JSON with whitespace, escapes and number forms as `dice` falls.
pub(crate) fn render(json: &Json, dice: &mut Dice<'_>, out: &mut String) {
    space(dice, out);
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(Some(whole)) => out.push_str(&whole.to_string()),
        Json::Number(None) => out.push_str(ODD_NUMBERS[dice.roll(ODD_NUMBERS.len())]),
        Json::String(text) => quote(text, dice, out),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                render(element, dice, out);
            }
            space(dice, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                space(dice, out);
                quote(name, dice, out);
                space(dice, out);
                out.push(':');
                render(value, dice, out);
            }
            space(dice, out);
            out.push('}');
        }
    }
    space(dice, out);
}

const ODD_NUMBERS: [&str; 16] = [
    "-1",
    "1.5",
    "-0",
    "1e3",
    "1E-3",
    "0.0",
    "-0.5e+10",
    "18446744073709551616",
    "1e308",
    "2e308",
    "0e999",
    "1e-999",
    "17976931348623157e292",
    "17976931348623159e292",
    "99999999999999999999e289",
    "0.00000000000000000000000001e330",
];

/// A bounded source of choices; it runs out into zeros (plain dress).
pub(crate) struct Dice<'a>(pub(crate) std::slice::Iter<'a, u8>);

impl Dice<'_> {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % sides
    }
}

fn space(dice: &mut Dice<'_>, out: &mut String) {
    out.push_str(["", "", "", " ", "\n", "\t\r ", "  "][dice.roll(7)]);
}

fn quote(text: &str, dice: &mut Dice<'_>, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let must = char < ' ' || char == '"' || char == '\\';
        if must || dice.roll(8) == 7 {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(char);
        }
    }
    out.push('"');
}

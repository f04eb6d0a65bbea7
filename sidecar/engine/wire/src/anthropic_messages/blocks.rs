//! Content blocks as they are written, borrowed from the form.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The member that Anthropic's documents name for arguments which are not JSON, so that a model sees what
/// it wrote and no tool runs with arguments that nobody wrote.
pub(super) const INVALID_JSON: &str = "INVALID_JSON";

/// One element of `content` or `system`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Input<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    /// A block that the form kept whole.
    #[serde(untagged)]
    Foreign(&'a Value),
}

/// `cache_control`.
#[derive(Debug, Serialize)]
pub(super) struct Mark<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> Mark<'a> {
    /// Of [`crate::form::Part::cache`]; a time to live that Anthropic has not becomes its usual one.
    pub(super) fn of(cache: Option<&'a str>) -> Option<Self> {
        let ttl = cache.filter(|ttl| matches!(*ttl, "5m" | "1h"));
        cache.map(|_| Self { kind: "ephemeral", ttl })
    }
}

/// `source` of images and documents.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: Cow<'a, str> },
    Url { url: &'a str },
    File { file_id: &'a str },
}

/// `input` of a tool call: an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'a> {
    /// The model's own text, byte for byte.
    Whole(&'a RawValue),
    Invalid {
        #[serde(rename = "INVALID_JSON")]
        text: &'a str,
    },
    None {},
}

impl<'a> Input<'a> {
    /// Of a call's arguments.
    pub(super) fn of(arguments: &'a str) -> Self {
        if arguments.trim().is_empty() {
            return Self::None {};
        }
        let whole = serde_json::from_str::<&RawValue>(arguments).ok();
        match whole.filter(|whole| whole.get().starts_with('{')) {
            Some(whole) => Self::Whole(whole),
            None => Self::Invalid { text: arguments },
        }
    }
}

/// Arguments that [`Input::Invalid`] wrapped, as the model wrote them.
pub(super) fn unwrapped(input: &Value) -> Option<&str> {
    let members = input.as_object().filter(|members| members.len() == 1)?;
    members.get(INVALID_JSON)?.as_str()
}

/// A value as JSON; these shapes have no member that serde could refuse.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(arguments: &str) -> String {
        String::from_utf8(to_json(&Input::of(arguments))).unwrap()
    }

    /// A11: arguments are never repaired: an object stays as it was written, none is `{}`, all else is said
    /// to be no JSON.
    #[test]
    fn arguments_stay_as_they_were_written() {
        assert_eq!(
            input(" {\"a\": 1.0e5, \"n\": 123456789012345678901234567890}"),
            "{\"a\": 1.0e5, \"n\": 123456789012345678901234567890}"
        );
        assert_eq!(input(""), "{}");
        assert_eq!(input("{}"), "{}");
        assert_eq!(input(r#"{"a": "b"#), r#"{"INVALID_JSON":"{\"a\": \"b"}"#);
        assert_eq!(input("[1]"), r#"{"INVALID_JSON":"[1]"}"#);
        let wrapped = serde_json::from_str(&input("{\"a")).unwrap();
        assert_eq!(unwrapped(&wrapped), Some("{\"a"));
        assert_eq!(unwrapped(&serde_json::json!({"INVALID_JSON": "x", "b": 1})), None);
    }

    /// Tagged blocks and whole foreign ones stand in one list.
    #[test]
    fn foreign_blocks_keep_their_form() {
        let foreign = serde_json::json!({"type": "search_result", "source": "s"});
        let list = [
            Block::Text { text: "a", cache_control: Mark::of(Some("30m")) },
            Block::Foreign(&foreign),
        ];
        let expected = serde_json::json!([
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, foreign,
        ]);
        assert_eq!(serde_json::from_slice::<Value>(&to_json(&list)).unwrap(), expected);
    }
}

//! What requests, answers and streams share on the wire, written without copying texts.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// One speaker's parts.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    pub(super) parts: Vec<Piece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
}

/// A part: of ours, or one that only Gemini knows, as it came.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum Piece<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'a str>,
    },
    Inline {
        inline_data: InlineData<'a>,
    },
    File {
        file_data: FileData<'a>,
    },
    Call {
        function_call: FunctionCall<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'a str>,
    },
    Response {
        function_response: FunctionResponse<'a>,
    },
    Foreign(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineData<'a> {
    pub(super) mime_type: &'a str,
    pub(super) data: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    pub(super) mime_type: &'a str,
    pub(super) file_uri: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) args: Args<'a>,
}

/// A call's arguments: an object, never a text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Args<'a> {
    /// Byte for byte as the model wrote them.
    Raw(&'a RawValue),
    /// Written anew on one line, because a line feed between members would end a frame.
    Parsed(Value),
}

impl<'a> Args<'a> {
    /// `None`: not a whole JSON object (cut at `max_tokens`, or no JSON): nothing is ever repaired.
    pub(super) fn of(arguments: &'a str) -> Option<Self> {
        let text = arguments.trim_ascii();
        if text.is_empty() {
            return Some(Self::Parsed(Value::Object(serde_json::Map::new())));
        }
        if !text.starts_with('{') {
            return None;
        }
        if text.contains(['\n', '\r']) {
            return serde_json::from_str(text).ok().map(Self::Parsed);
        }
        serde_json::from_str(text).ok().map(Self::Raw)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) response: Outcome<'a>,
}

/// Google's own keys for what a function gave and for its failure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome<'a> {
    Output(std::borrow::Cow<'a, str>),
    Error(std::borrow::Cow<'a, str>),
}

impl<'a> Piece<'a> {
    pub(super) const fn text(text: &'a str) -> Self {
        Self::Text { text, thought: None, thought_signature: None }
    }

    pub(super) const fn thought(text: &'a str, signature: Option<&'a str>) -> Self {
        Self::Text { text, thought: Some(true), thought_signature: signature }
    }
}

/// A plain answer, or one chunk of a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    pub(super) candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<Value>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_message: Option<&'a str>,
    pub(super) index: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(arguments: &str) -> Option<String> {
        Args::of(arguments).map(|args| serde_json::to_string(&args).unwrap())
    }

    /// A11 tool_args: whole objects pass byte for byte, nothing is repaired, no line is broken.
    #[test]
    fn arguments_are_objects_or_nothing() {
        assert_eq!(written(r#"{ "a":1.50 }"#).unwrap(), r#"{ "a":1.50 }"#);
        assert_eq!(written("").unwrap(), "{}");
        assert_eq!(written("{\n\"a\": 1}").unwrap(), r#"{"a":1}"#);
        for cut in [r#"{"a": "tru"#, "[1]", "\"text\"", "{} {}", "nul"] {
            assert_eq!(written(cut), None, "{cut}");
        }
    }
}

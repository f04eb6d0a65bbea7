//! One span as OTLP's JSON has it: ids in hexadecimal, 64-bit numbers as texts.

use std::borrow::Cow;

use serde::Serialize;

use crate::limits;
use crate::trace::TraceContext;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody.
    Internal = 1,
    /// An app asked us.
    Server = 2,
    /// We asked a provider.
    Client = 3,
}

/// What is said of a span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Value<'a> {
    /// Cut where it is very long.
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    /// Whole.
    #[serde(rename = "intValue", serialize_with = "as_text")]
    Number(u64),
    /// Not whole.
    #[serde(rename = "doubleValue")]
    Real(f64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// Names and values.
pub type Attributes<'a> = Vec<(&'static str, Value<'a>)>;

/// A call, or a part of one, that is over.
#[derive(Debug)]
pub struct Span<'a> {
    /// Its own.
    pub id: u64,
    /// 0: none.
    pub parent: u64,
    /// Of few different ones.
    pub name: Cow<'a, str>,
    /// Kind.
    pub kind: Kind,
    /// Begin, microseconds since the call's.
    pub start_us: u64,
    /// End, microseconds since the call's begin.
    pub end_us: u64,
    /// Attributes; `error.type` is added.
    pub attributes: Attributes<'a>,
    /// `error.type` of one that failed.
    pub error: Option<&'a str>,
}

/// `SpanFlags`: bit 8 says that bit 9 tells whether the parent is another process's.
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;
const STATUS_ERROR: u8 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    flags: u32,
    name: Cow<'a, str>,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue<'a>>,
    status: Status,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

impl Span<'_> {
    /// The span's document; `wall_ms` is the Unix time at which the call began.
    #[must_use]
    pub fn encode(self, trace: &TraceContext, wall_ms: i64) -> Option<String> {
        let nanos =
            |us: u64| (i128::from(wall_ms) * 1_000_000 + i128::from(us) * 1_000).to_string();
        let remote = if self.parent != 0 && self.parent == trace.parent_id { REMOTE } else { 0 };
        let error = self.error.map(|class| ("error.type", Value::from(class)));
        let attributes = self.attributes.into_iter().chain(error);
        let document = Document {
            trace_id: format!("{:032x}", trace.trace_id),
            span_id: format!("{:016x}", self.id),
            parent_span_id: (self.parent != 0).then(|| format!("{:016x}", self.parent)),
            flags: u32::from(trace.flags) | REMOTE_KNOWN | remote,
            name: shortened(self.name),
            kind: self.kind as u8,
            start_time_unix_nano: nanos(self.start_us),
            end_time_unix_nano: nanos(self.end_us.max(self.start_us)),
            attributes: attributes
                .map(|(key, value)| KeyValue { key, value: short(value) })
                .collect(),
            // Success is not for an instrument to state: unset.
            status: Status { code: self.error.map(|_| STATUS_ERROR) },
        };
        // Texts and numbers alone: it always serialises.
        serde_json::to_string(&document).ok()
    }
}

fn short(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) => Value::Text(shortened(text)),
        other => other,
    }
}

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.char_indices().nth(limits::SPAN_TEXT_CHARS) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => text,
    }
}

fn as_text<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: TraceContext = TraceContext { trace_id: 1, parent_id: 2, span_id: 3, flags: 1 };

    fn span(parent: u64, error: Option<&str>) -> serde_json::Value {
        let attributes = vec![("a", Value::from("b")), ("n", 7.into()), ("r", 0.5.into())];
        let (name, kind) = ("chat".into(), Kind::Client);
        let span = Span { id: 9, parent, name, kind, start_us: 5, end_us: 4, attributes, error };
        serde_json::from_str(&span.encode(&TRACE, 1_000).unwrap()).unwrap()
    }

    #[test]
    fn a_span_is_told_as_otlp_wants_it() {
        let span = span(3, None);
        assert_eq!(span["traceId"], "00000000000000000000000000000001");
        assert_eq!(span["parentSpanId"], "0000000000000003");
        assert_eq!((&span["kind"], &span["flags"]), (&3.into(), &0x101.into()));
        assert_eq!(span["startTimeUnixNano"], "1000005000");
        assert_eq!(span["endTimeUnixNano"], "1000005000", "never before its begin");
        assert_eq!(span["attributes"][1]["value"]["intValue"], "7");
        assert_eq!(span["attributes"][2]["value"]["doubleValue"], 0.5);
        assert_eq!(span["status"], serde_json::json!({}));
        assert!(!span["attributes"].to_string().contains("error.type"));
    }

    #[test]
    fn a_failed_one_says_why_and_the_callers_span_is_another_process() {
        let span = span(2, Some("server"));
        assert_eq!(span["status"]["code"], 2);
        assert_eq!(span["attributes"][3]["value"]["stringValue"], "server");
        assert_eq!(span["flags"], 0x301);
    }

    #[test]
    fn texts_are_bounded_by_characters() {
        let long = "é".repeat(limits::SPAN_TEXT_CHARS + 1);
        assert_eq!(shortened(long.as_str().into()).chars().count(), limits::SPAN_TEXT_CHARS);
    }
}

//! What an error's body says, in whichever of the providers' shapes: codes, words, a wait.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use super::retry_after::duration;

/// Where AWS names the exception; what follows a colon is its origin.
const AMAZON_KIND: &str = "x-amzn-errortype";

/// What the provider said, in lower case.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Everything that names the error: codes, types, statuses, reasons.
    pub(super) codes: Vec<String>,
    /// Its words and a line's end, and the names of the quotas that are used up.
    pub(super) message: String,
    /// The first of the codes that is a name, fit for a record.
    pub(super) shown: Option<String>,
    /// The wait that it asks for.
    pub(super) wait: Option<Duration>,
}

impl Said {
    /// Words alone.
    pub(super) fn text(text: &str) -> Self {
        Self { message: text.to_lowercase(), ..Self::default() }
    }

    /// Reads `{"error": {…}}`, `{"error": "text", "code"}`, `[{"error": …}]`, `{"message", "code"}`,
    /// `{"__type", "message"}` and `{"detail"}`.
    pub(super) fn of(document: &Value) -> Self {
        let outer = document.get(0).unwrap_or(document);
        let error = outer.get("error").unwrap_or(outer);
        let named = if error.is_object() { error } else { outer };
        let member = |name: &str| named.get(name).and_then(text);
        let inner = error.get("innererror").and_then(|e| e.get("code")).and_then(text);
        // AWS: a namespace stands before the exception.
        let kind = member("__type").map(|kind| kind.rsplit('#').next().unwrap_or("").to_owned());
        let mut codes: Vec<String> =
            [member("code"), member("type"), member("status"), kind, inner]
                .into_iter()
                .flatten()
                .collect();
        let mut message = ["message", "Message"]
            .into_iter()
            .find_map(member)
            .or_else(|| text(error))
            .or_else(|| error.get("detail").and_then(text))
            .unwrap_or_default();
        message.push('\n');
        let mut said = Self { wait: told_wait(outer, error), ..Self::default() };
        match error.get("details") {
            // Google: a list of typed details.
            Some(Value::Array(details)) => {
                for detail in details {
                    said.read_detail(detail, &mut codes, &mut message);
                }
            }
            // Anthropic: what lies behind the type.
            Some(details) => codes.extend(details.get("error_code").and_then(text)),
            None => {}
        }
        let shown = codes.iter().find(|c| c.parse::<u64>().is_err()).or_else(|| codes.first());
        said.shown = shown.map(|code| fit_for_record(code)).filter(|code| !code.is_empty());
        said.codes = codes.iter().map(|code| code.to_lowercase()).collect();
        said.message = message.to_lowercase();
        said
    }

    /// AWS says in a header which exception it is.
    pub(super) fn note_kind(&mut self, headers: &HeaderMap) {
        let kind = headers.get(AMAZON_KIND).and_then(|value| value.to_str().ok());
        let Some(kind) = kind.and_then(|kind| kind.split(':').next()) else { return };
        self.shown = Some(fit_for_record(kind)).filter(|code| !code.is_empty());
        self.codes.push(kind.to_lowercase());
    }

    fn read_detail(&mut self, detail: &Value, codes: &mut Vec<String>, message: &mut String) {
        codes.extend(detail.get("reason").and_then(text));
        let delay = detail.get("retryDelay").and_then(Value::as_str).and_then(duration);
        self.wait = self.wait.max(delay);
        let violations = detail.get("violations").and_then(Value::as_array);
        for quota in violations.into_iter().flatten() {
            if let Some(name) = quota.get("quotaId").and_then(Value::as_str) {
                message.push(' ');
                message.push_str(name);
            }
        }
    }
}

/// OpenRouter's `availability.retry_after`, seconds, wherever it stands.
fn told_wait(outer: &Value, error: &Value) -> Option<Duration> {
    let places = [Some(outer), Some(error), error.get("metadata")];
    places.into_iter().flatten().find_map(|place| {
        let told = place.get("availability")?.get("retry_after")?;
        match told {
            Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
            Value::String(told) => duration(told),
            _ => None,
        }
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Codes come from outside: nothing but the characters of codes reaches records and labels.
fn fit_for_record(code: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    code.chars().filter(allowed).take(64).collect()
}

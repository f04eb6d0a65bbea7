//! Who is calling: the workload that this sidecar serves, and the caller's own attribution headers
//! (attribution, not security: a sidecar trusts its own pod).

use http::{HeaderMap, HeaderName};
use serde::Deserialize;

use crate::headers::{KEY, TEAM};
use crate::limits;

/// The workload and pod that this engine serves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// This sidecar's unique id (pod UID).
    pub sidecar: String,
    /// Kubernetes namespace of the workload.
    pub namespace: String,
    /// The workload's name.
    pub workload: String,
    /// The pod's name, on spans.
    pub pod: String,
}

/// Labels under which one call's cost is booked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// `x-pointsman-team`.
    pub team: String,
    /// `x-pointsman-key`.
    pub key: String,
}

impl Attribution {
    /// Reads the attribution headers; anything that is no short printable text is left out.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self { team: label(headers, TEAM), key: label(headers, KEY) }
    }
}

fn label(headers: &HeaderMap, name: HeaderName) -> String {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let end = text.len().min(limits::LABEL_BYTES);
    text[..end].to_owned() // ASCII: to_str refuses anything else
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_printable_or_absent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-pointsman-team", "blue ".parse().unwrap());
        headers.insert("x-pointsman-key", http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        let attribution = Attribution::from_headers(&headers);
        assert_eq!((attribution.team.as_str(), attribution.key.as_str()), ("blue", ""));
        headers.insert("x-pointsman-team", "x".repeat(1_000).parse().unwrap());
        assert_eq!(Attribution::from_headers(&headers).team.len(), limits::LABEL_BYTES);
    }
}

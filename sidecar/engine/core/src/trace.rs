//! W3C trace context: accepted, continued, passed on. The ids of our own spans are derived here.

use http::{HeaderMap, HeaderValue};

/// A call's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes.
    pub trace_id: u128,
    /// The caller's span; 0 where the call begins the trace.
    pub parent_id: u64,
    /// Our span of the call.
    pub span_id: u64,
    /// W3C flags; bit 0: sampled.
    pub flags: u8,
}

impl TraceContext {
    /// Continues the caller's `traceparent`; a missing or malformed one begins a trace, not sampled.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let span_id = fastrand::u64(1..);
        headers.get("traceparent").and_then(parse).map_or_else(
            || Self { trace_id: fastrand::u128(1..), parent_id: 0, span_id, flags: 0 },
            |(trace_id, parent_id, flags)| Self { trace_id, parent_id, span_id, flags },
        )
    }

    /// `traceparent` for an upstream attempt.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let text = format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags);
        HeaderValue::from_str(&text).ok()
    }
}

fn parse(value: &HeaderValue) -> Option<(u128, u64, u8)> {
    let text = value.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed =
        version.len() == 2 && version != "ff" && trace.len() == 32 && parent.len() == 16;
    let lower_hex = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if !well_formed
        || flags.len() != 2
        || ![version, trace, parent, flags].iter().all(|part| lower_hex(part))
    {
        return None;
    }
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    Some((trace_id, parent_id, u8::from_str_radix(flags, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(traceparent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", traceparent.parse().unwrap());
        headers
    }

    #[test]
    fn a_callers_trace_goes_on_under_our_span() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::from_headers(&headers(given));
        assert_eq!(context.parent_id, 0x00f0_67aa_0ba9_02b7);
        let sent = context.header().unwrap();
        let sent = sent.to_str().unwrap();
        assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && sent.ends_with("-01"));
        assert!(!sent.contains("00f067aa0ba902b7"));
    }

    #[test]
    fn a_malformed_header_begins_a_new_trace() {
        for given in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "nonsense",
        ] {
            let context = TraceContext::from_headers(&headers(given));
            assert_eq!((context.parent_id, context.flags), (0, 0), "{given}");
        }
    }
}

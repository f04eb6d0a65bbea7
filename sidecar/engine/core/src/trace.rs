//! W3C trace context: accepted and continued. The ids of our own spans are made here.

use http::{HeaderMap, HeaderValue};

use crate::headers::TRACEPARENT;

/// Bit 0: sampled. Bit 1: the trace id is random (level 2). The others have no meaning and stay here.
const KNOWN_FLAGS: u8 = 0b11;
const SAMPLED: u8 = 1;

/// A call's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes.
    pub trace_id: u128,
    /// The caller's span; 0 where the call begins the trace.
    pub parent_id: u64,
    /// Our span of the call.
    pub span_id: u64,
    /// W3C flags.
    pub flags: u8,
}

impl TraceContext {
    /// Continues the caller's `traceparent`, sampled or not as it says; without a usable one begins a
    /// trace, of which `sample_percent` of a hundred are sampled.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, sample_percent: u8) -> Self {
        let span_id = new_span_id();
        only(headers).and_then(parse).map_or_else(
            || {
                let sampled = fastrand::u8(..100) < sample_percent;
                Self {
                    trace_id: fastrand::u128(1..),
                    parent_id: 0,
                    span_id,
                    flags: KNOWN_FLAGS & !SAMPLED | u8::from(sampled),
                }
            },
            |(trace_id, parent_id, flags)| Self {
                trace_id,
                parent_id,
                span_id,
                flags: flags & KNOWN_FLAGS,
            },
        )
    }

    /// Whether its spans are wanted.
    #[must_use]
    pub const fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// `traceparent` for what `span_id`, a span of this call, asks of others.
    #[must_use]
    pub fn header(&self, span_id: u64) -> Option<HeaderValue> {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..19], (self.trace_id >> 64) as u64);
        write_hex(&mut text[19..35], self.trace_id as u64);
        write_hex(&mut text[36..52], span_id);
        write_hex(&mut text[53..], u64::from(self.flags));
        HeaderValue::from_bytes(&text).ok()
    }
}

/// The lowest digits of `value`, as many as there are places.
fn write_hex(places: &mut [u8], mut value: u64) {
    for place in places.iter_mut().rev() {
        *place = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

/// An id for a span.
#[must_use]
pub fn new_span_id() -> u64 {
    fastrand::u64(1..)
}

/// Two of them contradict each other: then there is none.
fn only(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let first = all.next();
    if all.next().is_some() { None } else { first }
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

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(traceparent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", traceparent.parse().unwrap());
        headers
    }

    #[test]
    fn a_callers_trace_goes_on_under_the_span_that_is_named() {
        let context = TraceContext::from_headers(&headers(GIVEN), 0);
        assert_eq!(context.parent_id, 0x00f0_67aa_0ba9_02b7);
        assert!(context.sampled(), "the caller decides, not the share");
        let sent = context.header(0xab).unwrap();
        assert_eq!(sent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
    }

    #[test]
    fn what_the_caller_does_not_want_is_not_sampled_and_unknown_flags_end_here() {
        let unsampled = GIVEN.replace("-01", "-00");
        assert!(!TraceContext::from_headers(&headers(&unsampled), 100).sampled());
        let odd = GIVEN.replace("-01", "-ff");
        assert_eq!(TraceContext::from_headers(&headers(&odd), 0).flags, 0b11);
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
            let context = TraceContext::from_headers(&headers(given), 0);
            assert_eq!((context.parent_id, context.sampled()), (0, false), "{given}");
            assert_ne!(context.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        }
        let mut twice = headers(GIVEN);
        twice.append("traceparent", GIVEN.parse().unwrap());
        assert_eq!(TraceContext::from_headers(&twice, 0).parent_id, 0);
    }

    #[test]
    fn a_new_trace_is_sampled_by_its_share() {
        let sampled = |percent| {
            let none = HeaderMap::new();
            (0..2_000).filter(|_| TraceContext::from_headers(&none, percent).sampled()).count()
        };
        assert_eq!((sampled(0), sampled(100)), (0, 2_000));
        assert!((150..450).contains(&sampled(15)), "15 % within 9 standard deviations");
    }
}

//! How long a provider asks us to wait: the largest of all the ways it can say so, capped.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::ledger::instant;
use crate::limits;

/// What Anthropic counts, each with a header for what is left and one for when it is whole again.
const ANTHROPIC: [[&str; 2]; 4] = [
    ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"],
    ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
    ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"],
    ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"],
];

/// The wait that the answer's headers ask for, at most `limits::RETRY_AFTER`; `now` for HTTP dates.
/// A reset of a limit (`x-ratelimit-reset-*`, `anthropic-ratelimit-*-reset`) counts only where its
/// `remaining` says 0.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let told = [
        value("retry-after-ms").and_then(|v| seconds(v, 0.001)),
        value("retry-after").and_then(|v| seconds(v, 1.0).or_else(|| until(v, now))),
        exhausted(value("x-ratelimit-remaining-requests"), value("x-ratelimit-reset-requests")),
        exhausted(value("x-ratelimit-remaining-tokens"), value("x-ratelimit-reset-tokens")),
        exhausted(value("x-ratelimit-remaining"), value("x-ratelimit-reset")),
    ];
    let resets = ANTHROPIC.map(|[left, reset]| {
        let left = value(left)?.parse::<f64>().ok()?;
        (left <= 0.0).then(|| from_now(instant::unix_ms(value(reset)?)?, now))?
    });
    told.into_iter().chain(resets).flatten().max().map(within_cap)
}

/// Plain seconds, or what Go and Google print for a duration: `46s`, `1.5s`, `6m0s`, `120ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    seconds(text, 1.0).or_else(|| go_duration(text))
}

/// A wait that we are ready to obey or to pass on.
#[must_use]
pub fn within_cap(wait: Duration) -> Duration {
    wait.min(limits::RETRY_AFTER)
}

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? * unit).ok()
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let then = httpdate::parse_http_date(date).ok()?;
    Some(then.duration_since(now).unwrap_or(Duration::ZERO))
}

fn exhausted(remaining: Option<&str>, reset: Option<&str>) -> Option<Duration> {
    if remaining?.parse::<f64>().ok()? > 0.0 {
        return None;
    }
    duration(reset?)
}

fn from_now(unix_ms: i64, now: SystemTime) -> Option<Duration> {
    let then = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).ok()?);
    Some(then.duration_since(now).unwrap_or(Duration::ZERO))
}

/// `6m0s`, `120ms`, `2m59.56s`: what Go prints for a duration.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, 0.0_f64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let (unit, after) = [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9)]
            .into_iter()
            .chain([("h", 3600.0), ("m", 60.0), ("s", 1.0)])
            .find_map(|(name, unit)| Some((unit, tail.strip_prefix(name)?)))?;
        total += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(total).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_795_367_210; // Sun, 22 Nov 2026 17:06:50 GMT

    fn wait(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S))
    }

    /// Every spelling that providers use is understood, and nonsense is no wait.
    #[test]
    fn reads_every_spelling() {
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after-ms", "1500")]), ms(1500));
        assert_eq!(wait(&[("retry-after", "2")]), ms(2000));
        assert_eq!(wait(&[("retry-after", " 0.5 ")]), ms(500));
        assert_eq!(wait(&[("retry-after", "Sun, 22 Nov 2026 17:07:00 GMT")]), ms(10_000));
        assert_eq!(wait(&[("retry-after", "Sun, 22 Nov 2026 17:00:00 GMT")]), ms(0));
        for nonsense in ["soon", "-1", "NaN", "inf", "", "1e400"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }

    /// The largest of several waits counts: obeying a smaller one would be refused again.
    #[test]
    fn takes_the_largest() {
        let pairs = [("retry-after-ms", "100"), ("retry-after", "3")];
        assert_eq!(wait(&pairs), Some(Duration::from_secs(3)));
    }

    /// A reset matters only for the limit that is used up; Go durations and plain seconds both count.
    #[test]
    fn reads_resets_of_exhausted_limits() {
        let reset = |remaining: &str, reset: &str| {
            wait(&[
                ("x-ratelimit-remaining-tokens", remaining),
                ("x-ratelimit-reset-tokens", reset),
            ])
        };
        assert_eq!(reset("10", "6m0s"), None);
        assert_eq!(reset("0", "6m0s"), Some(Duration::from_secs(360)));
        assert_eq!(reset("0", "120ms"), Some(Duration::from_millis(120)));
        assert_eq!(reset("0", "2m59.56s"), Some(Duration::from_millis(179_560)));
        assert_eq!(reset("0", "7"), Some(Duration::from_secs(7)));
        assert_eq!(reset("0", "-1"), None);
        assert_eq!(reset("0", "6q"), None);
        assert_eq!(reset("0", "m"), None);
    }

    /// Anthropic says at which instant a limit is whole again, and what is left of it until then.
    #[test]
    fn reads_anthropics_resets() {
        let reset = |remaining: &str| {
            wait(&[
                ("anthropic-ratelimit-input-tokens-remaining", remaining),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T17:07:20Z"),
            ])
        };
        assert_eq!(reset("0"), Some(Duration::from_secs(30)));
        assert_eq!(reset("1000"), None);
    }

    /// No provider can park us for longer than the cap.
    #[test]
    fn caps_the_wait() {
        assert_eq!(wait(&[("retry-after", "999999")]), Some(limits::RETRY_AFTER));
        let far = [("retry-after", "Sun, 22 Nov 2099 17:07:00 GMT")];
        assert_eq!(wait(&far), Some(limits::RETRY_AFTER));
    }
}

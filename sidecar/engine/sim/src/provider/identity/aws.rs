//! Judges Signature Version 4 as AWS does, from what arrived: the request is canonicalised and signed again
//! with the key that it names. Shares no code with the engine; the tests hold it to botocore.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::provider::converse;
use crate::provider::failure::Refused;

/// How far a signature's time may be from ours, seconds.
const WINDOW_S: i64 = 300;
const ALGORITHM: &str = "AWS4-HMAC-SHA256 ";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
                        Check your AWS Secret Access Key and signing method. Consult the service \
                        documentation for details.";

/// Who may sign, and where this is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Aws {
    /// The region that signatures are for.
    pub(crate) region: String,
    /// Keys that are known.
    #[serde(default)]
    pub(crate) keys: Vec<Pair>,
    /// Which token of a cluster's assumes which role.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, String>,
    /// What the agent on the node wants to be shown; none: there is no agent.
    pub(crate) agent_token: Option<String>,
}

/// A pair of keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Pair {
    /// `AKIA…` or `ASIA…`.
    pub(crate) access_key: String,
    /// Its secret half.
    pub(crate) secret_key: String,
    /// What must come with it.
    pub(crate) session_token: Option<String>,
    /// When it ends, Unix seconds; none: never.
    #[serde(skip)]
    pub(crate) expires_s: Option<i64>,
}

/// Whether a request is signed at all.
pub(in crate::provider) fn is_signed(head: &Parts) -> bool {
    text(head, AUTHORIZATION.as_str()).is_some_and(|value| value.starts_with(ALGORITHM))
}

impl Aws {
    /// Checks the signature of a request that has one, against the known keys and those that were
    /// `issued`. `now_s`: Unix seconds here.
    ///
    /// # Errors
    /// In AWS's own words, with the kind of the exception.
    pub(super) fn judge(
        &self,
        (head, body): (&Parts, &[u8]),
        issued: &[Pair],
        now_s: i64,
    ) -> Result<(), Refused> {
        let invalid = |message: &str| converse::denied("InvalidSignatureException", message);
        let signed = Signed::read(head).ok_or_else(|| {
            let message = "Authorization header requires 'Credential', 'Signature' and \
                           'SignedHeaders' parameters, and existence of an 'X-Amz-Date' header.";
            converse::denied("IncompleteSignatureException", message)
        })?;
        let token = text(head, "x-amz-security-token");
        let known =
            self.keys.iter().chain(issued).find(|it| {
                it.access_key == signed.access_key && it.session_token.as_deref() == token
            });
        let pair = known.ok_or_else(|| {
            let message = "The security token included in the request is invalid.";
            converse::denied("UnrecognizedClientException", message)
        })?;
        if pair.expires_s.is_some_and(|end_s| end_s <= now_s) {
            let message = "The security token included in the request is expired";
            return Err(converse::denied("ExpiredTokenException", message));
        }
        let scope = format!("{}/{}/bedrock/aws4_request", &signed.date[..8], self.region);
        if signed.scope != scope {
            return Err(invalid(&format!("Credential should be scoped to {scope}.")));
        }
        in_time(&signed.date, now_s).map_err(|message| invalid(&message))?;
        let must = ["host", "x-amz-date"].into_iter().chain(token.map(|_| "x-amz-security-token"));
        for name in must {
            if !signed.headers.iter().any(|it| it == name) {
                let message =
                    format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
                return Err(invalid(&message));
            }
        }
        match signed.again(head, body, &pair.secret_key) {
            Some(again) if again == signed.signature => Ok(()),
            _ => Err(invalid(MISMATCH)),
        }
    }
}

/// What the headers say about the signature.
struct Signed {
    access_key: String,
    scope: String,
    headers: Vec<String>,
    signature: String,
    date: String,
}

impl Signed {
    fn read(head: &Parts) -> Option<Self> {
        let parameters: BTreeMap<&str, &str> = text(head, AUTHORIZATION.as_str())?
            .strip_prefix(ALGORITHM)?
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .collect();
        let (access_key, scope) = parameters.get("Credential")?.split_once('/')?;
        let date = text(head, "x-amz-date")?.to_owned();
        unix_s(&date)?;
        Some(Self {
            access_key: access_key.to_owned(),
            scope: scope.to_owned(),
            headers: parameters.get("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: (*parameters.get("Signature")?).to_owned(),
            date,
        })
    }

    /// The signature that the request should have; `None`: a signed header is not there.
    fn again(&self, head: &Parts, body: &[u8], secret: &str) -> Option<String> {
        let mut canonical = format!("{}\n", head.method);
        canonical.push_str(&encoded(head.uri.path(), b"/"));
        canonical.push('\n');
        canonical.push_str(&query(head.uri.query().unwrap_or_default()));
        canonical.push('\n');
        for name in &self.headers {
            let value = value_of(head, name)?;
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            canonical.push_str(&format!("{name}:{value}\n"));
        }
        let body = hex(&Sha256::digest(body));
        canonical.push_str(&format!("\n{}\n{body}", self.headers.join(";")));
        let told = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{told}", self.date, self.scope);
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in self.scope.split('/').chain([text.as_str()]) {
            key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        Some(hex(&key))
    }
}

fn in_time(date: &str, now_s: i64) -> Result<(), String> {
    let there_s = unix_s(date).unwrap_or_default();
    let (now, early, late) = (stamp(now_s), stamp(now_s - WINDOW_S), stamp(now_s + WINDOW_S));
    if there_s < now_s - WINDOW_S {
        return Err(format!(
            "Signature expired: {date} is now earlier than {early} ({now} - 5 min.)"
        ));
    }
    if there_s > now_s + WINDOW_S {
        return Err(format!(
            "Signature not yet current: {date} is still later than {late} ({now} + 5 min.)"
        ));
    }
    Ok(())
}

fn text<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

/// A header as it was signed; HTTP/2 has the host elsewhere.
fn value_of<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let host = || head.uri.authority().filter(|_| name == HOST.as_str()).map(|it| it.as_str());
    text(head, name).or_else(host)
}

/// Encoded once more than it arrived, as AWS does but for S3; `kept` stays.
fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Parameters in order, as they arrived: they are encoded already.
fn query(text: &str) -> String {
    let mut pairs: Vec<String> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// `YYYYMMDDTHHMMSSZ` as Unix seconds.
fn unix_s(date: &str) -> Option<i64> {
    let ok = date.len() == 16 && date.is_ascii() && &date[8..9] == "T" && date.ends_with('Z');
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let clock = number(9, 11)? * 3_600 + number(11, 13)? * 60 + number(13, 15)?;
    ok.then(|| days(year, month, day) * 86_400 + clock)
}

/// Unix seconds as AWS writes them.
pub(super) fn stamp(now_s: i64) -> String {
    let (mut year, mut day) = (1970, now_s.div_euclid(86_400));
    while day >= days(year + 1, 1, 1) - days(year, 1, 1) {
        day -= days(year + 1, 1, 1) - days(year, 1, 1);
        year += 1;
    }
    let first = days(year, 1, 1);
    let month = (1..=12).rfind(|month| days(year, *month, 1) - first <= day).unwrap_or(1);
    let day = day - (days(year, month, 1) - first) + 1;
    let clock = now_s.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160),
            ("20240229T235959Z", 1_709_251_199),
            ("20261231T000001Z", 1_798_675_201),
        ] {
            assert_eq!(unix_s(text), Some(seconds), "{text}");
            assert_eq!(stamp(seconds), text);
        }
        assert_eq!(unix_s("2015-08-30T12:36"), None);
    }

    /// AWS's own test suite: `get-vanilla`, but for the service.
    #[test]
    fn a_published_vector_is_signed_alike() {
        let (head, ()) = http::Request::get("https://example.amazonaws.com/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .body(())
            .unwrap()
            .into_parts();
        let signed = Signed {
            access_key: String::new(),
            scope: "20150830/us-east-1/service/aws4_request".into(),
            headers: vec!["host".into(), "x-amz-date".into()],
            signature: String::new(),
            date: "20150830T123600Z".into(),
        };
        let again = signed.again(&head, b"", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let expected = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert_eq!(again.as_deref(), Some(expected));
    }
}

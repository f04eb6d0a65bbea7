//! AWS Signature Version 4 for Bedrock: who sends a request, and every byte that counts in it.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signed};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use ring::digest::{Context, SHA256};

/// The name that Bedrock's signatures are for; not that of its host.
const SERVICE: &str = "bedrock";
const DATE: &str = "x-amz-date";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A key pair, and the token that goes with it where it lasts for a while only (STS). Never shown.
#[derive(Clone)]
pub struct AwsKey(Identity);

impl AwsKey {
    /// `session_token`: of temporary keys (`ASIA…`).
    #[must_use]
    pub fn new(access_key: &str, secret_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        Self(Credentials::new(access_key, secret_key, token, None, "pointsman").into())
    }
}

impl std::fmt::Debug for AwsKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AwsKey(…)")
    }
}

/// What of a request is signed beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// As it is sent.
    pub method: &'a Method,
    /// `host` as it is sent: with its port where that is not the scheme's own.
    pub host: &'a str,
    /// Path and query as they are sent, percent-encoded once ([`path_segment`]).
    pub target: &'a str,
    /// `content-type` as it is sent.
    pub content_type: &'a HeaderValue,
}

/// The head or region cannot be signed: a character that no URI or header takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request cannot be signed: host, path, region or key hold characters that cannot be sent"
)]
pub struct Unsignable;

/// Signs a request: the headers to add to it, `x-amz-date`, `authorization` and with temporary keys
/// `x-amz-security-token`. They hold for five minutes, for this head and these bytes: sign each attempt
/// anew. `now_s`: Unix seconds.
///
/// # Errors
/// [`Unsignable`].
pub fn sign<'a>(
    head: &Head<'_>,
    body: impl IntoIterator<Item = &'a [u8]>,
    key: &AwsKey,
    region: &str,
    now_s: u64,
) -> Result<Vec<(HeaderName, HeaderValue)>, Unsignable> {
    sign_for(SERVICE, head, body, key, region, now_s)
}

fn sign_for<'a>(
    service: &str,
    head: &Head<'_>,
    body: impl IntoIterator<Item = &'a [u8]>,
    key: &AwsKey,
    region: &str,
    now_s: u64,
) -> Result<Vec<(HeaderName, HeaderValue)>, Unsignable> {
    // Dates beyond the year 2106 are no dates, and AWS's crate must not see them.
    let now_s = u32::try_from(now_s).map_err(|_| Unsignable)?;
    // The defaults are Bedrock's: the path is encoded once more, the body's hash stands in the signature
    // alone.
    let params = v4::SigningParams::builder()
        .identity(&key.0)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_secs(u64::from(now_s)))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| Unsignable)?
        .into();
    let content_type = head.content_type.to_str().map_err(|_| Unsignable)?;
    let told = (!content_type.is_empty()).then_some((CONTENT_TYPE.as_str(), content_type));
    let headers = [("host", head.host)].into_iter().chain(told);
    let uri = ["https://", head.host, head.target].concat();
    let body = SignableBody::Precomputed(hash(body));
    let request = SignableRequest::new(head.method.as_str(), uri, headers, body);
    let (instructions, _) =
        signed(request.map_err(|_| Unsignable)?, &params).map_err(|_| Unsignable)?.into_parts();
    instructions.headers().map(header).collect()
}

fn header((name, value): (&str, &str)) -> Result<(HeaderName, HeaderValue), Unsignable> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsignable)?;
    let mut value = HeaderValue::from_str(value).map_err(|_| Unsignable)?;
    value.set_sensitive(name != DATE);
    Ok((name, value))
}

/// SHA-256 in lowercase digits.
fn hash<'a>(body: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    body.into_iter().for_each(|piece| context.update(piece));
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    let digest = context.finish();
    digest.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// One segment of a path, such as a model's id or ARN: what is not unreserved (RFC 3986), percent-encoded.
#[must_use]
pub fn path_segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
            continue;
        }
        encoded.push('%');
        for nibble in [byte >> 4, byte & 15] {
            let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
            encoded.push(char::from(digit.to_ascii_uppercase()));
        }
    }
    encoded
}

/// The region that a host of Bedrock's names: `bedrock-runtime.REGION.amazonaws.com`, its FIPS and VPC
/// kin; `None`: another host, whose region must be told.
#[must_use]
pub fn region_of(host: &str) -> Option<&str> {
    let name = host.split(':').next().unwrap_or_default();
    let ours = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let inside = ours.into_iter().find_map(|ending| name.strip_suffix(ending))?;
    let mut labels = inside.split('.').skip_while(|label| !label.starts_with("bedrock-runtime"));
    labels.next()?;
    labels.next().filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_440_938_160; // 2015-08-30T12:36:00Z

    fn key(token: Option<&str>) -> AwsKey {
        AwsKey::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    }

    fn signature(head: &Head<'_>, token: Option<&str>) -> String {
        let headers = sign_for("service", head, [], &key(token), "us-east-1", NOW_S).unwrap();
        let of = |name: &str| headers.iter().find(|(known, _)| known == name).unwrap();
        let (_, authorization) = of("authorization");
        assert!(authorization.is_sensitive());
        assert_eq!(of("x-amz-date").1, "20150830T123600Z");
        assert_eq!(headers.len(), 2 + usize::from(token.is_some()));
        let text = authorization.to_str().unwrap();
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// AWS's own test suite for Signature Version 4 (aws-c-auth, `aws-signing-test-suite/v4`).
    #[test]
    fn published_vectors() {
        let none = HeaderValue::from_static("");
        let host = "example.amazonaws.com";
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let get = Head { method: &Method::GET, host, target: "/", content_type: &none };
        let post = Head { method: &Method::POST, ..get };
        for (what, head, token, expected) in [
            (
                "get-vanilla",
                get,
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-with-session-token",
                get,
                Some(token),
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
            (
                "post-vanilla",
                post,
                None,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "get-vanilla-query-order-encoded",
                Head { target: "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", ..get },
                None,
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
        ] {
            assert_eq!(signature(&head, token), expected, "{what}");
        }
    }

    /// Nothing of a key is shown, and what cannot be sent is refused without a panic.
    #[test]
    fn what_cannot_be_sent_is_refused() {
        assert_eq!(format!("{:?}", key(Some("token"))), "AwsKey(…)");
        let content_type = HeaderValue::from_static("application/json");
        let head =
            Head { method: &Method::POST, host: "h", target: "/", content_type: &content_type };
        for (head, region, key, now_s) in [
            (Head { host: "", ..head }, "r", key(None), NOW_S),
            (Head { host: "a b", ..head }, "r", key(None), NOW_S),
            (Head { target: "/a b", ..head }, "r", key(None), NOW_S),
            (head, "r\n", key(None), NOW_S),
            (head, "r", key(Some("a\nb")), NOW_S),
            (head, "r", AwsKey::new("a\nb", "c", None), NOW_S),
            (head, "r", key(None), u64::MAX),
        ] {
            let signed = sign(&head, [], &key, region, now_s);
            assert_eq!(signed.err(), Some(Unsignable), "{head:?} {region:?} {now_s}");
        }
    }

    #[test]
    fn hosts_name_their_region() {
        for (host, region) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", Some("us-gov-west-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("bedrock-runtime.eu-west-3.api.aws", Some("eu-west-3")),
            ("vpce-1-2.bedrock-runtime.eu-central-1.vpce.amazonaws.com", Some("eu-central-1")),
            ("bedrock-runtime.amazonaws.com", None),
            ("s3.us-east-1.amazonaws.com", None),
            ("bedrock-runtime.us-east-1.example.com", None),
            ("localhost:8080", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }
}

//! One question to a token endpoint, over the same connections, roots and egress proxies as calls.

use std::cell::Cell;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Limited};

use super::Trouble;
use crate::limits;
use crate::upstream::{Endpoint, Pieces, Pool, Trust};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A question.
pub(super) struct Ask<'a> {
    /// Absolute; without a query.
    pub(super) url: &'a str,
    /// What follows it.
    pub(super) target: &'a str,
    /// Beside host and content type.
    pub(super) headers: HeaderMap,
    /// A form to post; none: it is a `GET`.
    pub(super) form: Option<String>,
    /// Whether it is a service of the node itself.
    pub(super) trust: Trust,
}

impl<'a> Ask<'a> {
    /// A `GET` of a service of the node itself.
    pub(super) fn of_node(url: &'a str, target: &'a str) -> Self {
        Self { url, target, headers: HeaderMap::new(), form: None, trust: Trust::Node }
    }

    /// A form.
    pub(super) fn post(url: &'a str, target: &'a str, form: String) -> Self {
        Self { url, target, headers: HeaderMap::new(), form: Some(form), trust: Trust::System }
    }
}

/// An answer of any status.
pub(super) struct Told {
    pub(super) ok: bool,
    pub(super) body: Bytes,
}

/// One source's way to its token endpoints.
#[derive(Debug)]
pub(super) struct Http {
    pool: Rc<Pool>,
    date_s: Cell<Option<i64>>,
}

impl Http {
    pub(super) const fn over(pool: Rc<Pool>) -> Self {
        Self { pool, date_s: Cell::new(None) }
    }

    /// What time the last endpoint that answered said it was, Unix seconds.
    pub(super) fn date_s(&self) -> Option<i64> {
        self.date_s.get()
    }

    pub(super) fn forget_date(&self) {
        self.date_s.set(None);
    }

    /// Asks once; the caller bounds the time.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Told, Trouble> {
        let endpoint = Endpoint::parse(ask.url).map_err(|_| Trouble::NoIdentity)?;
        let endpoint = endpoint.trusting(ask.trust);
        let post = ask.form.is_some();
        let body = Pieces::new(ask.form.map(Bytes::from));
        let mut request = Request::new(body);
        *request.method_mut() = if post { Method::POST } else { Method::GET };
        *request.uri_mut() = endpoint.below(ask.target).ok_or(Trouble::NoIdentity)?;
        *request.headers_mut() = ask.headers;
        request.headers_mut().insert(HOST, endpoint.authority.clone());
        if post {
            request.headers_mut().entry(CONTENT_TYPE).or_insert(FORM);
        }
        let sent = self.pool.send(&endpoint.origin, request).await;
        let exchange = sent.map_err(|_| Trouble::Unreachable)?;
        let (head, body) = exchange.response.into_parts();
        self.date_s.set(date_of(&head.headers));
        let read = Limited::new(body, limits::TOKEN_ANSWER_BYTES).collect().await;
        let body = read.map_err(|_| Trouble::Unreachable)?.to_bytes();
        exchange.connection.recycle();
        if head.status.is_server_error() {
            return Err(Trouble::Unreachable);
        }
        Ok(Told { ok: head.status.is_success(), body })
    }
}

fn date_of(headers: &HeaderMap) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// `name=value&…`, percent-encoded.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A file that the cloud keeps new, such as a pod's token.
pub(super) fn token_in(path: &str) -> Result<String, Trouble> {
    let read = std::fs::read_to_string(path).map_err(|_| Trouble::NoIdentity)?;
    let token = read.trim();
    if token.is_empty() || token.len() > limits::KEY_BYTES {
        return Err(Trouble::NoIdentity);
    }
    Ok(token.to_owned())
}

/// A word of an error, and nothing that could be a key's.
pub(super) fn word(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c);
    text.chars().take_while(plain).take(limits::ECHO_CHARS).collect()
}

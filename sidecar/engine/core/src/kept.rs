//! What providers keep for their callers between calls: stored responses, conversations, files, batches.
//! Requests for it name no model, or not theirs; the mark on the id says who is asked (`pin`), and they
//! pass through, but for the marks.

use http::Method;
use hyper::body::Incoming;

use crate::pin::Account;
use crate::surface::Surface;

/// A request for something kept.
#[derive(Debug)]
pub struct Kept {
    /// Of which kind.
    pub surface: Surface,
    /// How it is asked for.
    pub method: Method,
    /// Below a provider's base URL, the query too, without marks.
    pub target: String,
    /// Who keeps it, by the ids in path and query; `None`: they do not say, or there are none yet.
    pub holder: Option<Account>,
    /// Ids in them are of two accounts.
    pub torn: bool,
    /// It asks for all that the account keeps.
    pub lists: bool,
    /// A body that passes as it comes.
    pub upload: Option<Incoming>,
}

/// The request's kind and target; `None`: nothing that we pass through.
#[must_use]
pub fn find(method: &Method, path: &str, query: Option<&str>) -> Option<Kept> {
    let below = path.strip_prefix("/v1/")?;
    let surface = surface(method.as_str(), below)?;
    let mut kept = Kept {
        surface,
        method: method.clone(),
        target: String::with_capacity(path.len() + 1),
        holder: None,
        torn: false,
        lists: method == Method::GET && !below.contains('/'),
        upload: None,
    };
    for segment in below.split('/') {
        kept.target.push('/');
        kept.push(segment);
    }
    for (place, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        kept.target.push_str(if place == 0 { "?" } else { "&" });
        kept.target.push_str(name);
        if !value.is_empty() {
            kept.target.push('=');
            kept.push(value);
        }
    }
    Some(kept)
}

impl Kept {
    fn push(&mut self, text: &str) {
        match Account::parted(text) {
            Some((own, account)) => {
                self.note(account);
                self.target.push_str(own);
            }
            None => self.target.push_str(text),
        }
    }

    /// It refers to what this account keeps.
    pub fn note(&mut self, account: Account) {
        self.torn |= self.holder.is_some_and(|holder| holder != account);
        self.holder = Some(account);
    }
}

/// What stands where, below `/v1/`.
fn surface(method: &str, below: &str) -> Option<Surface> {
    let mut segments = below.split('/');
    let family = segments.next()?;
    let rest: Vec<&str> = segments.collect();
    if !rest.iter().all(|segment| is_plain(segment)) {
        return None;
    }
    match (family, method, rest.as_slice()) {
        ("responses", "GET" | "DELETE", [_])
        | ("responses", "POST", [_, "cancel"])
        | ("responses", "GET", [_, "input_items"]) => Some(Surface::KeptResponses),
        ("conversations", "POST", [] | [_] | [_, "items"])
        | ("conversations", "GET", [_] | [_, "items"] | [_, "items", _])
        | ("conversations", "DELETE", [_] | [_, "items", _]) => Some(Surface::Conversations),
        ("files", "POST" | "GET", []) | ("files", "GET" | "DELETE", [_]) => Some(Surface::Files),
        ("files", "GET", [_, "content"]) => Some(Surface::Files),
        ("batches", "POST" | "GET", []) | ("batches", "GET", [_]) => Some(Surface::Batches),
        ("batches", "POST", [_, "cancel"]) => Some(Surface::Batches),
        _ => None,
    }
}

/// Whether a segment is an id or a word: nothing that a server behind could take for another path.
fn is_plain(segment: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks come off ids in path and query, and say whose they are; everything else stays.
    #[test]
    fn marks_come_off() {
        let of = |method, path, query| find(&method, path, query).unwrap();
        let kept = of(Method::GET, "/v1/responses/resp_a_pm7f3k2m1q", Some("include%5B%5D=x"));
        assert_eq!(kept.target, "/responses/resp_a?include%5B%5D=x");
        assert_eq!((kept.surface, kept.torn), (Surface::KeptResponses, false));
        assert_eq!(kept.holder, Account::parted("x_pm7f3k2m1q").map(|(_, account)| account));
        let kept = of(Method::GET, "/v1/files", Some("after=file-b_pm7f3k2m1q&limit=2"));
        assert_eq!(
            (kept.target.as_str(), kept.holder.is_some()),
            ("/files?after=file-b&limit=2", true)
        );
        assert!(kept.lists && !of(Method::GET, "/v1/files/file-b", None).lists);
        assert!(!of(Method::POST, "/v1/files", None).lists);
        let kept = of(Method::POST, "/v1/batches/batch_a/cancel", None);
        assert_eq!((kept.target.as_str(), kept.holder), ("/batches/batch_a/cancel", None));
        let two = of(Method::GET, "/v1/files/a_pm7f3k2m1q", Some("after=b_pm00000000"));
        assert!(two.torn);
    }

    /// Only what we know passes: no other path, no other method, and nothing that climbs.
    #[test]
    fn nothing_else_passes() {
        for (method, path) in [
            (Method::PUT, "/v1/files"),
            (Method::GET, "/v1/files/../models"),
            (Method::GET, "/v1/files//content"),
            (Method::GET, "/v1/files/%2e%2e"),
            (Method::GET, "/v1/files/a%2F..%2Forganization"),
            (Method::POST, "/v1/responses/a"),
            (Method::GET, "/v1/vector_stores"),
            (Method::GET, "/files"),
        ] {
            assert!(find(&method, path, None).is_none(), "{method} {path}");
        }
    }
}

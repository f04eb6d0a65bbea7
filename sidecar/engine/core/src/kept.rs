//! What providers keep for their callers between calls: stored responses, conversations, files, batches,
//! cached contents. Requests for it name no model, or not theirs; the mark on the id says who is asked
//! (`pin`), and they pass through, but for the marks.

mod ours;
mod sent;

use http::{HeaderMap, Method};
use hyper::body::Incoming;

pub use ours::{results_at_ours, upload_at_ours};
pub use sent::{Document, keeps_for};

use crate::headers::UPLOAD_COMMAND;
use crate::pin::Account;
use crate::surface::Surface;
use crate::wire::Dialect;

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
    /// It begins something that costs money by what it is, and not by what is asked of it later.
    pub begins: bool,
    /// Google's uploads have a path of their own, beside all others.
    pub uploads: bool,
    /// Where its caller found us.
    pub host: Option<String>,
    /// A body that passes as it comes.
    pub upload: Option<Incoming>,
}

/// The request's kind and target, in words of this dialect; `None`: nothing that we pass through.
#[must_use]
pub fn find(
    method: &Method,
    (path, query): (&str, Option<&str>),
    dialect: Dialect,
) -> Option<Kept> {
    let (below, uploads) = match dialect {
        Dialect::Gemini => {
            let (rest, uploads) =
                path.strip_prefix("/upload").map_or((path, false), |it| (it, true));
            (rest.strip_prefix("/v1beta/").or_else(|| rest.strip_prefix("/v1/"))?, uploads)
        }
        _ => (path.strip_prefix("/v1/")?, false),
    };
    let surface = surface(method.as_str(), below, dialect, uploads)?;
    let whole = matches!(below, "files" | "batches" | "messages/batches" | "cachedContents");
    let mut kept = Kept {
        surface,
        method: method.clone(),
        target: String::with_capacity(path.len() + 1),
        holder: None,
        torn: false,
        lists: method == Method::GET && whole,
        begins: match surface {
            Surface::Batches | Surface::MessageBatches => method == Method::POST && whole,
            Surface::CachedContents => matches!(*method, Method::POST | Method::PATCH),
            _ => false,
        },
        uploads,
        host: None,
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
    /// An id without its mark, and with the verb behind it, as Google writes one.
    fn push(&mut self, text: &str) {
        let (id, verb) = match text.find(':') {
            Some(at) if self.surface.dialect() == Dialect::Gemini => text.split_at(at),
            _ => (text, ""),
        };
        match Account::parted(id) {
            Some((own, account)) => {
                self.note(account);
                self.target.push_str(own);
            }
            None => self.target.push_str(id),
        }
        self.target.push_str(verb);
    }

    /// It refers to what this account keeps.
    pub fn note(&mut self, account: Account) {
        self.torn |= self.holder.is_some_and(|holder| holder != account);
        self.holder = Some(account);
    }

    /// Whether the body is a part of a file, whatever it says that it is.
    #[must_use]
    pub fn brings_bytes(&self, headers: &HeaderMap) -> bool {
        let command = headers.get(UPLOAD_COMMAND).and_then(|command| command.to_str().ok());
        self.uploads && command.is_some_and(|command| !command.trim().eq_ignore_ascii_case("start"))
    }
}

/// What stands where, below the version.
fn surface(method: &str, below: &str, dialect: Dialect, uploads: bool) -> Option<Surface> {
    let mut segments = below.split('/');
    let family = segments.next()?;
    let rest: Vec<&str> = segments.collect();
    if !rest.iter().all(|segment| is_plain(segment)) {
        return None;
    }
    match dialect {
        Dialect::Messages => of_anthropic(family, method, &rest),
        Dialect::Gemini if uploads => {
            ((family, method, rest.len()) == ("files", "POST", 0)).then_some(Surface::GeminiFiles)
        }
        Dialect::Gemini => of_google(family, method, &rest),
        _ => of_openai(family, method, &rest),
    }
}

fn of_openai(family: &str, method: &str, rest: &[&str]) -> Option<Surface> {
    match (family, method, rest) {
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

fn of_anthropic(family: &str, method: &str, rest: &[&str]) -> Option<Surface> {
    match (family, method, rest) {
        ("files", "POST" | "GET", [])
        | ("files", "GET" | "DELETE", [_])
        | ("files", "GET", [_, "content"]) => Some(Surface::MessageFiles),
        ("messages", "POST" | "GET", ["batches"])
        | ("messages", "GET" | "DELETE", ["batches", _])
        | ("messages", "POST", ["batches", _, "cancel"])
        | ("messages", "GET", ["batches", _, "results"]) => Some(Surface::MessageBatches),
        _ => None,
    }
}

fn of_google(family: &str, method: &str, rest: &[&str]) -> Option<Surface> {
    let verb = rest.first().and_then(|id| id.split_once(':')).map(|(_, verb)| verb);
    match (family, method, rest) {
        ("files", "GET", [_]) if verb == Some("download") => Some(Surface::GeminiFiles),
        _ if verb.is_some() => None,
        ("files", "GET", []) | ("files", "GET" | "DELETE", [_]) => Some(Surface::GeminiFiles),
        ("cachedContents", "POST" | "GET", [])
        | ("cachedContents", "GET" | "PATCH" | "DELETE", [_]) => Some(Surface::CachedContents),
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
        let of = |method, path, query| find(&method, (path, query), Dialect::Chat).unwrap();
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
        assert!(!kept.begins && of(Method::POST, "/v1/batches", None).begins);
        let two = of(Method::GET, "/v1/files/a_pm7f3k2m1q", Some("after=b_pm00000000"));
        assert!(two.torn);
    }

    /// The same path is another provider's in its own SDK's words; Google's ids have verbs behind them.
    #[test]
    fn each_provider_has_its_own() {
        let of = |method, path, dialect| find(&method, (path, None), dialect).unwrap();
        let file = of(Method::GET, "/v1/files/file_a_pm7f3k2m1q/content", Dialect::Messages);
        assert_eq!((file.surface, &*file.target), (Surface::MessageFiles, "/files/file_a/content"));
        let batch = of(
            Method::GET,
            "/v1/messages/batches/msgbatch_a_pm7f3k2m1q/results",
            Dialect::Messages,
        );
        assert_eq!(
            (batch.surface, &*batch.target),
            (Surface::MessageBatches, "/messages/batches/msgbatch_a/results")
        );
        assert!(batch.holder.is_some() && !batch.begins && !batch.lists);
        let batches = of(Method::POST, "/v1/messages/batches", Dialect::Messages);
        assert!(batches.begins && of(Method::GET, "/v1/messages/batches", Dialect::Messages).lists);
        let file = of(Method::GET, "/v1beta/files/a_pm7f3k2m1q:download", Dialect::Gemini);
        assert_eq!((&*file.target, file.holder.is_some()), ("/files/a:download", true));
        let upload = of(Method::POST, "/upload/v1/files", Dialect::Gemini);
        assert!(upload.uploads && upload.target == "/files" && !upload.begins);
        let cache = of(Method::PATCH, "/v1beta/cachedContents/a_pm7f3k2m1q", Dialect::Gemini);
        assert!(cache.begins && cache.surface == Surface::CachedContents);
        assert!(of(Method::GET, "/v1/cachedContents", Dialect::Gemini).lists);
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
            (Method::POST, "/v1beta/files/a:delete"),
            (Method::GET, "/v1beta/files/a:b:download"),
            (Method::POST, "/upload/v1beta/cachedContents"),
            (Method::POST, "/v1/messages/batches/a/results"),
            (Method::GET, "/v1/messages/other"),
        ] {
            for dialect in [Dialect::Chat, Dialect::Messages, Dialect::Gemini] {
                assert!(find(&method, (path, None), dialect).is_none(), "{method} {path}");
            }
        }
    }
}

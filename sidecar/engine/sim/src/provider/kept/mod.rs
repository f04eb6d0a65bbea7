//! What providers keep for their callers: files, batches, stored responses, cached contents. Each account,
//! as the key in the request tells it, sees its own alone. A batch is done when it is made; its calls are
//! on no bill.

mod anthropic;
mod google;
mod openai;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Whose ids these are: no test's own.
const OURS: &str = "sim";

/// Things that are kept at once: in long runs each answer of Responses is one.
const MOST: usize = 10_000;

/// Everything that is kept.
#[derive(Default)]
pub(crate) struct Shelf {
    things: Mutex<BTreeMap<String, Thing>>,
    made: AtomicU64,
}

/// One thing that is kept.
#[derive(Clone)]
struct Thing {
    account: String,
    /// As its provider describes it.
    about: Value,
    content: Bytes,
}

/// An answer about something kept.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Told {
    fn json(body: &Value) -> Self {
        Self::of(StatusCode::OK, body)
    }

    fn of(status: StatusCode, body: &Value) -> Self {
        let body = body.to_string().into();
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    fn bytes(content_type: &'static str, body: Bytes) -> Self {
        Self { status: StatusCode::OK, content_type, headers: Vec::new(), body }
    }
}

/// In whose words a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    OpenAi,
    Anthropic,
    Google,
}

impl Words {
    fn of(head: &Parts) -> Self {
        let path = head.uri.path();
        if head.headers.contains_key("anthropic-version") || path.contains("/messages/batches") {
            return Self::Anthropic;
        }
        let googles = ["/v1beta/", "/upload/"].iter().any(|it| path.contains(it));
        if googles || head.headers.contains_key("x-goog-api-key") {
            return Self::Google;
        }
        Self::OpenAi
    }

    fn missing(self, id: &str) -> Told {
        let message = format!("{id} does not exist, or is another account's.");
        let document = match self {
            Self::OpenAi => json!({"error": {"message": message, "type": "invalid_request_error",
                "param": "id", "code": null}}),
            Self::Anthropic => json!({"type": "error", "request_id": "req_sim",
                "error": {"type": "not_found_error", "message": message}}),
            Self::Google => {
                json!({"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})
            }
        };
        Told::of(StatusCode::NOT_FOUND, &document)
    }
}

/// A request for something kept.
struct Asked<'a> {
    head: &'a Parts,
    method: &'a str,
    /// The path's words below the version.
    path: Vec<&'a str>,
    body: &'a Bytes,
    account: String,
}

impl Asked<'_> {
    fn document(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.head.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

impl Shelf {
    /// Answers what is about something kept; `None`: it is about something else.
    pub(crate) fn answer(&self, head: &Parts, body: &Bytes) -> Option<Told> {
        let path = head.uri.path();
        let at = ["/v1beta/", "/v1/"].iter().find_map(|it| Some(path.find(it)? + it.len()))?;
        let asked = Asked {
            head,
            method: head.method.as_str(),
            path: path[at..].split('/').collect(),
            body,
            account: account(&head.headers),
        };
        match Words::of(head) {
            Words::OpenAi => openai::answer(self, &asked),
            Words::Anthropic => anthropic::answer(self, &asked),
            Words::Google => google::answer(self, &asked),
        }
    }

    /// What a call refers to and its account does not keep; of other ids than ours nothing is known.
    pub(crate) fn lacks(&self, head: &Parts, body: Option<&Value>) -> Option<Told> {
        if self.made.load(Ordering::Relaxed) == 0 {
            return None; // as almost always: no call need be looked through
        }
        let account = account(&head.headers);
        let mut referred = Vec::new();
        collect(body?, &mut referred);
        let things = self.things.lock();
        let kept = |id: &str| things.get(id).is_some_and(|thing| thing.account == account);
        let missing = referred.into_iter().find(|id| !kept(id))?;
        Some(Words::of(head).missing(missing))
    }

    /// Keeps an answer of Responses, as it does unless it is told not to.
    pub(crate) fn remember(&self, head: &Parts, body: Option<&Value>, answer: &[u8]) {
        let stores = body.is_some_and(|body| body["store"] != false);
        if stores {
            openai::remember(self, account(&head.headers), answer);
        }
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}{OURS}{:08}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn put(&self, id: &str, account: &str, about: Value, content: impl Into<Bytes>) {
        let thing = Thing { account: account.to_owned(), about, content: content.into() };
        let mut things = self.things.lock();
        if things.len() >= MOST {
            things.pop_first();
        }
        things.insert(id.to_owned(), thing);
    }

    fn get(&self, id: &str, account: &str) -> Option<Thing> {
        self.things.lock().get(id).filter(|thing| thing.account == account).cloned()
    }

    fn remove(&self, id: &str, account: &str) -> Option<Thing> {
        let mut things = self.things.lock();
        things.get(id).filter(|thing| thing.account == account)?;
        things.remove(id)
    }

    fn list(&self, prefix: &str, account: &str) -> Vec<Value> {
        let things = self.things.lock();
        let own = things.iter().filter(|(id, it)| id.starts_with(prefix) && it.account == account);
        own.map(|(_, thing)| thing.about.clone()).collect()
    }
}

/// The key that a request shows.
fn account(headers: &HeaderMap) -> String {
    let keys = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
    let shown = keys.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    shown.map(|key| key.trim_start_matches("Bearer ")).collect()
}

/// Ids of ours that a document refers to.
fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_str()) {
                    ("file_id" | "cachedContent" | "previous_response_id", Some(id)) => {
                        into.extend(Some(id).filter(|id| id.contains(OURS)));
                    }
                    ("fileUri", Some(uri)) => {
                        let id = uri.find("files/").map(|at| &uri[at..]);
                        into.extend(id.filter(|id| id.contains(OURS)));
                    }
                    _ => collect(value, into),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|one| collect(one, into)),
        _ => {}
    }
}

/// A form's file: its name, its type and its bytes; and a text field of the form.
fn uploaded(asked: &Asked<'_>) -> Option<(String, String, Bytes)> {
    let (_, boundary) = asked.header("content-type").split_once("boundary=")?;
    let boundary = format!("\r\n--{}", boundary.split(';').next()?.trim().trim_matches('"'));
    let whole: Bytes = [b"\r\n", asked.body.as_ref()].concat().into();
    let places: Vec<usize> = memchr::memmem::find_iter(&whole, boundary.as_bytes()).collect();
    places.windows(2).find_map(|pair| {
        let part = whole.slice(pair[0] + boundary.len() + 2..pair[1]);
        let end = memchr::memmem::find(&part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..end]).ok()?;
        let name = head.split_once("filename=\"")?.1.split('"').next()?.to_owned();
        let lower = head.to_ascii_lowercase();
        let kind = lower.split_once("content-type: ").map(|(_, rest)| rest);
        let kind = kind.and_then(|rest| rest.lines().next()).unwrap_or("application/octet-stream");
        Some((name, kind.to_owned(), part.slice(end + 4..)))
    })
}

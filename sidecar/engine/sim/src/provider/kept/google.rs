//! Google's files, uploaded in parts, and cached contents.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Shelf, Told, Words};

const ROOT: &str = "https://generativelanguage.googleapis.com";
const NOW: &str = "2026-11-23T12:00:00Z";
const LATER: &str = "2026-11-25T12:00:00Z";

pub(super) fn answer(shelf: &Shelf, asked: &Asked<'_>) -> Option<Told> {
    let account = asked.account.as_str();
    let (kind, rest) = asked.path.split_first()?;
    let prefix = match *kind {
        "files" => "files/",
        "cachedContents" => "cachedContents/",
        _ => return None,
    };
    let uploads = asked.head.uri.path().contains("/upload/");
    let missing = |id: &str| Words::Google.missing(id);
    Some(match (asked.method, rest) {
        ("POST", []) if uploads && asked.header("x-goog-upload-command") == "start" => {
            begin(shelf, asked)
        }
        ("POST", []) if uploads => part(shelf, asked),
        ("POST", []) if prefix == "cachedContents/" => cache(shelf, asked),
        ("GET", []) => Told::json(&json!({*kind: shelf.list(prefix, account)})),
        (method, [id]) => {
            let (id, verb) = id.split_once(':').unwrap_or((id, ""));
            let name = format!("{prefix}{id}");
            match (method, verb, shelf.get(&name, account)) {
                (_, _, None) => missing(&name),
                ("GET", "download", Some(thing)) => {
                    Told::bytes("application/octet-stream", thing.content)
                }
                ("GET", _, Some(thing)) => Told::json(&thing.about),
                ("DELETE", _, Some(_)) => {
                    shelf.remove(&name, account);
                    Told::json(&json!({}))
                }
                ("PATCH", _, Some(mut thing)) => {
                    thing.about["updateTime"] = json!(LATER);
                    shelf.put(&name, account, thing.about.clone(), thing.content);
                    Told::json(&thing.about)
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// An upload's own address; as the real one, elsewhere than where it was asked for.
fn begin(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let id = shelf.id("upload-");
    shelf.put(&id, &asked.account, asked.document()["file"].clone(), Bytes::new());
    let mut told = Told::json(&json!({}));
    let address = format!("{ROOT}/upload/v1beta/files?upload_id={id}&upload_protocol=resumable");
    told.headers.push(("x-goog-upload-url", address));
    told.headers.push(("x-goog-upload-status", "active".to_owned()));
    told
}

/// A part; the last makes the file.
fn part(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let id = asked.query("upload_id").unwrap_or_default();
    let Some(begun) = shelf.remove(id, &asked.account) else { return Words::Google.missing(id) };
    let content: Bytes = [begun.content, asked.body.clone()].concat().into();
    if !asked.header("x-goog-upload-command").contains("finalize") {
        shelf.put(id, &asked.account, begun.about, content);
        let mut told = Told::json(&json!({}));
        told.headers.push(("x-goog-upload-status", "active".to_owned()));
        return told;
    }
    let name = shelf.id("files/");
    let kind = begun.about["mimeType"].as_str().or(begun.about["mime_type"].as_str());
    let about = json!({"name": name, "uri": format!("{ROOT}/v1beta/{name}"), "state": "ACTIVE",
        "mimeType": kind.unwrap_or("application/octet-stream"), "sizeBytes": content.len().to_string(),
        "createTime": NOW, "updateTime": NOW, "expirationTime": LATER, "source": "UPLOADED"});
    shelf.put(&name, &asked.account, about.clone(), content);
    let mut told = Told::json(&json!({"file": about}));
    told.headers.push(("x-goog-upload-status", "final".to_owned()));
    told
}

fn cache(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let wanted = asked.document();
    let name = shelf.id("cachedContents/");
    let tokens = asked.body.len() / 4;
    let about = json!({"name": name, "model": wanted["model"], "displayName": wanted["displayName"],
        "createTime": NOW, "updateTime": NOW, "expireTime": LATER,
        "usageMetadata": {"totalTokenCount": tokens}});
    let about = about.as_object().cloned().unwrap_or_default();
    let about: Value = about.into_iter().filter(|(_, value)| !value.is_null()).collect();
    shelf.put(&name, &asked.account, about.clone(), Bytes::new());
    Told::json(&about)
}

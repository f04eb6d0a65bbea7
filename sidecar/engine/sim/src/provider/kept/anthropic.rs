//! Anthropic's files and message batches.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Shelf, Told, Words, uploaded};

const NOW: &str = "2026-11-23T12:00:00Z";
const LATER: &str = "2026-11-24T12:00:00Z";

pub(super) fn answer(shelf: &Shelf, asked: &Asked<'_>) -> Option<Told> {
    let account = asked.account.as_str();
    let missing = |id: &str| Words::Anthropic.missing(id);
    let told = |id: &str| shelf.get(id, account).map_or(missing(id), |it| Told::json(&it.about));
    let content = |id: &str, kind| match shelf.get(id, account) {
        Some(thing) => Told::bytes(kind, thing.content),
        None => missing(id),
    };
    let deleted = |id: &str, kind: &str| match shelf.remove(id, account) {
        Some(_) => Told::json(&json!({"id": id, "type": kind})),
        None => missing(id),
    };
    Some(match (asked.method, asked.path.as_slice()) {
        ("POST", ["files"]) => file(shelf, asked),
        ("GET", ["files"]) => list(&shelf.list("file_", account)),
        ("GET", ["files", id] | ["messages", "batches", id]) => told(id),
        ("GET", ["files", id, "content"]) => content(id, "application/octet-stream"),
        ("DELETE", ["files", id]) => deleted(id, "file_deleted"),
        ("POST", ["messages", "batches"]) => batch(shelf, asked),
        ("GET", ["messages", "batches"]) => list(&shelf.list("msgbatch_", account)),
        ("POST", ["messages", "batches", id, "cancel"]) => told(id),
        ("GET", ["messages", "batches", id, "results"]) => content(id, "application/x-jsonl"),
        ("DELETE", ["messages", "batches", id]) => deleted(id, "message_batch_deleted"),
        _ => return None,
    })
}

fn list(data: &[Value]) -> Told {
    let id = |one: Option<&Value>| one.map(|it| it["id"].clone());
    Told::json(&json!({"data": data, "has_more": false,
        "first_id": id(data.first()), "last_id": id(data.last())}))
}

fn file(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let Some((name, kind, content)) = uploaded(asked) else {
        return Words::Anthropic.missing("file");
    };
    let id = shelf.id("file_");
    let about = json!({"id": id, "type": "file", "filename": name, "mime_type": kind,
        "size_bytes": content.len(), "created_at": NOW, "downloadable": true});
    shelf.put(&id, &asked.account, about.clone(), content);
    Told::json(&about)
}

/// A batch has ended at once: each of its requests has an answer of one word.
fn batch(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let wanted = asked.document();
    let requests = wanted["requests"].as_array().cloned().unwrap_or_default();
    let answered = requests.iter().enumerate().map(|(place, request)| {
        let message = json!({"id": format!("msg_batch{place}"), "type": "message", "role": "assistant",
            "model": request["params"]["model"], "content": [{"type": "text", "text": "Done."}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 2, "service_tier": "batch"}});
        let result = json!({"type": "succeeded", "message": message});
        json!({"custom_id": request["custom_id"], "result": result})
    });
    let results = answered.map(|line| format!("{line}\n")).collect::<String>();
    let id = shelf.id("msgbatch_");
    let counts = json!({"processing": 0, "succeeded": requests.len(), "errored": 0, "canceled": 0, "expired": 0});
    let about = json!({"id": id, "type": "message_batch", "processing_status": "ended",
        "request_counts": counts, "created_at": NOW, "ended_at": NOW, "expires_at": LATER,
        "archived_at": null, "cancel_initiated_at": null,
        // As the real one: an address that no caller of a router's may follow.
        "results_url": format!("https://api.anthropic.com/v1/messages/batches/{id}/results")});
    shelf.put(&id, &asked.account, about.clone(), Bytes::from(results));
    Told::json(&about)
}

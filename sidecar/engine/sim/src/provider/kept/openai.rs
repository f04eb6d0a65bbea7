//! OpenAI's files, batches and stored responses.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, Shelf, Told, Words, uploaded};

const NOW: u64 = 1_795_000_000;

pub(super) fn answer(shelf: &Shelf, asked: &Asked<'_>) -> Option<Told> {
    let account = asked.account.as_str();
    let missing = |id: &str| Words::OpenAi.missing(id);
    let told = |id: &str| shelf.get(id, account).map_or(missing(id), |it| Told::json(&it.about));
    Some(match (asked.method, asked.path.as_slice()) {
        ("POST", ["files"]) => file(shelf, asked),
        ("GET", ["files"]) => list(&shelf.list("file-", account)),
        ("GET", ["files" | "batches" | "responses", id]) => told(id),
        ("DELETE", [kind @ ("files" | "responses"), id]) => match shelf.remove(id, account) {
            Some(_) => {
                Told::json(&json!({"id": id, "object": &kind[..kind.len() - 1], "deleted": true}))
            }
            None => missing(id),
        },
        ("GET", ["files", id, "content"]) => match shelf.get(id, account) {
            Some(thing) => Told::bytes("application/octet-stream", thing.content),
            None => missing(id),
        },
        ("POST", ["batches"]) => batch(shelf, asked),
        ("GET", ["batches"]) => list(&shelf.list("batch_", account)),
        ("POST", ["batches" | "responses", id, "cancel"]) => told(id),
        ("GET", ["responses", id, "input_items"]) => match shelf.get(id, account) {
            Some(_) => list(&[]),
            None => missing(id),
        },
        _ => return None,
    })
}

/// Keeps an answer: a document, or the last event of a stream.
pub(super) fn remember(shelf: &Shelf, account: String, answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let of_stream = || {
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data: "))?;
        serde_json::from_str::<Value>(last).ok()?.get("response").cloned()
    };
    let found = serde_json::from_str::<Value>(&text).ok().or_else(of_stream);
    if let Some(response) = found
        && let Some(id) = response["id"].as_str()
    {
        shelf.put(id, &account, response.clone(), Bytes::new());
    }
}

fn list(data: &[Value]) -> Told {
    let id = |one: Option<&Value>| one.map(|it| it["id"].clone());
    Told::json(&json!({"object": "list", "data": data, "has_more": false,
        "first_id": id(data.first()), "last_id": id(data.last())}))
}

fn file(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let Some((name, _, content)) = uploaded(asked) else { return Words::OpenAi.missing("file") };
    let id = shelf.id("file-");
    Told::json(&kept(shelf, asked, (&id, &name), content))
}

fn kept(shelf: &Shelf, asked: &Asked<'_>, (id, name): (&str, &str), content: Bytes) -> Value {
    let about = json!({"id": id, "object": "file", "bytes": content.len(), "created_at": NOW,
        "filename": name, "purpose": "batch", "status": "processed"});
    shelf.put(id, &asked.account, about.clone(), content);
    about
}

/// A batch is done at once: each of its lines has an answer of one word.
fn batch(shelf: &Shelf, asked: &Asked<'_>) -> Told {
    let wanted = asked.document();
    let input = wanted["input_file_id"].as_str().unwrap_or_default();
    let Some(file) = shelf.get(input, &asked.account) else { return Words::OpenAi.missing(input) };
    let lines: Vec<Value> = file
        .content
        .split(|byte| *byte == b'\n')
        .filter_map(|it| serde_json::from_slice(it).ok())
        .collect();
    let answered = lines.iter().enumerate().map(|(place, line)| {
        let message = json!({"role": "assistant", "content": "Done.", "refusal": null});
        let body = json!({"id": format!("chatcmpl-batch{place}"), "object": "chat.completion", "created": NOW,
            "model": line["body"]["model"], "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}});
        let response = json!({"status_code": 200, "request_id": "req_sim", "body": body});
        json!({"id": format!("batch_req_{place}"), "custom_id": line["custom_id"], "response": response, "error": null})
    });
    let output = answered.map(|line| format!("{line}\n")).collect::<String>();
    let result = shelf.id("file-");
    kept(shelf, asked, (&result, "output.jsonl"), output.into());
    let id = shelf.id("batch_");
    let about = json!({"id": id, "object": "batch", "endpoint": wanted["endpoint"], "errors": null,
        "input_file_id": input, "completion_window": "24h", "status": "completed", "output_file_id": result,
        "error_file_id": null, "created_at": NOW, "completed_at": NOW, "metadata": null,
        "request_counts": {"total": lines.len(), "completed": lines.len(), "failed": 0}});
    shelf.put(&id, &asked.account, about.clone(), Bytes::new());
    Told::json(&about)
}

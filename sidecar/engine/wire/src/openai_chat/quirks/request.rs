//! Requests.

use memchr::memmem;
use serde_json::{Map, Value};

use super::{Quirks, Spelling};
use crate::form::{Loss, Unreadable};
use crate::portable;

/// Members of OpenAI's that are nobody else's, and the same with what stands in messages.
const OTHERS: [&str; 18] = [
    "stream_options",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "user",
    "store",
    "service_tier",
    "modalities",
    "audio",
    "verbosity",
    "web_search_options",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "moderation",
    "functions",
    "function_call",
];
const IN_MESSAGES: [&str; 8] = [
    "name",
    "refusal",
    "audio",
    "annotations",
    "function_call",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
];
/// Characters of an id that Mistral takes.
const ID: usize = 9;
const CAPS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// Whether a request may have to be written otherwise: one without any of these words stays as it is.
#[must_use]
pub fn concerns(to: Spelling<'_>, body: &[u8]) -> bool {
    const WORDS: [(Quirks, &[u8]); 5] = [
        (Quirks::SYSTEM_ROLE, b"\"developer\""),
        (Quirks::RANDOM_SEED, b"\"seed\""),
        (Quirks::ANY_TOOL, b"\"required\""),
        (Quirks::SHORT_IDS, b"\"tool_call"),
        (Quirks::GROQ_TIERS, b"\"service_tier\""),
    ];
    let holds = |word: &[u8]| memmem::find(body, word).is_some();
    let member = |name: &&str| holds(format!("\"{name}\"").as_bytes());
    let others = || OTHERS.iter().chain(&IN_MESSAGES).any(member);
    let caps = || CAPS.iter().filter(|name| **name != to.cap_field).any(member);
    WORDS.iter().any(|(quirk, word)| to.quirks.any(*quirk) && holds(word))
        || (to.quirks.any(Quirks::NO_OTHERS) && others())
        || (to.quirks.any(Quirks::ONE_CAP) && caps())
}

/// A request's body as the target takes it, and what had no place in it.
///
/// # Errors
/// It is no JSON object.
pub fn reworked(to: Spelling<'_>, body: &[u8]) -> Result<(Vec<u8>, Vec<Loss>), Unreadable> {
    let mut document = portable::document(body)?;
    let mut losses = Vec::new();
    match document.as_object_mut() {
        Some(members) => rework(to, members, &mut losses),
        None => return Err(crate::json::unreadable("body", "an object")),
    }
    Ok((document.to_string().into_bytes(), losses))
}

/// The same of a document.
pub fn rework(to: Spelling<'_>, body: &mut Map<String, Value>, losses: &mut Vec<Loss>) {
    let has = |quirk| to.quirks.any(quirk);
    if has(Quirks::ONE_CAP) {
        one_cap(to.cap_field, body);
    }
    if has(Quirks::RANDOM_SEED)
        && let Some(seed) = body.shift_remove("seed").filter(|seed| !seed.is_null())
    {
        body.entry("random_seed").or_insert(seed);
    }
    if has(Quirks::ANY_TOOL) && body.get("tool_choice").is_some_and(|choice| choice == "required") {
        body.insert("tool_choice".to_owned(), "any".into());
    }
    if has(Quirks::GROQ_TIERS) {
        groq_tier(body);
    }
    if has(Quirks::NO_OTHERS) {
        for name in OTHERS {
            lose(body, name, "", losses);
        }
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    for (place, message) in messages.into_iter().flatten().enumerate() {
        if let Some(message) = message.as_object_mut() {
            rework_message(to.quirks, place, message, losses);
        }
    }
}

/// The first of the spellings that is there counts, as it does where we read them.
fn one_cap(own: &str, body: &mut Map<String, Value>) {
    let mut cap = None;
    for name in CAPS.iter().filter(|name| body.contains_key(**name)).collect::<Vec<_>>() {
        let told = if *name == own { body.get(own).cloned() } else { body.shift_remove(*name) };
        cap = cap.or(told.filter(|told| !told.is_null()));
    }
    if let Some(cap) = cap {
        body.insert(own.to_owned(), cap);
    }
}

fn groq_tier(body: &mut Map<String, Value>) {
    let groqs = match body.get("service_tier").and_then(Value::as_str) {
        Some("default") => "on_demand",
        Some("priority" | "fast") => "performance",
        _ => return,
    };
    body.insert("service_tier".to_owned(), groqs.into());
}

fn rework_message(
    quirks: Quirks,
    place: usize,
    message: &mut Map<String, Value>,
    losses: &mut Vec<Loss>,
) {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    let of_tool = role == "tool";
    if quirks.any(Quirks::SYSTEM_ROLE) && role == "developer" {
        message.insert("role".to_owned(), "system".into());
    }
    if quirks.any(Quirks::NO_OTHERS) {
        let path = format!("messages[{place}].");
        for name in IN_MESSAGES.iter().filter(|name| !(of_tool && **name == "name")) {
            lose(message, name, &path, losses);
        }
        if message.get("tool_calls").is_some_and(Value::is_null) {
            message.shift_remove("tool_calls");
        }
    }
    if quirks.any(Quirks::SHORT_IDS) {
        message.get_mut("tool_call_id").map(shorten);
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        calls.into_iter().flatten().filter_map(|call| call.get_mut("id")).for_each(shorten);
    }
}

/// Takes a member out; one that says something is a loss.
fn lose(members: &mut Map<String, Value>, name: &str, path: &str, losses: &mut Vec<Loss>) {
    let Some(gone) = members.shift_remove(name) else { return };
    let says = match &gone {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        // Usage comes all the same.
        _ => name != "stream_options",
    };
    if says {
        Loss::note(losses, &format!("{path}{name}"));
    }
}

/// An id that the target takes, the same wherever the other one stands; its own ids stay.
fn shorten(id: &mut Value) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Value::String(text) = id else { return };
    if text.len() == ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return;
    }
    // FNV-1a: short and the same in every release, so that prompts' caches hold.
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let mut rest = text.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    text.clear();
    for _ in 0..ID {
        text.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
}

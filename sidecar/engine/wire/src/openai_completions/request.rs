//! The request.

use serde_json::{Map, Value, json};

use crate::form::{
    Cannot, Conversation, Dialect, Format, Loss, Part, Payload, Role, Settings, Turn, Unreadable,
    Written,
};
use crate::json::{self, Members};
use crate::openai_chat::sampling;

/// Tokens of an answer that is not capped.
const CAP: u64 = 16;

/// Reads a request.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let mut members = json::parse(body)?;
    let mut conversation = Conversation {
        origin: Some(Dialect::OpenAiCompletions),
        model: members.required_text("model")?,
        stream: members.flag("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    if let Some(mut options) = members.object("stream_options")? {
        conversation.stream_usage = options.flag("include_usage")?.unwrap_or(false);
    }
    if let Some(text) = read_prompt(&mut members)? {
        conversation.turns.push(Turn { role: Role::User, parts: vec![Part::text(text)] });
    }
    conversation.settings = read_settings(&mut members)?;
    for bound in ["prompt", "suffix", "echo"] {
        if members.has(bound) {
            conversation.state.push(bound.to_owned());
        }
    }
    conversation.extra = members.rest();
    Ok(conversation)
}

/// The prompt, if it is one text; what is no text stays where it is. What asks for nothing is taken.
fn read_prompt(members: &mut Members) -> Result<Option<String>, Unreadable> {
    if members.flag("echo")? == Some(true) {
        members.put_back("echo", true.into());
    }
    if let Some(suffix) = members.text("suffix")?.filter(|suffix| !suffix.is_empty()) {
        members.put_back("suffix", suffix.into());
    }
    if let Some(best_of) = members.count("best_of")?.filter(|best_of| *best_of > 1) {
        members.put_back("best_of", best_of.into());
    }
    match members.take("prompt") {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(list)) => match <[Value; 1]>::try_from(list) {
            Ok([Value::String(text)]) => Ok(Some(text)),
            Ok(one) => kept(members, one.to_vec()),
            Err(list) => kept(members, list),
        },
        _ => Err(members.wrong("prompt", "a string, or an array of strings or tokens")),
    }
}

fn kept(members: &mut Members, prompts: Vec<Value>) -> Result<Option<String>, Unreadable> {
    let fits = |prompt: &Value| prompt.is_string() || prompt.is_u64() || prompt.is_array();
    if prompts.is_empty() || !prompts.iter().all(fits) {
        return Err(members.wrong("prompt", "a string, or an array of strings or tokens"));
    }
    members.put_back("prompt", prompts.into());
    Ok(None)
}

fn read_settings(members: &mut Members) -> Result<Settings, Unreadable> {
    let most = members.count("logprobs")?;
    Ok(Settings {
        max_output: Some(members.count("max_tokens")?.unwrap_or(CAP)),
        logprobs: most.map(|_| true),
        top_logprobs: most,
        ..sampling::read(members)?
    })
}

/// Writes a request. A stream always asks for its usage.
///
/// # Errors
/// It is more than one text of the user's.
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    let own = conversation.origin == Some(Dialect::OpenAiCompletions);
    let mut losses = if own { conversation.lost.clone() } else { conversation.begin_losses()? };
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    if !(own && conversation.extra.contains_key("prompt")) {
        body.insert("prompt".into(), prompt(conversation, &mut losses)?.into());
    }
    refuse(conversation)?;
    write_settings(&conversation.settings, own, &mut body, &mut losses);
    if conversation.stream {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if own {
        body.extend(conversation.extra.clone());
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), losses })
}

fn prompt(conversation: &Conversation, losses: &mut Vec<Loss>) -> Result<String, Cannot> {
    let why = "is more than one text of the user's, and this model only completes a text; send one \
               message, or name a model that chats";
    let [Turn { role: Role::User, parts }] = conversation.turns.as_slice() else {
        return Err(Cannot { path: "messages".into(), why });
    };
    let mut prompt = String::new();
    for part in parts {
        let Payload::Text(text) = &part.payload else {
            return Err(Cannot { path: "messages[0]".into(), why });
        };
        prompt.push_str(text);
        if part.cache.is_some() {
            Loss::note(losses, "cache_control");
        }
    }
    Ok(prompt)
}

fn refuse(conversation: &Conversation) -> Result<(), Cannot> {
    let why = "is more than a model that only completes a text can do; leave it out, or name a model \
               that chats";
    let settings = &conversation.settings;
    let asked = [
        ("tools", !conversation.tools.is_empty()),
        ("response_format", settings.format != Format::Text),
        ("modalities", settings.modalities.iter().any(|modality| modality != "text")),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((path, _)) => Err(Cannot { path: path.into(), why }),
        None => Ok(()),
    }
}

fn write_settings(
    settings: &Settings,
    own: bool,
    body: &mut Map<String, Value>,
    losses: &mut Vec<Loss>,
) {
    sampling::write(settings, "max_tokens", body);
    let logprobs = settings.logprobs == Some(true);
    if own && logprobs {
        sampling::set(body, "logprobs", Some(settings.top_logprobs.unwrap_or(0)));
    }
    let lost = [
        ("top_k", settings.top_k.is_some()),
        ("logprobs", logprobs && !own), // no answer of the form brings them back
        ("reasoning_effort", settings.reasoning.is_some()),
        ("verbosity", settings.verbosity.is_some()),
        ("metadata", !settings.metadata.is_empty()),
        ("service_tier", settings.service_tier.is_some()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, lost)| *lost) {
        Loss::note(losses, name);
    }
}

//! One element of `messages`.

use serde_json::{Map, Value, json};

use super::marks::without_signature;
use super::tools;
use crate::form::{
    Cannot, Conversation, Loss, Media, MediaKind, Part, Payload, Role, Source, Thinking,
    ToolResult, Turn, Unreadable,
};
use crate::json::Members;

/// Reads a message into the last of `turns` (results of tools that follow one another are one turn) or a
/// new one.
pub(super) fn read(
    mut message: Members,
    conversation: &mut Conversation,
) -> Result<(), Unreadable> {
    let role = match message.required_text("role")?.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => return read_result(message, conversation),
        _ => return Err(message.wrong("role", "developer, system, user, assistant or tool")),
    };
    let mut parts = Vec::new();
    if role == Role::Assistant {
        parts.extend(read_reasoning(&mut message)?);
    }
    read_content(&mut message, &mut parts)?;
    if role == Role::Assistant {
        if let Some(refusal) = message.text("refusal")? {
            parts.push(Payload::Refusal(refusal).into());
        }
        for call in message.objects("tool_calls")?.unwrap_or_default() {
            parts.push(Payload::Call(tools::read_call(call)?).into());
        }
        if let Some(value) = message.take("audio") {
            parts.push(Payload::Foreign { kind: "audio".into(), value }.into());
        }
        if message.has("function_call") {
            return Err(message.wrong("function_call", "absent: it is deprecated, use tool_calls"));
        }
    }
    lose_rest(message, conversation);
    conversation.turns.push(Turn { role, parts });
    Ok(())
}

fn lose_rest(mut message: Members, conversation: &mut Conversation) {
    let _ = (message.take("annotations"), message.take("function_call"));
    let path = message.at("");
    for name in message.rest().keys() {
        Loss::note(&mut conversation.lost, &format!("{path}{name}"));
    }
}

/// DeepSeek's and vLLM's spelling; what a provider reasoned is no other provider's business, so a writer of
/// another dialect drops it.
pub(super) fn read_reasoning(message: &mut Members) -> Result<Option<Part>, Unreadable> {
    let (one, other) = (message.text("reasoning_content")?, message.text("reasoning")?);
    let text = one.or(other).filter(|text| !text.is_empty());
    Ok(text.map(|text| Payload::Thinking(Thinking { text, ..Thinking::default() }).into()))
}

fn read_result(mut message: Members, conversation: &mut Conversation) -> Result<(), Unreadable> {
    let (id, _) = without_signature(message.required_text("tool_call_id")?);
    let name = conversation.tool_of(&id).map(str::to_owned).or(message.text("name")?);
    let mut parts = Vec::new();
    read_content(&mut message, &mut parts)?;
    lose_rest(message, conversation);
    let result: Part = Payload::Result(ToolResult { id, name, parts, failed: false }).into();
    let of_results = |part: &Part| matches!(part.payload, Payload::Result(_));
    match conversation.turns.last_mut() {
        Some(turn) if turn.role == Role::User && turn.parts.iter().all(of_results) => {
            turn.parts.push(result);
        }
        _ => conversation.turns.push(Turn { role: Role::User, parts: vec![result] }),
    }
    Ok(())
}

/// `content`: text, or a list of parts (Mistral's answers too).
pub(super) fn read_content(message: &mut Members, into: &mut Vec<Part>) -> Result<(), Unreadable> {
    let path = message.at("content");
    match message.take("content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => into.push(Part::text(text)),
        Some(Value::Array(list)) => {
            for (place, value) in list.into_iter().enumerate() {
                let part = Members::of(value, format!("{path}[{place}]"))?;
                into.extend(read_part(part)?);
            }
        }
        Some(_) => return Err(message.wrong("content", "a string or an array of parts")),
    }
    Ok(())
}

fn read_part(mut part: Members) -> Result<Option<Part>, Unreadable> {
    let whole = part.clone();
    let kind = part.required_text("type")?;
    let cache = part.take("prompt_cache_breakpoint").map(|_| String::new());
    let payload = match kind.as_str() {
        "text" | "input_text" | "output_text" => Payload::Text(part.required_text("text")?),
        "refusal" => Payload::Refusal(part.required_text("refusal")?),
        "image_url" => Payload::Media(read_image(part)?),
        "input_audio" => Payload::Media(read_audio(part)?),
        "file" => Payload::Media(read_file(part)?),
        "thinking" => Payload::Thinking(Thinking { text: joined(part)?, ..Thinking::default() }),
        _ => Payload::Foreign { kind, value: whole.into_value() },
    };
    Ok(Some(Part { payload, cache }))
}

/// Mistral: `{"type": "thinking", "thinking": [{"type": "text", "text": "…"}]}`.
fn joined(mut part: Members) -> Result<String, Unreadable> {
    let mut text = String::new();
    for mut piece in part.objects("thinking")?.unwrap_or_default() {
        text.push_str(&piece.text("text")?.unwrap_or_default());
    }
    Ok(text)
}

fn read_image(mut part: Members) -> Result<Media, Unreadable> {
    let wrong = part.wrong("image_url", "an object with url");
    let mut image = part.object("image_url")?.ok_or(wrong)?;
    let source = source(image.required_text("url")?);
    let detail = image.text("detail")?.filter(|detail| detail != "auto");
    Ok(Media { kind: MediaKind::Image, source, name: None, detail })
}

fn read_audio(mut part: Members) -> Result<Media, Unreadable> {
    let wrong = part.wrong("input_audio", "an object with data and format");
    let mut audio = part.object("input_audio")?.ok_or(wrong)?;
    let data = audio.required_text("data")?;
    let media_type = format!("audio/{}", audio.required_text("format")?);
    let source = Source::Inline { media_type, data };
    Ok(Media { kind: MediaKind::Audio, source, name: None, detail: None })
}

fn read_file(mut part: Members) -> Result<Media, Unreadable> {
    let wrong = part.wrong("file", "an object with file_id or file_data");
    let mut file = part.object("file")?.ok_or_else(|| wrong.clone())?;
    let name = file.text("filename")?;
    let source = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => source(data),
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(wrong),
    };
    Ok(Media { kind: MediaKind::Document, source, name, detail: None })
}

/// A `data:` URL's content, or the URL.
pub(crate) fn source(url: String) -> Source {
    let inline = url.strip_prefix("data:").and_then(|rest| {
        let (media_type, data) = rest.split_once(";base64,")?;
        Some(Source::Inline { media_type: media_type.to_owned(), data: data.to_owned() })
    });
    inline.unwrap_or(Source::Url(url))
}

/// Appends a turn's messages; `thoughts_back`: unsigned thoughts before a call are the upstream's own, and
/// it wants them back.
pub(super) fn write(
    (place, turn): (usize, &Turn),
    thoughts_back: bool,
    messages: &mut Vec<Value>,
    losses: &mut Vec<Loss>,
) -> Result<(), Cannot> {
    let path = format!("messages[{place}]");
    match turn.role {
        Role::System => {
            let mut content = Vec::with_capacity(turn.parts.len());
            write_parts(&turn.parts, &path, &mut content, losses)?;
            messages.push(json!({"role": "system", "content": flattened(content)}));
        }
        Role::User => write_user(turn, &path, messages, losses)?,
        Role::Assistant => messages.push(write_assistant(turn, thoughts_back, &path, losses)?),
    }
    Ok(())
}

/// Results become messages of their own, before what the user says beside them; their images, which a
/// `tool` message cannot hold, follow as the user's.
fn write_user(
    turn: &Turn,
    path: &str,
    messages: &mut Vec<Value>,
    losses: &mut Vec<Loss>,
) -> Result<(), Cannot> {
    let mut beside = Vec::new();
    for part in &turn.parts {
        let Payload::Result(result) = &part.payload else { continue };
        if part.cache.is_some() {
            Loss::note(losses, "cache_control");
        }
        if result.failed {
            Loss::note(losses, "is_error");
        }
        let is_media = |part: &&Part| matches!(part.payload, Payload::Media(_));
        let (media, said): (Vec<_>, Vec<_>) = result.parts.iter().partition(is_media);
        let said: Vec<Part> = said.into_iter().cloned().collect();
        let media: Vec<Part> = media.into_iter().cloned().collect();
        let mut content = Vec::with_capacity(said.len());
        write_parts(&said, path, &mut content, losses)?;
        let content = flattened(content);
        messages.push(json!({"role": "tool", "tool_call_id": result.id, "content": content}));
        write_parts(&media, path, &mut beside, losses)?;
    }
    let said: Vec<Part> = turn.parts.iter().filter(|part| !is_result(part)).cloned().collect();
    write_parts(&said, path, &mut beside, losses)?;
    if !beside.is_empty() || !turn.parts.iter().any(is_result) {
        messages.push(json!({"role": "user", "content": flattened(beside)}));
    }
    Ok(())
}

const fn is_result(part: &Part) -> bool {
    matches!(part.payload, Payload::Result(_))
}

fn write_assistant(
    turn: &Turn,
    thoughts_back: bool,
    path: &str,
    losses: &mut Vec<Loss>,
) -> Result<Value, Cannot> {
    let (mut content, mut calls, mut refusal) = (Vec::new(), Vec::new(), None::<String>);
    let mut thoughts = None::<String>;
    let is_call = |part: &Part| matches!(part.payload, Payload::Call(_));
    let thoughts_back = thoughts_back && turn.parts.iter().any(is_call);
    for part in &turn.parts {
        match &part.payload {
            Payload::Call(call) => {
                if call.signature.is_some() {
                    Loss::note(losses, "thinking");
                }
                calls.push(tools::write_unsigned(call));
            }
            Payload::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            Payload::Thinking(thinking)
                if thoughts_back && thinking.signature.as_ref().is_none_or(String::is_empty) =>
            {
                thoughts.get_or_insert_default().push_str(&thinking.text);
            }
            // Another provider's reasoning is worth nothing here, and signed for another key.
            Payload::Thinking(_) => Loss::note(losses, "thinking"),
            _ => write_parts(std::slice::from_ref(part), path, &mut content, losses)?,
        }
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let silent = content.is_empty() && (!calls.is_empty() || refusal.is_some());
    message.insert("content".into(), if silent { Value::Null } else { flattened(content) });
    if let Some(refusal) = refusal {
        message.insert("refusal".into(), refusal.into());
    }
    if let Some(thoughts) = thoughts {
        message.insert("reasoning_content".into(), thoughts.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    Ok(message.into())
}

fn write_parts(
    parts: &[Part],
    path: &str,
    into: &mut Vec<Value>,
    losses: &mut Vec<Loss>,
) -> Result<(), Cannot> {
    for part in parts {
        if part.cache.is_some() {
            // OpenAI's cache needs no marks.
            Loss::note(losses, "cache_control");
        }
        match &part.payload {
            Payload::Text(text) => into.push(json!({"type": "text", "text": text})),
            Payload::Refusal(text) => into.push(json!({"type": "text", "text": text})),
            Payload::Media(media) => into.push(write_media(media, path)?),
            Payload::Thinking(_) => Loss::note(losses, "thinking"),
            Payload::Call(_) | Payload::Result(_) => {
                let why = "is a tool call or result in a turn that cannot hold one; put it where it belongs";
                return Err(Cannot { path: path.to_owned(), why });
            }
            Payload::Foreign { .. } => {
                let why = "holds a part that only its own provider knows; leave it out, or name a model of that provider";
                return Err(Cannot { path: path.to_owned(), why });
            }
        }
    }
    Ok(())
}

fn write_media(media: &Media, path: &str) -> Result<Value, Cannot> {
    let cannot = |why| Cannot { path: path.to_owned(), why };
    let data_url = |media_type: &str, data: &str| format!("data:{media_type};base64,{data}");
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Inline { media_type, data }) => {
            Ok(image(&data_url(media_type, data), media.detail.as_deref()))
        }
        (MediaKind::Image, Source::Url(url)) => Ok(image(url, media.detail.as_deref())),
        (MediaKind::Audio, Source::Inline { media_type, data }) => {
            let format = media_type.rsplit('/').next().unwrap_or_default();
            let format = if format == "mpeg" { "mp3" } else { format };
            Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        (MediaKind::Document, Source::Inline { media_type, data }) => {
            let name = media.name.as_deref().unwrap_or("document");
            let data = data_url(media_type, data);
            Ok(json!({"type": "file", "file": {"filename": name, "file_data": data}}))
        }
        (MediaKind::Document, Source::Text(text)) => Ok(json!({"type": "text", "text": text})),
        (_, Source::File(_)) => Err(cannot(
            "is a file stored at one provider; send its content, or name a model of that provider",
        )),
        (MediaKind::Video, _) => Err(cannot("is a video, which this model's format cannot carry")),
        _ => {
            Err(cannot("is an address that this model's provider does not fetch; send its content"))
        }
    }
}

fn image(url: &str, detail: Option<&str>) -> Value {
    match detail {
        None => json!({"type": "image_url", "image_url": {"url": url}}),
        Some(detail) => json!({"type": "image_url", "image_url": {"url": url, "detail": detail}}),
    }
}

/// One text is a string, as all servers take it; else the list.
fn flattened(mut parts: Vec<Value>) -> Value {
    let all_text = parts.iter().all(|part| part["type"] == "text");
    match parts.as_mut_slice() {
        [] => "".into(),
        [one] if all_text => one["text"].take(),
        _ => parts.into(),
    }
}

//! The request.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::body::{Content, Piece};
use super::super::part;
use super::super::spelling::{count, object, objects, parse};
use crate::form::{Cannot, Dialect, EmbeddingInput, EmbeddingRequest, Loss, Unreadable, Written};
use crate::json::{Members, written};

/// Reads the body of either call; the caller sets `model`, which stands in the path.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<EmbeddingRequest, Unreadable> {
    let mut members = parse(body)?;
    let mut request =
        EmbeddingRequest { origin: Some(Dialect::Gemini), ..EmbeddingRequest::default() };
    match objects(&mut members, "requests")? {
        None => {
            request.single = true;
            read_one(members, true, &mut request)?;
        }
        Some(requests) => {
            let wrong = members.wrong("requests", "an array of at least one request");
            for (place, one) in requests.into_iter().enumerate() {
                read_one(one, place == 0, &mut request)?;
            }
            request.extra.append(&mut members.rest());
            if request.inputs.is_empty() {
                return Err(wrong);
            }
        }
    }
    Ok(request)
}

/// Settings may stand at each request; no other provider can tell them apart, so they must agree.
fn read_one(
    mut one: Members,
    first: bool,
    request: &mut EmbeddingRequest,
) -> Result<(), Unreadable> {
    let wrong = one.wrong("content", "an object with parts");
    let content = object(&mut one, "content")?.ok_or(wrong)?;
    request.inputs.push(EmbeddingInput::Text(read_text(content)?));
    if let Some(model) = one.text("model")? {
        request.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    }
    let dimensions = count(&mut one, "outputDimensionality")?;
    if !first && dimensions != request.dimensions {
        return Err(one.wrong("outputDimensionality", "the same in all requests"));
    }
    request.dimensions = dimensions;
    let path = one.at("");
    for (name, value) in one.rest() {
        if first {
            request.extra.insert(name, value);
        } else if request.extra.get(&name) != Some(&value) {
            Loss::note(&mut request.lost, &format!("{path}{name}"));
        }
    }
    Ok(())
}

/// A content is embedded as a whole.
fn read_text(mut content: Members) -> Result<String, Unreadable> {
    let wrong = content.wrong("parts", "texts where the model's provider is not Google");
    let mut whole = String::new();
    for member in objects(&mut content, "parts")?.unwrap_or_default() {
        let part::Content::Text(text) = part::read(member)?.content else { return Err(wrong) };
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(&text);
    }
    Ok(whole)
}

/// The body of `:batchEmbedContents` with another model in each of its requests, which Google demands
/// to be the path's; everything else stays.
///
/// # Errors
/// It is no JSON object.
pub fn rename(body: &[u8], model: &str) -> Result<Vec<u8>, Unreadable> {
    let mut body: Value = serde_json::from_slice(body)
        .map_err(|error| Unreadable { path: "body".to_owned(), why: error.to_string() })?;
    let named = format!("models/{}", model.strip_prefix("models/").unwrap_or(model));
    let requests = body.get_mut("requests").and_then(Value::as_array_mut);
    for request in requests.into_iter().flatten().filter_map(Value::as_object_mut) {
        request.insert("model".to_owned(), named.as_str().into());
    }
    Ok(written(&body))
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    requests: Vec<One<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
    #[serde(flatten)]
    more: BTreeMap<&'a str, &'a Value>,
}

/// Writes the body of `:batchEmbedContents`.
///
/// # Errors
/// It holds tokens, which are another model's.
pub fn write(request: &EmbeddingRequest, model: &str) -> Result<Written, Cannot> {
    let own = request.origin == Some(Dialect::Gemini);
    let mut losses = request.lost.clone();
    if !own {
        request.extra.keys().for_each(|name| Loss::note(&mut losses, name));
    }
    if request.user.is_some() {
        Loss::note(&mut losses, "user");
    }
    let named = format!("models/{}", model.strip_prefix("models/").unwrap_or(model));
    let mut requests = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let EmbeddingInput::Text(text) = input else {
            let why = "holds tokens of another provider's models; send texts";
            return Err(Cannot { path: "input".into(), why });
        };
        let members = request.extra.iter().filter(|_| own);
        requests.push(One {
            model: &named,
            content: Content { parts: vec![Piece::text(text)], role: None },
            output_dimensionality: request.dimensions,
            more: members.map(|(name, value)| (name.as_str(), value)).collect(),
        });
    }
    Ok(Written { body: written(&Body { requests }), losses })
}

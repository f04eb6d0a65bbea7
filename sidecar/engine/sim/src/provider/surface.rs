//! Which provider's call a path is. A prefix before the well-known part is allowed, so that one
//! simulator can stand behind any base URL.

use http::request::Parts;
use http::{HeaderMap, Method};

use super::anthropic::Anthropic;
use super::converse::Converse;
use super::dialect::Dialect;
use super::gemini::Gemini;
use super::openai::azure::Azure;
use super::openai::chat::Chat;
use super::openai::completions::Completions;
use super::openai::media::Media;
use super::responses::Responses;

static AZURE_CHAT: Azure = Azure { inner: &Chat, versioned: false, filtered: true };
static AZURE_TEXT: Azure = Azure { inner: &Completions, versioned: false, filtered: true };
static AZURE_EMBEDDINGS: Azure = Azure { inner: &Chat, versioned: false, filtered: false };
static DEPLOYED_CHAT: Azure = Azure { inner: &Chat, versioned: true, filtered: true };
static DEPLOYED_TEXT: Azure = Azure { inner: &Completions, versioned: true, filtered: true };
static DEPLOYED_EMBEDDINGS: Azure = Azure { inner: &Chat, versioned: true, filtered: false };

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An answer; the body says whether it is streamed.
    Answer,
    /// An answer whose path says that it is streamed.
    Stream,
    /// A count of tokens.
    Count,
    /// Embeddings.
    Embed,
    /// Sound or images.
    Media(Media),
    /// The list of models.
    Models,
    /// Nothing that this provider knows.
    Nothing,
}

/// A path's meaning.
pub(crate) struct Surface {
    /// The dialect spoken on it.
    pub(crate) dialect: &'static dyn Dialect,
    /// The call.
    pub(crate) operation: Operation,
    /// The model, where the path names it.
    pub(crate) model: Option<String>,
}

impl Surface {
    /// Finds the call of a request.
    pub(crate) fn of(head: &Parts) -> Self {
        let path = head.uri.path();
        if head.method == Method::GET {
            return listing(path, &head.headers);
        }
        let query = head.uri.query().unwrap_or_default();
        let known = (head.method == Method::POST).then(|| posted(path, query)).flatten();
        known.unwrap_or_else(|| nothing(path, &head.headers))
    }
}

fn posted(path: &str, query: &str) -> Option<Surface> {
    if let Some(found) = path.rsplit_once("/models/").and_then(|(_, rest)| gemini(rest, query)) {
        return Some(found);
    }
    if let Some((_, rest)) = path.rsplit_once("/model/") {
        return bedrock(rest);
    }
    if let Some((_, rest)) = path.rsplit_once("/openai/deployments/") {
        return deployment(rest);
    }
    let azure = path.contains("/openai/v1/");
    let from = path.find("/v1/").map_or(path, |at| &path[at..]);
    Some(match from {
        "/v1/chat/completions" if azure => surface(&AZURE_CHAT, Operation::Answer),
        "/v1/completions" if azure => surface(&AZURE_TEXT, Operation::Answer),
        "/v1/embeddings" if azure => surface(&AZURE_EMBEDDINGS, Operation::Embed),
        "/v1/chat/completions" => surface(&Chat, Operation::Answer),
        "/v1/completions" => surface(&Completions, Operation::Answer),
        "/v1/responses" => surface(&Responses, Operation::Answer),
        "/v1/responses/input_tokens" => surface(&Responses, Operation::Count),
        "/v1/embeddings" => surface(&Chat, Operation::Embed),
        path if Media::at(path).is_some() && azure => {
            surface(&AZURE_EMBEDDINGS, Operation::Media(Media::at(path)?))
        }
        path if Media::at(path).is_some() => surface(&Chat, Operation::Media(Media::at(path)?)),
        "/v1/messages" => surface(&Anthropic, Operation::Answer),
        "/v1/messages/count_tokens" => surface(&Anthropic, Operation::Count),
        _ => return None,
    })
}

/// `MODEL/verb`, the way Bedrock names its calls.
fn bedrock(rest: &str) -> Option<Surface> {
    let (model, verb) = rest.rsplit_once('/')?;
    let operation = match verb {
        "converse" => Operation::Answer,
        "converse-stream" => Operation::Stream,
        "count-tokens" => Operation::Count,
        "invoke" => Operation::Embed,
        _ => Operation::Nothing,
    };
    Some(Surface { dialect: &Converse, operation, model: Some(decoded(model)) })
}

/// `DEPLOYMENT/call`, the way Azure's older paths name their calls.
fn deployment(rest: &str) -> Option<Surface> {
    let (model, call) = rest.split_once('/')?;
    let (dialect, operation): (&Azure, _) = match call {
        "chat/completions" => (&DEPLOYED_CHAT, Operation::Answer),
        "completions" => (&DEPLOYED_TEXT, Operation::Answer),
        "embeddings" => (&DEPLOYED_EMBEDDINGS, Operation::Embed),
        _ => match Media::at(&format!("/v1/{call}")) {
            Some(media) => (&DEPLOYED_EMBEDDINGS, Operation::Media(media)),
            None => (&DEPLOYED_CHAT, Operation::Nothing),
        },
    };
    Some(Surface { dialect, operation, model: Some(decoded(model)) })
}

/// `MODEL:verb`, the way Google names its calls.
fn gemini(rest: &str, query: &str) -> Option<Surface> {
    let (model, verb) = rest.rsplit_once(':')?;
    let sse = query.split('&').any(|pair| pair == "alt=sse");
    let dialect = if sse { &Gemini { array: false } } else { &Gemini { array: true } };
    let operation = match verb {
        "generateContent" => Operation::Answer,
        "streamGenerateContent" => Operation::Stream,
        "countTokens" => Operation::Count,
        "embedContent" | "batchEmbedContents" | "predict" => Operation::Embed,
        _ => Operation::Nothing,
    };
    Some(Surface { dialect, operation, model: Some(decoded(model)) })
}

/// `%3A` and the like as what they stand for.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(code) if *byte == b'%' => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn listing(path: &str, headers: &HeaderMap) -> Surface {
    let mut found = nothing(path, headers);
    if path.ends_with("/models") || path.ends_with("/foundation-models") {
        found.operation = Operation::Models;
    }
    found
}

/// An unknown path is refused in the words of whoever would have been asked.
fn nothing(path: &str, headers: &HeaderMap) -> Surface {
    if path.contains("/v1/messages") || headers.contains_key("anthropic-version") {
        return surface(&Anthropic, Operation::Nothing);
    }
    if path.contains("/model/") || path.ends_with("/foundation-models") {
        return surface(&Converse, Operation::Nothing);
    }
    if path.contains("/v1beta/") || headers.contains_key("x-goog-api-key") {
        return surface(&Gemini { array: false }, Operation::Nothing);
    }
    surface(&Chat, Operation::Nothing)
}

fn surface(dialect: &'static dyn Dialect, operation: Operation) -> Surface {
    Surface { dialect, operation, model: None }
}

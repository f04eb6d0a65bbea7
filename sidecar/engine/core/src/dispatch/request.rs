//! What goes upstream: the request line, headers and body of one attempt.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::Failure;
use super::authorize::authorize;
use super::edits::spliced;
use crate::call::Call;
use crate::error::Class;
use crate::headers::{self, ANTHROPIC_BETA, ANTHROPIC_VERSION, CLIENT_REQUEST_ID};
use crate::sign::sigv4::path_segment as segment;
use crate::surface::Surface;
use crate::table::{Model, Provider, ProviderType};
use crate::upstream::{Endpoint, Pieces};
use crate::wire::Dialect;

/// Headers of the caller that go upstream; everything else stays here: cookies and the like are
/// meant for us, credentials are never forwarded.
const FORWARDED: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, USER_AGENT];
/// What a request asks of Anthropic that its caller did not write for a version.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The request, and the fingerprint of the key in it; 0 without one. `translated`: what is sent in place
/// of the caller's own body.
pub(super) fn build(
    call: &mut Call,
    pieces: &[Bytes],
    translated: Option<Bytes>,
    head: &HeaderMap,
) -> Result<(Request<Pieces>, u64), Failure> {
    let upload = call.take_upload();
    let call = &*call;
    let unusable = || Failure::new(Class::ModelGone, 0, false);
    let (model, _) = call.model().ok_or_else(unusable)?;
    let upstream = call.upstream().ok_or_else(unusable)?;
    let uri = target(call, model, upstream).ok_or_else(unusable)?;
    let own_body = !call.is_translated();
    let body = match (translated, upload) {
        (None, Some(upload)) => Pieces::upload(upload),
        (None, None) => Pieces::new(spliced(call, pieces)),
        (Some(body), _) => Pieces::new([body]),
    };
    let mut request = Request::new(body);
    // Room for all of them: a map that grows on the way hashes everything again.
    *request.headers_mut() = HeaderMap::with_capacity(12);
    *request.method_mut() = call.kept().map_or(Method::POST, |kept| kept.method.clone());
    *request.uri_mut() = uri;
    let sent = request.headers_mut();
    for name in &FORWARDED {
        if let Some(value) = head.get(name) {
            sent.insert(name, value.clone());
        }
    }
    if own_body {
        sent.entry(CONTENT_TYPE).or_insert(JSON);
    } else {
        sent.insert(CONTENT_TYPE, JSON);
    }
    provider_headers(&model.provider, own_body, head, sent);
    if call.surface == Surface::GeminiFiles {
        let parts = head.iter().filter(|(name, _)| name.as_str().starts_with(headers::UPLOAD));
        sent.extend(parts.map(|(name, value)| (name.clone(), value.clone())));
    }
    sent.insert(HOST, upstream.authority.clone());
    sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    sent.insert(CLIENT_REQUEST_ID, call.attempt_name().ok_or_else(unusable)?);
    call.propagate_trace(head, sent);
    if let Some(way) = &model.provider.gateway {
        let ticket = call.worker().shared.tickets.of(&way.audience);
        let none = || Failure { target_alone: true, ..Failure::new(Class::Auth, 0, false) };
        sent.insert(headers::TICKET, ticket.ok_or_else(none)?);
    }
    let fingerprint = match &model.provider.credential {
        Some(credential) => authorize(call, credential, &mut request)?,
        None => 0,
    };
    Ok((request, fingerprint))
}

/// Where the candidate is asked. Chat's and embeddings' targets were made with the plan.
fn target(call: &Call, model: &Model, upstream: &Endpoint) -> Option<Uri> {
    let provider = &model.provider;
    if let Some(kept) = call.kept() {
        if call.surface.dialect() == Dialect::Gemini {
            let how = (kept.uploads, provider.gateway.is_some());
            return upstream.of_google(&kept.target, how);
        }
        return match &provider.api_version {
            Some(version) if kept.target.contains('?') => {
                upstream.below(&format!("{}&api-version={version}", kept.target))
            }
            Some(version) => upstream.below(&format!("{}?api-version={version}", kept.target)),
            None => upstream.below(&kept.target),
        };
    }
    let dialect = call.spoken();
    let path = match dialect {
        Dialect::Chat if provider.api_version.is_none() => return Some(upstream.chat.clone()),
        Dialect::Embeddings if provider.api_version.is_none() => {
            return Some(upstream.embeddings.clone());
        }
        Dialect::Chat => "/chat/completions".to_owned(),
        Dialect::Embeddings => "/embeddings".to_owned(),
        Dialect::Completions => "/completions".to_owned(),
        Dialect::Media => call.surface.medium()?.below_base().to_owned(),
        Dialect::Responses => "/responses".to_owned(),
        Dialect::Messages if call.surface.counts() => "/messages/count_tokens".to_owned(),
        Dialect::Messages => "/messages".to_owned(),
        Dialect::Gemini => {
            let method = match call.surface {
                Surface::GeminiCount => "countTokens",
                _ if call.wants_stream() => "streamGenerateContent?alt=sse",
                _ => "generateContent",
            };
            format!("/models/{}:{method}", gemini_name(call, model))
        }
        Dialect::GeminiEmbed => format!("/models/{}:embedContent", gemini_name(call, model)),
        Dialect::GeminiEmbedBatch => {
            format!("/models/{}:batchEmbedContents", gemini_name(call, model))
        }
        Dialect::VertexPredict => format!("/models/{}:predict", gemini_name(call, model)),
        Dialect::VertexContents => {
            let one = call.wish().vectors == 1;
            let method = if one { "embedContent" } else { "batchEmbedContents" };
            format!("/models/{}:{method}", gemini_name(call, model))
        }
        Dialect::Titan | Dialect::Cohere => {
            format!("/model/{}/invoke", segment(call.asked_of(model)))
        }
        Dialect::Converse => {
            let method = if call.wants_stream() { "converse-stream" } else { "converse" };
            format!("/model/{}/{method}", segment(call.asked_of(model)))
        }
    };
    match &provider.api_version {
        Some(version) => upstream.below(&format!("{path}?api-version={version}")),
        None => upstream.below(&path),
    }
}

fn gemini_name(call: &Call, model: &Model) -> String {
    let name = call.asked_of(model);
    segment(name.strip_prefix("models/").unwrap_or(name))
}

/// Headers of the caller that mean something to this provider alone, and what the provider demands.
fn provider_headers(provider: &Provider, own_body: bool, head: &HeaderMap, sent: &mut HeaderMap) {
    // A gateway is not the provider: what it needs of these it passes on.
    let (openai, anthropic) = match provider.kind {
        _ if provider.gateway.is_some() => (true, true),
        ProviderType::OpenAI => (true, false),
        ProviderType::Anthropic => (false, true),
        _ => return,
    };
    if openai {
        let openai = head.iter().filter(|(name, _)| name.as_str().starts_with("openai-"));
        sent.extend(openai.map(|(name, value)| (name.clone(), value.clone())));
    }
    if !anthropic {
        return;
    }
    if own_body {
        for name in [ANTHROPIC_VERSION, ANTHROPIC_BETA] {
            for value in head.get_all(&name) {
                sent.append(name.clone(), value.clone());
            }
        }
    }
    if provider.kind == ProviderType::Anthropic {
        sent.entry(ANTHROPIC_VERSION).or_insert(VERSION);
    }
}

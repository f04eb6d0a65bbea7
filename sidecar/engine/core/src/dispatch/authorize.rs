//! What a request shows of who sends it: a key in its provider's header, or a signature over the very
//! bytes that go out.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};

use super::Failure;
use crate::call::Call;
use crate::error::Class;
use crate::headers;
use crate::secrets::{Means, Missing};
use crate::sign::sigv4::{self, AwsKey, Head};
use crate::table::{Credential, Model, ProviderType};
use crate::tokens::{Grant, Source};
use crate::upstream::Pieces;

/// Shows the credential of the call's candidate. Last of all: a signature holds for what is there.
/// Returns the key's fingerprint.
pub(super) fn authorize(
    call: &Call,
    credential: &Credential,
    request: &mut Request<Pieces>,
) -> Result<u64, Failure> {
    let (Some((model, _)), Some(upstream)) = (call.model(), call.upstream()) else {
        return Err(Failure::new(Class::ModelGone, 0, false));
    };
    let shared = &call.worker().shared;
    let (host, hosts) = (&upstream.origin.host, &model.provider.allowed_hosts);
    let key = shared.secrets.resolve_for(credential, host, hosts, shared.clock.boot_ms());
    let key = key.map_err(|missing| Failure {
        target_alone: missing == Missing::Host,
        ..Failure::new(Class::Auth, 0, false)
    })?;
    let now_ms = shared.clock.boot_ms();
    match &key.means {
        Means::Plain { authorization, bare } => {
            let (name, value) = plain(model.provider.kind, authorization, bare);
            request.headers_mut().insert(name, value);
        }
        Means::Aws(key) => sign(call, model, key, request)?,
        Means::Source(source) => {
            let held = source.held(now_ms).ok_or_else(|| Failure::new(Class::Auth, 0, false))?;
            match &held.grant {
                Grant::Bearer(value) => {
                    drop(request.headers_mut().insert(AUTHORIZATION, value.clone()))
                }
                Grant::Aws(key) => sign(call, model, key, request)?,
            }
            return Ok(key.fingerprint_of(&held));
        }
    }
    Ok(key.fingerprint(now_ms))
}

/// Whether the credential of the call's candidate, which its provider did not take, has something else to
/// show now: a token or temporary key may be revoked before its end.
pub async fn renewed(call: &Call) -> bool {
    let credential = call.model().and_then(|(model, _)| model.provider.credential.as_ref());
    let computed = credential.filter(|it| it.cloud.is_some() && call.key_sent != 0);
    let Some(credential) = computed else { return false };
    let shared = &call.worker().shared;
    let now_ms = shared.clock.boot_ms();
    match shared.secrets.resolve(credential, now_ms) {
        Ok(key) => key.renewed(call.key_sent, now_ms).await,
        Err(_) => false, // gone since: the next attempt would have nothing to show
    }
}

/// What the call's candidate is known by, where it must be exchanged first and that has not been done yet.
pub(super) fn unsettled(call: &Call) -> Option<Arc<Source>> {
    let (model, _) = call.model()?;
    let credential = model.provider.credential.as_ref().filter(|it| it.cloud.is_some())?;
    let shared = &call.worker().shared;
    let now_ms = shared.clock.boot_ms();
    match &shared.secrets.resolve(credential, now_ms).ok()?.means {
        Means::Source(source) if source.held(now_ms).is_none() => Some(source.clone()),
        _ => None,
    }
}

/// Where a provider takes a key as it is.
fn plain(
    kind: ProviderType,
    bearer: &HeaderValue,
    bare: &HeaderValue,
) -> (HeaderName, HeaderValue) {
    match kind {
        ProviderType::OpenAI
        | ProviderType::OpenAICompatible
        | ProviderType::SelfHosted
        | ProviderType::Vertex
        | ProviderType::Bedrock => (AUTHORIZATION, bearer.clone()),
        ProviderType::Anthropic => (headers::X_API_KEY, bare.clone()),
        ProviderType::Gemini => (headers::X_GOOG_API_KEY, bare.clone()),
        // A key of a resource is letters and digits; with dots it is one of Entra's tokens.
        ProviderType::AzureOpenAI if bare.as_bytes().contains(&b'.') => {
            (AUTHORIZATION, bearer.clone())
        }
        ProviderType::AzureOpenAI => (headers::API_KEY, bare.clone()),
    }
}

/// Signs for AWS, at the time that it is there.
fn sign(
    call: &Call,
    model: &Model,
    key: &AwsKey,
    request: &mut Request<Pieces>,
) -> Result<(), Failure> {
    let unusable = || Failure::new(Class::Auth, 0, false);
    let text = |name: HeaderName| request.headers().get(name).and_then(|it| it.to_str().ok());
    let host = text(HOST).ok_or_else(unusable)?;
    let region = model.provider.region.as_deref().or_else(|| sigv4::region_of(host));
    let head = Head {
        method: request.method(),
        host,
        target: request.uri().path_and_query().ok_or_else(unusable)?.as_str(),
        content_type: request.headers().get(CONTENT_TYPE).ok_or_else(unusable)?,
    };
    let now_s = call.provider_time_s();
    let region = region.ok_or_else(unusable)?;
    let body = request.body().known().ok_or_else(unusable)?;
    let added = sigv4::sign(&head, body, key, region, now_s);
    let added = added.map_err(|_| unusable())?;
    request.headers_mut().extend(added);
    Ok(())
}

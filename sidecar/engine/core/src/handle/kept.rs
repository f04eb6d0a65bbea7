//! A request for what a provider keeps: to whom it goes, what of it is read, and how it ends. One attempt,
//! at one provider: nobody else knows the id.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::Reply;
use super::reply::{answer, failed, large, refused};
use crate::call::Call;
use crate::dispatch::{self, Attempted};
use crate::error::{CallerNo, NoCandidate, Refusal};
use crate::headers::MODEL;
use crate::kept::Kept;
use crate::limits;
use crate::pin::{self, Account};
use crate::plan::{Plan, Taken};
use crate::table::ProviderType;
use crate::wire::Dialect;
use crate::{collect, intake};

/// Answers one.
pub(super) async fn serve(mut call: Box<Call>, kept: Kept, head: Parts, body: Incoming) -> Reply {
    let deadline = Instant::now() + Duration::from_millis(limits::KEPT_TOTAL_MS);
    let pieces = match prepare(&mut call, kept, &head, body).await {
        Ok(pieces) => pieces,
        Err(refusal) => return refused(call, &refusal),
    };
    if !call.take_endpoint(deadline).await {
        let refusal = Refusal::NoCandidate(call.no_endpoint());
        return refused(call, &refusal);
    }
    call.begin_attempt();
    let attempted =
        dispatch::attempt(&mut call, (&pieces, None), &head.headers, deadline, None).await;
    match attempted {
        Attempted::Whole(whole) => answer(call, whole, deadline),
        Attempted::Large(begun) => large(call, *begun, deadline),
        Attempted::Failed(failure) => {
            call.attempt_failed(&failure);
            call.cool_target(&failure);
            failed(call, failure, deadline)
        }
        Attempted::Stream(_) => refused(call, &Refusal::Internal),
    }
}

/// Everything before the attempt.
async fn prepare(
    call: &mut Call,
    mut kept: Kept,
    head: &Parts,
    body: Incoming,
) -> Result<Vec<Bytes>, Refusal> {
    if head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "stream=true")) {
        return Err(Refusal::BadValue {
            param: "stream".to_owned(),
            reason: "what a provider keeps is not streamed; ask again without it".to_owned(),
        });
    }
    if kept.lists && call.is_guests() {
        return Err(Refusal::Caller(CallerNo::List));
    }
    let mut pieces = Vec::new();
    if is_json(head) || body.is_end_stream() {
        let sent = read(body).await?;
        if !sent.is_empty() {
            let (sent, carried) = pin::unmarked(&sent)
                .map_err(|wrong| Refusal::BadJson { reason: wrong.to_string() })?;
            kept.torn |= carried.torn;
            carried.holder.into_iter().for_each(|account| kept.note(account));
            pieces.push(sent.into());
        }
    } else {
        let announced = body.size_hint().lower();
        if announced > limits::UPLOAD_BYTES {
            let limit = usize::try_from(limits::UPLOAD_BYTES).unwrap_or(usize::MAX);
            intake::discard(head, body, &Refusal::BodyTooLarge { limit });
            return Err(Refusal::BodyTooLarge { limit });
        }
        kept.upload = Some(body);
    }
    if kept.torn {
        return Err(Refusal::StateTorn);
    }
    let named = head.headers.get(MODEL).and_then(|name| name.to_str().ok());
    let place = keeper(call, kept.holder, named)?;
    call.taken = Taken::Model(place);
    call.chosen = Some(place);
    let accounts = call.plan.subjects.accounts_for(&head.headers, place);
    let begins = kept.method == Method::POST && kept.target == "/batches";
    if begins && accounts.default_max_tokens().is_some() {
        return Err(Refusal::UnpricedBatch);
    }
    call.keep(kept);
    Ok(pieces)
}

/// The model whose provider is asked: of the account that has it, else the one that is named, else the
/// first whose provider keeps such things.
fn keeper(call: &Call, holder: Option<Account>, named: Option<&str>) -> Result<usize, Refusal> {
    let plan = call.plan.clone();
    let mut places: Vec<usize> = match (holder, named) {
        (Some(holder), _) => all(&plan).filter(|at| plan.models[*at].account == holder).collect(),
        (None, Some(name)) => match plan.without_rule(name) {
            Taken::Model(place) => vec![place],
            _ => return Err(Refusal::ModelNotFound { model: name.to_owned() }),
        },
        (None, None) => {
            let mut places: Vec<usize> = all(&plan).collect();
            places.sort_by_key(|at| !is_makers(plan.table.models[*at].provider.kind));
            places
        }
    };
    if holder.is_some() && places.is_empty() {
        return Err(Refusal::StateElsewhere { models: String::new() });
    }
    places.retain(|at| Dialect::of(plan.table.models[*at].provider.kind) == Dialect::Chat);
    let Some(first) = places.first() else {
        let needed = call.surface.as_str().to_owned();
        return Err(Refusal::NoCandidate(NoCandidate::Capability { needed }));
    };
    let allowed = places.iter().find(|at| call.may_ask_for(&plan.table.models[**at].name));
    allowed.copied().ok_or_else(|| {
        Refusal::Caller(CallerNo::Model { model: plan.table.models[*first].name.clone() })
    })
}

fn all(plan: &Plan) -> impl Iterator<Item = usize> {
    0..plan.models.len()
}

/// Those whose interface it is; servers that are compatible with it seldom keep anything.
const fn is_makers(kind: ProviderType) -> bool {
    matches!(kind, ProviderType::OpenAI | ProviderType::AzureOpenAI)
}

fn is_json(head: &Parts) -> bool {
    let kind =
        head.headers.get(CONTENT_TYPE).map_or(&b"application/json"[..], |kind| kind.as_bytes());
    kind.starts_with(b"application/json")
}

async fn read(mut body: Incoming) -> Result<Bytes, Refusal> {
    let limit = limits::KEPT_BODY_BYTES;
    let idle = Duration::from_millis(limits::BODY_IDLE_TIMEOUT_MS);
    let read = tokio::time::timeout(idle, collect::collect(&mut body, None, limit)).await;
    match read.map_err(|_| Refusal::RequestTooSlow)? {
        Ok(collect::Collected::All(bytes)) => Ok(bytes),
        Ok(collect::Collected::Part(_)) => Err(Refusal::BodyTooLarge { limit }),
        Err(_) => Err(Refusal::CallerGone),
    }
}

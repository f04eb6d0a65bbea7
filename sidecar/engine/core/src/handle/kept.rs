//! A request for what a provider keeps: to whom it goes, what of it is read, and how it ends. One attempt,
//! at one provider: nobody else knows the id.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::Reply;
use super::reply::{answer, failed, large, refused};
use crate::call::Call;
use crate::dispatch::{self, Attempted};
use crate::error::{CallerNo, NoCandidate, Refusal};
use crate::headers::MODEL;
use crate::intake::Reads;
use crate::kept::{self, Document, Kept};
use crate::limits;
use crate::pin::Account;
use crate::plan::{Plan, Taken};
use crate::surface::Surface;
use crate::table::ProviderType;
use crate::{collect, intake, wire};

/// A body of which nothing is read while it comes.
struct Unread;

impl Reads for Unread {
    type How = ();
    type Read = ();

    fn begin((): ()) -> Self {
        Self
    }

    fn push(&mut self, _piece: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn finish(self) -> Result<(), Refusal> {
        Ok(())
    }
}

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
    let (mut pieces, mut asked) = (Vec::new(), None);
    if body.is_end_stream() || (is_json(head) && !kept.brings_bytes(&head.headers)) {
        pieces = read(call, head, body).await?;
        if !pieces.is_empty() {
            asked = look(call, &mut kept, &mut pieces).await?;
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
    let place = match asked {
        Some(place) => place,
        None => keeper(call, kept.holder, named)?,
    };
    kept.host = host(head);
    call.taken = Taken::Model(place);
    call.chosen = Some(place);
    let accounts = call.plan.subjects.accounts_for(&head.headers, place);
    if kept.begins && accounts.default_max_tokens().is_some() {
        let caches = kept.surface == Surface::CachedContents;
        return Err(if caches { Refusal::UnpricedCache } else { Refusal::UnpricedBatch });
    }
    call.keep(kept);
    Ok(pieces)
}

/// Reads what is sent: who keeps what it refers to, and the model that it names, if any. Marks come off it,
/// and models get the provider's names.
async fn look(
    call: &Call,
    kept: &mut Kept,
    pieces: &mut Vec<Bytes>,
) -> Result<Option<usize>, Refusal> {
    let (surface, large) = (call.surface, wire::is_large(pieces));
    let read = wire::beside(pieces, move |body| Document::read(surface, body)).await;
    let mut document = read.map_err(|wrong| match wrong.path.as_str() {
        "body" => Refusal::BadJson { reason: wrong.to_string() },
        _ => Refusal::BadValue { param: wrong.path, reason: wrong.why },
    })?;
    kept.torn |= document.carried.torn;
    document.carried.holder.into_iter().for_each(|account| kept.note(account));
    let model = document.resolve(call)?;
    model.into_iter().for_each(|at| kept.note(call.plan.models[at].account));
    if let Some(written) = wire::on_a_thread(large, move || document.written()).await {
        *pieces = vec![written.into()];
    }
    Ok(model)
}

/// Where the caller found us: HTTP/2 has it in the target.
fn host(head: &Parts) -> Option<String> {
    let told = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    told.or_else(|| Some(head.uri.authority()?.as_str())).map(str::to_owned)
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
    let own = call.surface.dialect();
    places.retain(|at| kept::keeps_for(&plan.table.models[*at].provider, own));
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

/// Batches are as large as any request, and counted like one; all else is small.
async fn read(call: &mut Call, head: &Parts, mut body: Incoming) -> Result<Vec<Bytes>, Refusal> {
    if call.surface == Surface::MessageBatches {
        let shared = call.worker().shared.clone();
        let read = intake::read::<Unread>(&shared, head, &mut body, ()).await?;
        call.held = Some(read.held);
        return Ok(read.pieces);
    }
    let limit = limits::KEPT_BODY_BYTES;
    let idle = Duration::from_millis(limits::BODY_IDLE_TIMEOUT_MS);
    let read = tokio::time::timeout(idle, collect::collect(&mut body, None, limit)).await;
    match read.map_err(|_| Refusal::RequestTooSlow)? {
        Ok(collect::Collected::All(bytes)) if bytes.is_empty() => Ok(Vec::new()),
        Ok(collect::Collected::All(bytes)) => Ok(vec![bytes]),
        Ok(collect::Collected::Part(_)) => Err(Refusal::BodyTooLarge { limit }),
        Err(_) => Err(Refusal::CallerGone),
    }
}

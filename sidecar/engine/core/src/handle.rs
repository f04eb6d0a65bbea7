//! One request's path, top to bottom: identify, read, choose, reserve, attempt, answer. Everything
//! it calls is a stage of its own; everything it holds is settled by `Call` when it is dropped.

mod kept;
mod reply;
mod tries;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::admission::Guest;
use crate::answer::Answer;
use crate::call::Call;
use crate::choose;
use crate::dispatch::Attempted;
use crate::engine::Shared;
use crate::error::{CallerNo, Refusal};
use crate::intake;
use crate::kept::Kept;
use crate::limits;
use crate::media;
use crate::models;
use crate::plan::Plan;
use crate::scan::{ScanOptions, Scanner};
use crate::surface::{self, Asked};
use crate::upstream::{Pool, TlsRoots};

use tries::try_candidates;

use reply::{answer, counted, failed, large, refused, stream, turn_away};
pub use reply::{refuse, stand_in};

/// An answer to the app.
pub type Reply = Response<Answer>;

/// What one data thread owns.
#[derive(Debug)]
pub struct Worker {
    /// Shared with the other threads.
    pub shared: Arc<Shared>,
    /// Connections to providers.
    pub pool: Pool,
    /// Open connections of apps.
    pub connections: Cell<usize>,
    /// Calls whose answer is handed over and that are not settled yet.
    pub ending: Cell<usize>,
    /// For `Weighted`.
    pub rng: RefCell<fastrand::Rng>,
    /// The drain is over: what still runs tells its caller and ends.
    pub cut_short: Cell<bool>,
    /// Id of the last call that ended without an answer of its own, for the answer in its stead.
    pub orphan: RefCell<Option<String>>,
}

impl Worker {
    /// A thread's state.
    #[must_use]
    pub fn new(shared: Arc<Shared>, roots: TlsRoots) -> Self {
        Self {
            shared,
            pool: Pool::new(roots),
            connections: Cell::new(0),
            ending: Cell::new(0),
            rng: RefCell::new(fastrand::Rng::new()),
            cut_short: Cell::new(false),
            orphan: RefCell::default(),
        }
    }
}

/// Answers one request.
pub async fn handle(worker: Rc<Worker>, request: Request<Incoming>) -> Reply {
    let (mut head, body) = request.into_parts();
    let dialect = surface::dialect_of(&head.uri, &head.headers);
    let (plan, guest) = match admit(&worker, &mut head).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            intake::discard(&head, body, &refusal);
            return turn_away(&worker, &refusal, dialect);
        }
    };
    match surface(&head) {
        Ok(Some(asked)) => {
            let mut call = Box::new(Call::begin(worker, plan, asked.surface, &head.headers));
            if let Some(guest) = guest {
                call.welcome(guest, &head.headers);
            }
            serve(call, asked.model, head, body).await
        }
        Ok(None) => models::answer(&plan.table, head.uri.path(), dialect, guest.as_ref())
            .unwrap_or_else(|refusal| turn_away(&worker, &refusal, dialect)),
        Err(refusal) => match find_kept(&head) {
            Some(kept) => {
                let mut call = Box::new(Call::begin(worker, plan, kept.surface, &head.headers));
                if let Some(guest) = guest {
                    call.welcome(guest, &head.headers);
                }
                // Boxed: few calls are of the kind.
                Box::pin(kept::serve(call, kept, head, body)).await
            }
            None => {
                intake::discard(&head, body, &refusal);
                turn_away(&worker, &refusal, dialect)
            }
        },
    }
}

async fn serve(
    mut call: Box<Call>,
    model: Option<String>,
    head: Parts,
    mut body: Incoming,
) -> Reply {
    let pieces = match prepare(&mut call, model, &head, &mut body).await {
        Ok(pieces) => pieces,
        Err(refusal) => {
            intake::discard(&head, body, &refusal);
            return refused(call, &refusal);
        }
    };
    if call.surface.counts() {
        call.choose(0);
        if call.is_translated() {
            return counted(call);
        }
    }
    let deadline = Instant::now() + Duration::from_millis(call.total_ms());
    let ended = try_candidates(&mut call, &pieces, &head.headers, deadline).await;
    let before = call.stages.scan + call.stages.choose + call.stages.budget;
    call.stages.upstream = call.elapsed_us().saturating_sub(before);
    match ended {
        Ok(Attempted::Whole(whole)) => answer(call, whole, deadline),
        Ok(Attempted::Large(begun)) => large(call, *begun, deadline),
        Ok(Attempted::Stream(opened)) => stream(call, *opened, deadline),
        Ok(Attempted::Failed(failure)) => failed(call, failure, deadline),
        Err(refusal) => refused(call, &refusal),
    }
}

/// Everything before the first attempt. `model`: as the path names it.
async fn prepare(
    call: &mut Call,
    model: Option<String>,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Vec<Bytes>, Refusal> {
    let needs = call.plan.rules.needs();
    let options = ScanOptions { detect_pii: needs.pii, keep_text: call.plan.needs_text };
    let shared = call.worker().shared.clone();
    call.enter_stage("scan");
    let pieces = if let Some(medium) = call.surface.medium() {
        // Boxed: few calls are of the kind.
        let read = Box::pin(media::read(&shared, head, body, (medium, options))).await?;
        (call.scan, call.held) = (read.scan, Some(read.held));
        call.media = Some(Box::new(read.asked));
        read.pieces
    } else {
        let how = (call.surface.profile(), options);
        let read = intake::read::<Scanner>(&shared, head, body, how).await?;
        (call.scan, call.held) = (read.said, Some(read.held));
        read.pieces
    };
    call.scan.note_path(model, call.surface.streams());
    call.stages.scan = call.elapsed_us();
    if !call.may_ask() {
        return Err(Refusal::Caller(CallerNo::Model { model: call.requested().to_owned() }));
    }
    call.enter_stage("choose");
    if call.may_carry() {
        Box::pin(call.note_carried(&pieces)).await?;
    }
    let mut chosen = choose::choose(call, &head.headers);
    if let Some((group, until)) = call.unheard() {
        // The hub tells endpoints right after a table: a call of this moment need not go elsewhere.
        Box::pin(group.heard(until)).await;
        chosen = choose::choose(call, &head.headers);
    }
    chosen?;
    call.keep_room()?;
    call.keep_pinned()?;
    if call.may_be_translated() && !call.surface.counts() {
        // Boxed: few calls are.
        Box::pin(call.keep_translatable(&pieces)).await?;
    }
    call.count_overflow();
    call.stages.choose = call.elapsed_us() - call.stages.scan;
    call.leave_stage();
    Ok(pieces)
}

/// Bounds that hold before a body is read, and the Plan; at a gateway also who calls.
async fn admit(worker: &Worker, head: &mut Parts) -> Result<(Arc<Plan>, Option<Guest>), Refusal> {
    intake::check_head(head)?;
    let Some(gateway) = &worker.shared.gateway else { return Ok((plan(worker).await?, None)) };
    let guest = gateway.admit(&mut head.headers, &*worker.shared.clock)?;
    let plan = plan(worker).await?;
    guest.check(&plan)?;
    Ok((plan, Some(guest)))
}

/// The Plan, once there is room for a call.
async fn plan(worker: &Worker) -> Result<Arc<Plan>, Refusal> {
    worker.shared.room.admit()?;
    if let Some(plan) = worker.shared.current.load() {
        return Ok(plan);
    }
    let wait = Duration::from_millis(limits::TABLE_WAIT_MS);
    tokio::time::timeout(wait, worker.shared.current.wait())
        .await
        .ok()
        .flatten()
        .ok_or(Refusal::NoTable)
}

/// What of a provider's a request is for that is for no surface.
fn find_kept(head: &Parts) -> Option<Kept> {
    let path = head.uri.path();
    if surface::is_realtime(&head.method, path, &head.headers) {
        return None;
    }
    let dialect = surface::dialect_of(&head.uri, &head.headers);
    crate::kept::find(&head.method, (path, head.uri.query()), dialect)
}

/// Which surface a request is for; `None` asks for the models.
fn surface(head: &Parts) -> Result<Option<Asked>, Refusal> {
    let path = head.uri.path();
    if surface::is_realtime(&head.method, path, &head.headers) {
        return Err(Refusal::Realtime);
    }
    let asked = surface::find(path, head.uri.query());
    let method = match &asked {
        Some(_) => Method::POST,
        None if models::is_path(path) => Method::GET,
        None => return Err(Refusal::NotFound { path: path.to_owned() }),
    };
    if head.method == method {
        return Ok(asked);
    }
    let allow = if asked.is_some() { "POST" } else { "GET" };
    Err(Refusal::MethodNotAllowed { allow })
}

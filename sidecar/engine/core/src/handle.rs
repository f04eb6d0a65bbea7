//! One request's path, top to bottom: identify, read, choose, reserve, attempt, answer. Everything
//! it calls is a stage of its own; everything it holds is settled by `Call` when it is dropped.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::admission::Guest;
use crate::answer::Answer;
use crate::attempt::{Attempts, Step};
use crate::call::{Call, Endpoint, Outcome};
use crate::choose;
use crate::dispatch::{self, Attempted, Begun, Failure, Opened, Whole};
use crate::engine::Shared;
use crate::error::{CallerNo, Class, Cooldown, NoCandidate, Refusal};
use crate::headers;
use crate::intake;
use crate::large::Large;
use crate::limits;
use crate::models;
use crate::plan::Plan;
use crate::price::Usd;
use crate::relay::Relay;
use crate::reserve;
use crate::scan::ScanOptions;
use crate::upstream::{Pool, TlsRoots};

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
    let (plan, guest) = match admit(&worker, &mut head).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            intake::discard(&head, body, &refusal);
            return turn_away(&worker, &refusal);
        }
    };
    match endpoint(&head) {
        Ok(Some(endpoint)) => {
            let mut call = Box::new(Call::begin(worker, plan, endpoint, &head.headers));
            if let Some(guest) = guest {
                call.welcome(guest, &head.headers);
            }
            serve(call, head, body).await
        }
        Ok(None) => models::answer(&plan.table, head.uri.path(), guest.as_ref())
            .unwrap_or_else(|refusal| turn_away(&worker, &refusal)),
        Err(refusal) => {
            intake::discard(&head, body, &refusal);
            turn_away(&worker, &refusal)
        }
    }
}

async fn serve(mut call: Box<Call>, head: Parts, mut body: Incoming) -> Reply {
    let pieces = match prepare(&mut call, &head, &mut body).await {
        Ok(pieces) => pieces,
        Err(refusal) => {
            intake::discard(&head, body, &refusal);
            return refused(call, &refusal);
        }
    };
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

/// Everything before the first attempt.
async fn prepare(
    call: &mut Call,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Vec<Bytes>, Refusal> {
    let needs = call.plan.rules.needs();
    let options = ScanOptions { detect_pii: needs.pii, keep_text: call.plan.needs_text };
    let shared = call.worker().shared.clone();
    call.enter_stage("scan");
    let intake = intake::read(&shared, head, body, options).await?;
    call.scan = intake.scan;
    call.held = Some(intake.held);
    call.stages.scan = call.elapsed_us();
    if !call.may_ask() {
        return Err(Refusal::Caller(CallerNo::Model { model: call.requested().to_owned() }));
    }
    call.enter_stage("choose");
    let mut chosen = choose::choose(call, &head.headers);
    if let Some((group, until)) = call.unheard() {
        // The hub tells endpoints right after a table: a call of this moment need not go elsewhere.
        Box::pin(group.heard(until)).await;
        chosen = choose::choose(call, &head.headers);
    }
    chosen?;
    call.count_overflow();
    call.stages.choose = call.elapsed_us() - call.stages.scan;
    call.leave_stage();
    Ok(intake.pieces)
}

/// Tries candidates in order until one answers or none is left to try.
async fn try_candidates(
    call: &mut Call,
    pieces: &[Bytes],
    head: &HeaderMap,
    deadline: Instant,
) -> Result<Attempted, Refusal> {
    let Some(route) = call.route() else { return Err(Refusal::Internal) };
    let retries = route.route.retries;
    let budget = route.retry_budget.clone();
    budget.earn(&retries);
    let usable = call.rows.iter().filter(|row| row.usable()).count();
    let mut attempts = Attempts::new(retries);
    loop {
        call.choose(attempts.place());
        let attempted = if call.take_endpoint(deadline).await {
            let reserving = call.elapsed_us();
            call.enter_stage("budget");
            reserve::reserve(call, head).await?;
            call.stages.budget += call.elapsed_us() - reserving;
            call.leave_stage();
            call.begin_attempt();
            let more = attempts.made() < retries.max_attempts;
            let leaving = more.then(|| call.leaving(attempts.place() + 1 < usable)).flatten();
            dispatch::attempt(call, pieces, head, deadline, leaving).await
        } else {
            call.begin_attempt();
            Attempted::Failed(Failure::no_endpoint())
        };
        let Attempted::Failed(failure) = attempted else { return Ok(attempted) };
        call.attempt_failed(&failure);
        let next = next_place(call, &failure, attempts.place(), usable);
        let chances = (call.again(&failure), next);
        let now_ms = call.worker().shared.clock.boot_ms();
        match attempts.after(failure.class, failure.retry_after, chances, &budget, now_ms) {
            Step::Try { pause, .. } if Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
            }
            _ => return Ok(Attempted::Failed(failure)),
        }
    }
}

/// The next candidate that this failure allows and that may do better: a prompt that was too long
/// needs a larger window, a key that was refused is refused to all who use it.
fn next_place(call: &Call, failure: &Failure, place: usize, usable: usize) -> Option<usize> {
    let stays = if failure.left {
        !call.may_overflow()
    } else {
        call.route().is_some_and(|route| !route.route.overflow.on_error)
    };
    if stays || (!failure.class.fall_back() && !failure.capability_gap) {
        return None;
    }
    let window = |place: usize| {
        let row = call.rows.get(place)?;
        Some(call.plan.table.models[call.model_of(row)].context_window)
    };
    let larger =
        |next: &usize| !failure.class.larger_window_only() || window(*next) > window(place);
    let planned = |place: usize| Some(&call.plan.models[call.model_of(call.rows.get(place)?)]);
    let same_key = |next: usize| {
        planned(place).zip(planned(next)).is_some_and(|(one, two)| one.shares_credential(two))
    };
    let key_rests = matches!(failure.cooldown(), Cooldown::Credential(_));
    (place + 1..usable).filter(larger).find(|next| !(key_rests && same_key(*next)))
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
    if worker.shared.in_flight.load(Relaxed) >= limits::IN_FLIGHT_REQUESTS {
        return Err(Refusal::Shed);
    }
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

/// Which endpoint a request is for; `None` asks for the models.
fn endpoint(head: &Parts) -> Result<Option<Endpoint>, Refusal> {
    let path = head.uri.path();
    let (endpoint, method) = match path {
        "/v1/chat/completions" => (Some(Endpoint::Chat), Method::POST),
        "/v1/embeddings" => (Some(Endpoint::Embeddings), Method::POST),
        path if models::is_path(path) => (None, Method::GET),
        _ => return Err(Refusal::NotFound { path: path.to_owned() }),
    };
    if head.method == method {
        return Ok(endpoint);
    }
    let allow = if endpoint.is_some() { "POST" } else { "GET" };
    Err(Refusal::MethodNotAllowed { allow })
}

/// A plain answer: the provider's bytes, its cost exact.
fn answer(mut call: Box<Call>, whole: Whole, deadline: Instant) -> Reply {
    call.book_answer(&whole.read);
    call.trace_answer(&whole.body);
    call.note_upstream(whole.read.id.as_deref().unwrap_or_default());
    call.target_answered();
    let mut reply = begin_reply(&call, &whole.headers);
    if let Some(cost) = headers::value_of(Usd(call.booked.cost)) {
        reply.headers_mut().insert(headers::COST, cost);
    }
    *reply.body_mut() = Answer::whole_until(whole.body, deadline);
    call.end_after_answer(Outcome::Ok, 200);
    reply
}

fn stream(mut call: Box<Call>, opened: Opened, deadline: Instant) -> Reply {
    let mut reply = begin_reply(&call, &opened.headers);
    if let Some(cost) = headers::value_of(Usd(call.reserved.max(call.expected_cost()))) {
        reply.headers_mut().insert(headers::COST_ESTIMATE, cost);
    }
    call.first_token();
    call.trace_answer(opened.ready.front().map_or(&[], |events| events));
    *reply.body_mut() = Answer::stream(Relay::new(call, opened, deadline), deadline);
    reply
}

/// An answer too large to be buffered: its cost is known at its end, in the record.
fn large(call: Box<Call>, begun: Begun, deadline: Instant) -> Reply {
    let mut reply = begin_reply(&call, &begun.headers);
    *reply.body_mut() = Answer::large(Large::new(call, begun, deadline), deadline);
    reply
}

/// Status 200 with our headers and those of the provider's that callers use.
fn begin_reply(call: &Call, upstream: &HeaderMap) -> Reply {
    let mut reply = Response::new(Answer::default());
    *reply.headers_mut() = HeaderMap::with_capacity(12);
    let sent = reply.headers_mut();
    let passed = upstream.iter().filter(|(name, _)| {
        let name = name.as_str();
        *name == *CONTENT_TYPE.as_str()
            || name == "x-request-id"
            || name.starts_with("openai-")
            || name.starts_with("x-ratelimit-")
    });
    sent.extend(passed.map(|(name, value)| (name.clone(), value.clone())));
    if let Some((model, planned)) = call.model() {
        sent.insert(headers::MODEL, planned.header.clone());
        if model.provider.simulated {
            sent.insert(headers::SIMULATED, HeaderValue::from_static("1"));
        }
    }
    if let Some(cap) = call.capped {
        sent.insert(headers::CAPPED, HeaderValue::from(cap));
    }
    identify(sent, &call.id);
    reply
}

fn identify(sent: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        sent.insert(headers::REQUEST_ID, id);
    }
}

/// All attempts failed: the provider's own answer where its class passes it on, else ours.
fn failed(mut call: Box<Call>, failure: Failure, deadline: Instant) -> Reply {
    let Failure { class, status: answered, answer, .. } = failure;
    let passed = answer.filter(|_| class.passes_answer());
    let Some((status, content_type, bytes)) = passed else {
        let refusal = why_failed(&call, class, answered, deadline);
        call.end(Outcome::Failed, refusal.status().as_u16());
        return refuse(&refusal, Some(&call.id));
    };
    let mut reply = begin_reply(&call, &HeaderMap::new());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    if class != Class::BadRequest {
        reply.headers_mut().insert(headers::SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    *reply.body_mut() = Answer::whole_until(bytes, deadline);
    call.end(Outcome::Failed, status.as_u16());
    reply
}

/// Without an answer of the provider's: our own words, naming what the user can change.
fn why_failed(call: &Call, class: Class, answered: u16, deadline: Instant) -> Refusal {
    let attempts = u8::try_from(call.attempts.len()).unwrap_or(u8::MAX);
    match class {
        Class::SlowFirstToken if Instant::now() >= deadline => {
            Refusal::DeadlineExceeded { total_ms: call.total_ms() }
        }
        Class::Auth if answered == 0 => Refusal::NoCandidate(NoCandidate::Credential),
        Class::Connect if call.lacks_endpoint() => Refusal::NoCandidate(call.no_endpoint()),
        _ => Refusal::UpstreamFailed { class, attempts },
    }
}

fn refused(mut call: Box<Call>, refusal: &Refusal) -> Reply {
    call.worker().shared.stats.refusal(refusal.label());
    call.class = Some(refusal.class());
    let gone = *refusal == Refusal::CallerGone;
    let outcome = if gone { Outcome::Cancelled } else { Outcome::Refused };
    call.end(outcome, refusal.status().as_u16());
    refuse(refusal, Some(&call.id))
}

/// A refusal before there is a call.
fn turn_away(worker: &Worker, refusal: &Refusal) -> Reply {
    worker.shared.stats.refusal(refusal.label());
    refuse(refusal, None)
}

/// The answer to a request whose `handle` was dropped or panicked; its call, if it came to one, has
/// left its id.
pub fn stand_in(worker: &Worker, refusal: &Refusal) -> Reply {
    worker.shared.stats.refusal(refusal.label());
    refuse(refusal, worker.orphan.take().as_deref())
}

/// An answer of our own.
#[must_use]
pub fn refuse(refusal: &Refusal, id: Option<&str>) -> Reply {
    let mut reply = refusal.response().map(Answer::whole);
    if let Some(id) = id {
        identify(reply.headers_mut(), id);
    }
    reply
}

//! One call from its first byte to its record. Dropping it at any await settles its reservation,
//! frees its slot and leaves exactly one record (I11); `handle` and `relay` only report what they see.

mod carried;
mod ending;
mod endpoint;
mod media;
mod part;
mod progress;
mod report;
mod traced;
mod translated;
mod visit;

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::admission::Guest;
use crate::budget::{AccountSet, Charge};
use crate::error::{Class, Refusal};
use crate::features::Task;
use crate::fleet::Occupied;
use crate::handle::Worker;
use crate::headers::{CLIENT_REQUEST_ID, value_of};
use crate::identity::Attribution;
use crate::intake::HeldBytes;
use crate::kept::Kept;
use crate::media::Asked;
use crate::pin::Carried;
use crate::plan::{Plan, PlannedModel, PlannedRoute, Taken};
use crate::quota;
use crate::record::{AttemptRow, StageRow};
use crate::rules::Match;
use crate::scan::Scan;
use crate::select::Row;
use crate::surface::Surface;
use crate::table::Model;
use crate::usage::{Meter, Usage};
use crate::wire::Translation;
use traced::Traced;

pub use endpoint::Leaving;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer went down.
    Ok,
    /// All attempts failed, or the provider's own error went down.
    Failed,
    /// The answer broke off after its beginning had gone down.
    Cut,
    /// We answered ourselves.
    Refused,
    /// The caller left.
    Cancelled,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Cut, Self::Refused, Self::Cancelled];

    /// As metrics and records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is to be booked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Booked {
    /// Tokens.
    pub usage: Usage,
    /// Picodollars.
    pub cost: u64,
    /// Whether the provider reported it; else an upper bound.
    pub reported: bool,
}

/// A caller of a gateway, and which attempt of its sidecar this is; 0: it does not say.
#[derive(Debug)]
struct Visit {
    guest: Guest,
    attempt: usize,
}

/// State of one call.
#[derive(Debug)]
pub struct Call {
    slot: Option<Slot>,
    worker: Rc<Worker>,
    /// The one Plan of this call (I4).
    pub plan: Arc<Plan>,
    /// `pm-…`.
    pub id: String,
    /// Boot clock, microseconds.
    pub started_us: u64,
    wall_ms: i64,
    /// What is wanted.
    pub surface: Surface,
    /// Whose cost it is.
    pub attribution: Attribution,
    /// What the body said.
    pub scan: Scan,
    /// Which route it takes.
    pub taken: Taken,
    /// What the rules found, for the record's signals.
    pub matched: Option<Match>,
    /// Task type, where a rule or strategy looked.
    pub task: Option<Task>,
    /// Estimated prompt tokens.
    pub prompt_tokens: u64,
    /// Candidates as `select` left them, best first, then the filtered ones.
    pub rows: Vec<Row>,
    /// Upstream attempts.
    pub attempts: Vec<AttemptRow>,
    /// The model of the current or last attempt.
    pub chosen: Option<usize>,
    /// The endpoint of the current or last attempt, where the hub tells several; busy until the end.
    pub target: Option<Occupied>,
    /// When the first content of a stream came, microseconds since the call began; 0: not yet.
    pub first_content_us: u64,
    /// Which accounts bind the current attempt.
    pub accounts: AccountSet,
    /// Fingerprint of the key that the current attempt sent; 0: none.
    pub key_sent: u64,
    /// What the current attempt has of its model's limits.
    part: Option<quota::Taken>,
    /// The reservation.
    pub charge: Option<Charge>,
    /// Most that was reserved.
    pub reserved: u64,
    /// A cap that was spliced.
    pub capped: Option<u64>,
    /// What the request refers to of former calls.
    carried: Carried,
    /// The request, where it is for what a provider keeps.
    kept: Option<Box<Kept>>,
    /// The request in other dialects' words, where a candidate needs it.
    translation: Option<Box<Translation>>,
    /// What the current candidate's words had no place for.
    pub dropped: Option<HeaderValue>,
    /// Bounds of what the current attempt can cost.
    pub meter: Meter,
    /// To be booked when the call ends now.
    pub booked: Booked,
    /// Stage times.
    pub stages: StageRow,
    /// Class of the last failure.
    pub class: Option<Class>,
    /// What is asked of sound or images.
    pub media: Option<Box<Asked>>,
    /// Request bytes that stay counted.
    pub held: Option<HeldBytes>,
    /// At a gateway: who calls.
    guest: Option<Visit>,
    /// What ended the call, where its class does not say it.
    pub ended_by: Option<&'static str>,
    /// Notes for its spans; `None` where nobody collects them.
    traced: Option<Box<Traced>>,
    status: u16,
    ended: bool,
}

impl Call {
    /// Begins a call: counts it in flight.
    #[must_use]
    pub fn begin(
        worker: Rc<Worker>,
        plan: Arc<Plan>,
        surface: Surface,
        head: &http::HeaderMap,
    ) -> Self {
        let clock = &worker.shared.clock;
        let (started_us, wall_ms) = (clock.boot_us(), clock.wall_ms());
        Self {
            slot: Some(Slot::taken(worker.clone())),
            id: request_id(),
            started_us,
            wall_ms,
            surface,
            attribution: Attribution::from_headers(head),
            plan,
            scan: Scan::default(),
            taken: Taken::Nothing,
            matched: None,
            task: None,
            prompt_tokens: 0,
            rows: Vec::new(),
            attempts: Vec::new(),
            chosen: None,
            target: None,
            first_content_us: 0,
            accounts: AccountSet::default(),
            key_sent: 0,
            part: None,
            charge: None,
            reserved: 0,
            capped: None,
            carried: Carried::default(),
            kept: None,
            translation: None,
            dropped: None,
            meter: Meter { input_bound: 0, output_cap: None, hidden: 0 },
            booked: Booked::default(),
            stages: StageRow::default(),
            class: None,
            media: None,
            held: None,
            guest: None,
            ended_by: None,
            traced: worker.shared.sample_percent().map(|percent| Traced::begin(head, percent)),
            status: 499,
            ended: false,
            worker,
        }
    }

    /// What the attempt is called at the provider: attempts count from 1. At a gateway it is the
    /// caller's; further ones of its own are numbered below it, so that none bears the caller's next.
    #[must_use]
    pub fn attempt_name(&self) -> Option<HeaderValue> {
        let (id, own) = (&self.id, self.attempts.len());
        match self.guest.as_ref().map_or(0, |visit| visit.attempt) {
            0 => value_of(format_args!("{id}.{own}")),
            callers if own <= 1 => value_of(format_args!("{id}.{callers}")),
            callers => value_of(format_args!("{id}.{callers}.{own}")),
        }
    }

    /// The thread that serves it.
    #[must_use]
    pub const fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The route it takes.
    #[must_use]
    pub fn route(&self) -> Option<&PlannedRoute> {
        self.plan.route(self.taken)
    }

    /// Whether its route may go on while there is so much other work.
    ///
    /// # Errors
    /// [`Refusal::Shed`].
    pub fn keep_room(&self) -> Result<(), Refusal> {
        let priority = self.route().map(|route| route.route.priority).unwrap_or_default();
        self.worker.shared.room.keep(priority, self.plan.reserves_room)
    }

    /// The model of the current attempt, from the table and from the Plan.
    #[must_use]
    pub fn model(&self) -> Option<(&Model, &PlannedModel)> {
        self.chosen.map(|place| (&self.plan.table.models[place], &self.plan.models[place]))
    }

    /// The model name that the caller asked for.
    #[must_use]
    pub fn requested(&self) -> &str {
        self.scan.model.as_ref().map_or("", |model| model.value.as_str())
    }

    /// Whether the caller wants a stream.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        self.surface.can_stream() && self.scan.stream.as_ref().is_some_and(|stream| stream.value)
    }

    /// Microseconds since the call began.
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        self.worker.shared.clock.boot_us().saturating_sub(self.started_us)
    }

    /// Ends the call: settles, counts, records. The second time does nothing.
    pub fn end(&mut self, outcome: Outcome, status: u16) {
        let total_us = self.elapsed_us();
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.status = status;
        self.stages.total = total_us;
        self.held = None;
        if let Some(charge) = self.charge.take() {
            charge.settle(self.booked.cost);
        }
        self.part_ended(outcome);
        self.count_usage();
        self.count_outcome(outcome);
        self.record(outcome);
        self.export_spans(outcome);
        self.target = None;
        self.guest = None;
        // Last: who sees that nothing is in flight finds everything settled.
        self.slot = None;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (class, outcome) = if std::thread::panicking() {
            self.ended_by = Some("a fault of Pointsman's own");
            (Class::Server, Outcome::Failed)
        } else if self.worker.cut_short.get() {
            self.ended_by = Some(DRAINED);
            (Class::Shed, Outcome::Refused)
        } else {
            self.attempt_abandoned(Class::CallerGone);
            self.end(Outcome::Cancelled, 499);
            return;
        };
        self.worker.orphan.replace(Some(self.id.clone()));
        self.attempt_abandoned(class);
        let status = if outcome == Outcome::Failed { 500 } else { 503 };
        self.end(outcome, status);
    }
}

/// Counts a call in flight; given back also where its end panics.
#[derive(Debug)]
struct Slot(Rc<Worker>);

impl Slot {
    fn taken(worker: Rc<Worker>) -> Self {
        worker.shared.room.begin();
        Self(worker)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.shared.room.end();
    }
}

/// Why a call ended that was still running when the drain was over.
pub const DRAINED: &str = "the process ended, and drainSeconds were over";

/// `<request id>.<attempt>` as sidecars write it; anything else is left alone.
fn callers_id(head: &http::HeaderMap) -> Option<(String, usize)> {
    let text = head.get(CLIENT_REQUEST_ID)?.to_str().ok()?;
    let (id, attempt) = text.rsplit_once('.')?;
    let digits = id.strip_prefix("pm-").filter(|it| it.len() == ID_DIGITS)?;
    let ours = digits.bytes().all(|it| DIGITS.contains(&it));
    let attempt = attempt.parse::<u8>().ok().filter(|it| *it > 0)?;
    ours.then(|| (id.to_owned(), usize::from(attempt)))
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_DIGITS: usize = 16;

/// 80 random bits in base32: unguessable enough to look up, short enough to read out.
fn request_id() -> String {
    let mut bits = fastrand::u128(..);
    let mut id = String::with_capacity(19);
    id.push_str("pm-");
    for _ in 0..ID_DIGITS {
        id.push(char::from(DIGITS[(bits & 31) as usize]));
        bits >>= 5;
    }
    id
}

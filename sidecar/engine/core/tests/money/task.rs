//! The background task against a hub that may be away, on paused time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pointsman_core::budget::{Admission, Book, Holder, RefusalCode};
use pointsman_core::clock::{Clock, ManualClock};
use pointsman_core::journal::Journal;
use pointsman_core::ledger::document::SyncRequest;
use pointsman_core::ledger::{SyncError, Transport, run};
use pointsman_core::limits::OLD_JOURNALS;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::hub::Hub;
use super::world::{CENT, DAY, DAY_MS, Folder, NOON_MS, Sidecar, budget, table};

/// tokio's paused time as both clocks.
#[derive(Debug)]
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn boot_ms(&self) -> u64 {
        self.boot_us() / 1_000
    }

    fn boot_us(&self) -> u64 {
        1_000_000 + u64::try_from(self.0.elapsed().as_micros()).unwrap()
    }

    fn wall_ms(&self) -> i64 {
        NOON_MS + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// A hub two milliseconds away.
#[derive(Clone)]
struct Wire {
    hub: Arc<Mutex<Hub>>,
    /// Requests are lost, or answers are.
    away: Arc<Mutex<Option<Lost>>>,
    started: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Lost {
    Requests,
    Answers,
}

impl Transport for Wire {
    async fn post(&self, body: Bytes) -> Result<Bytes, SyncError> {
        sleep(Duration::from_millis(1)).await;
        let away = *self.away.lock();
        if away == Some(Lost::Requests) {
            return Err(SyncError::Timeout);
        }
        let request: SyncRequest = serde_json::from_slice(&body).unwrap();
        let answer = {
            let mut hub = self.hub.lock();
            hub.now_ms = NOON_MS + i64::try_from(self.started.elapsed().as_millis()).unwrap();
            hub.sync(&request)
        };
        sleep(Duration::from_millis(1)).await;
        match away {
            Some(_) => Err(SyncError::Timeout),
            None => Ok(serde_json::to_vec(&answer).unwrap().into()),
        }
    }
}

struct Running {
    book: Arc<Book>,
    wire: Wire,
    folder: Folder,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<bool>,
}

impl Running {
    fn start(limit: u64, boot: &str, wire: Option<Wire>, folder: Folder) -> Self {
        let started = wire.as_ref().map_or_else(Instant::now, |it| it.started);
        let wire = wire.unwrap_or_else(|| Wire {
            hub: Arc::new(Mutex::new(Hub::new(NOON_MS, DAY_MS, &[(DAY, limit)]))),
            away: Arc::default(),
            started,
        });
        let (journal, recovered) = Journal::open(&folder.0, "one", boot);
        let holder = Holder {
            sidecar: "one".into(),
            boot: boot.into(),
            namespace: "demo".into(),
            workload: "support".into(),
        };
        let book = Book::new(Arc::new(PausedClock(started)), holder, journal);
        book.configure(&table(&[budget(limit)])).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _stop_or_gone = stopped.await;
        };
        let task = tokio::spawn(run(book.clone(), recovered, wire.clone(), shutdown));
        Self { book, wire, folder, stop: Some(stop), task }
    }

    async fn admit(&self, amount: u64) -> Result<u64, RefusalCode> {
        let accounts = self.book.accounts_for(&http::HeaderMap::new(), 0);
        let charge = match self.book.admit(&accounts, amount) {
            Admission::Granted(charge) => charge,
            Admission::Wait(waiter) => waiter.wait().await.map_err(|it| it.code)?,
            Admission::Refused(refusal) => return Err(refusal.code),
        };
        sleep(Duration::from_millis(20)).await;
        charge.settle(amount / 2);
        Ok(amount / 2)
    }

    async fn stop(mut self) -> (bool, Wire, Folder) {
        drop(self.stop.take());
        (self.task.await.unwrap(), self.wire, self.folder)
    }
}

fn pot() -> (Arc<str>, i64) {
    (DAY.into(), NOON_MS / DAY_MS)
}

#[tokio::test(start_paused = true)]
async fn callers_wait_for_few_syncs_and_all_that_fits_is_granted() {
    let running = Arc::new(Running::start(1_000 * CENT, "boot-1", None, Folder::new()));
    let begun = Instant::now();
    let callers: Vec<_> = (0..500)
        .map(|_| {
            let running = running.clone();
            tokio::spawn(async move { running.admit(CENT).await })
        })
        .collect();
    let mut spent = 0;
    for caller in callers {
        spent += caller.await.unwrap().unwrap();
    }
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    assert!(running.wire.hub.lock().syncs <= 5, "{}", running.wire.hub.lock().syncs);
    let running = Arc::into_inner(running).unwrap();
    let (said, wire, folder) = running.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().settled(&pot()), spent);
    assert_eq!(wire.hub.lock().available(&pot()), 1_000 * CENT - spent);
    let left = std::fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(left, 1, "the journal is gone, its lock file stays");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_from_a_slow_answer_and_ends_soon() {
    let running = Running::start(100 * CENT, "boot-1", None, Folder::new());
    assert_eq!(running.admit(1_000).await, Ok(500));
    *running.wire.away.lock() = Some(Lost::Requests);
    let begun = Instant::now();
    assert_eq!(running.admit(50 * CENT).await, Err(RefusalCode::LedgerUnavailable));
    assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    assert!(running.book.ledger_trouble().is_some_and(|it| it.contains("did not answer")));
    assert_eq!(running.admit(1_000).await, Ok(500), "what is leased is spent");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(running.admit(1_000).await, Ok(500), "ten minutes later as well");
    sleep(Duration::from_secs(301)).await;
    assert_eq!(running.admit(1).await, Err(RefusalCode::LedgerUnavailable));
    *running.wire.away.lock() = None;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(running.admit(50 * CENT).await, Ok(25 * CENT));
    assert_eq!(running.book.ledger_trouble(), None);
    let (said, wire, _) = running.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().used(&pot()), 25 * CENT + 1_500);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_strand_nothing() {
    let running = Running::start(100 * CENT, "boot-1", None, Folder::new());
    let mut spent = 0;
    for round in 1..=3 {
        *running.wire.away.lock() = Some(Lost::Answers);
        assert!(running.admit(round * 25 * CENT).await.is_err(), "granted, but nobody heard");
        *running.wire.away.lock() = None;
        sleep(Duration::from_secs(6)).await;
        spent += running.admit(CENT).await.unwrap();
    }
    let (said, wire, _) = running.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().settled(&pot()), spent);
    assert_eq!(wire.hub.lock().available(&pot()), 100 * CENT - spent);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_a_hub_ends_in_time_and_the_next_start_reports() {
    let running = Running::start(100 * CENT, "boot-1", None, Folder::new());
    assert_eq!(running.admit(1_000).await, Ok(500));
    *running.wire.away.lock() = Some(Lost::Requests);
    let begun = Instant::now();
    let (said, wire, folder) = running.stop().await;
    assert!(!said && begun.elapsed() <= Duration::from_secs(5));
    *wire.away.lock() = None;
    let second = Running::start(100 * CENT, "boot-2", Some(wire), folder);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(second.wire.hub.lock().settled(&pot()), 500);
    let (said, wire, _) = second.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().available(&pot()), 100 * CENT - 500);
}

#[tokio::test(start_paused = true)]
async fn i11_a_waiter_dropped_at_any_poll_leaves_no_trace() {
    let running = Running::start(100 * CENT, "boot-1", None, Folder::new());
    sleep(Duration::from_millis(10)).await;
    let accounts = running.book.accounts_for(&http::HeaderMap::new(), 0);
    for after_us in (0..6_000).step_by(250) {
        let Admission::Wait(waiter) = running.book.admit(&accounts, 60 * CENT) else {
            // What an earlier one asked for has arrived.
            continue;
        };
        let limit = Duration::from_micros(after_us);
        drop(tokio::time::timeout(limit, waiter.wait()).await);
    }
    sleep(Duration::from_secs(40)).await;
    assert!(running.book.standings().iter().all(|it| it.reserved == 0));
    let (said, wire, _) = running.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().available(&pot()), 100 * CENT);
}

/// The journals of as many boots as may wait, each with 500 spent of which the hub never heard.
fn piled_up(limit: u64) -> (Folder, Hub) {
    let folder = Folder::new();
    let clock = Arc::new(ManualClock::new(NOON_MS));
    let mut hub = Hub::new(NOON_MS, DAY_MS, &[(DAY, limit)]);
    for boot in 0..OLD_JOURNALS {
        let mut one = Sidecar::start(&clock, &folder, "one", &format!("boot-{boot}"));
        one.book.configure(&table(&[budget(limit)])).unwrap();
        one.sync(&mut hub);
        one.granted(500).settle(500);
    }
    (folder, hub)
}

#[tokio::test(start_paused = true)]
async fn journals_that_pile_up_stop_leasing_only_until_the_hub_has_heard_them() {
    let limit = 100 * CENT;
    let (folder, hub) = piled_up(limit);
    let away = Arc::new(Mutex::new(Some(Lost::Requests)));
    let wire = Wire { hub: Arc::new(Mutex::new(hub)), away, started: Instant::now() };
    let running = Running::start(limit, "late", Some(wire), folder);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(running.admit(1_000).await, Err(RefusalCode::JournalUnavailable));
    assert!(running.book.journal_trouble().is_some_and(|it| it.contains("16 journals")));
    *running.wire.away.lock() = None;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(running.book.journal_trouble(), None);
    assert_eq!(running.admit(1_000).await, Ok(500), "leased again without a restart");
    let earlier = 500 * OLD_JOURNALS as u64;
    assert_eq!(running.wire.hub.lock().used(&pot()), earlier, "what each boot spent is known");
    // A crash now: the journal that was made late tells what this boot spent.
    *running.wire.away.lock() = Some(Lost::Requests);
    let (said, wire, folder) = running.stop().await;
    assert!(!said);
    *wire.away.lock() = None;
    let next = Running::start(limit, "next", Some(wire), folder);
    sleep(Duration::from_secs(1)).await;
    let (said, wire, _) = next.stop().await;
    assert!(said);
    assert_eq!(wire.hub.lock().settled(&pot()), earlier + 500);
    assert_eq!(wire.hub.lock().available(&pot()), limit - earlier - 500);
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_without_a_journal_is_entered_in_the_one_that_is_made_late() {
    let limit = 100 * CENT;
    let (folder, hub) = piled_up(limit);
    let away = Arc::new(Mutex::new(Some(Lost::Requests)));
    let wire = Wire { hub: Arc::new(Mutex::new(hub)), away, started: Instant::now() };
    let running = Running::start(limit, "late", Some(wire), folder);
    let mut audit = budget(limit);
    audit["enforcement"]["mode"] = serde_json::json!("Audit");
    running.book.configure(&table(&[audit])).unwrap();
    assert_eq!(running.admit(1_000).await, Ok(500), "nothing is enforced");
    *running.wire.away.lock() = None;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(running.book.journal_trouble(), None);
    assert_eq!(running.admit(1_000).await, Ok(500));
    *running.wire.away.lock() = Some(Lost::Requests);
    let (_, wire, folder) = running.stop().await;
    *wire.away.lock() = None;
    let (_, recovered) = Journal::open(&folder.0, "one", "next");
    assert_eq!(recovered.len(), 1, "the others have been reported");
    let spent: u64 = recovered[0].leases.iter().map(|it| it.numbers.spent).sum();
    assert_eq!(spent, 1_000);
}

//! Sidecars, a hub and a bill on one clock that stands still until a test moves it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use pointsman_core::budget::{AccountSet, Admission, Book, BudgetRefusal, Charge, Holder};
use pointsman_core::clock::ManualClock;
use pointsman_core::journal::{Journal, Recovered};
use pointsman_core::ledger::SyncState;
use pointsman_core::table::RouteTable;
use serde_json::{Value, json};

use super::hub::Hub;

pub(crate) const DAY_MS: i64 = 86_400_000;
/// Noon of 2026-11-22 UTC.
pub(crate) const NOON_MS: i64 = 1_795_348_800_000;
pub(crate) const CENT: u64 = 10_000_000_000;
pub(crate) const DAY: &str = "demo/team/day";

/// A folder of its own for each caller, removed when it goes.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_over = std::fs::remove_dir_all(&self.0);
    }
}

/// A Budget `demo/team` with the limit `day`, as a table has it.
pub(crate) fn budget(amount: u64) -> Value {
    json!({
        "namespace": "demo", "name": "team",
        "limits": [{"name": "day", "amount": amount}],
        "enforcement": {"mode": "Enforce", "onLedgerUnavailable": "SpendLease",
                        "outageHorizonSeconds": 900, "defaultMaxTokens": 4096}
    })
}

/// A table of two models, `main/small` and `main/large`.
pub(crate) fn table(budgets: &[Value]) -> RouteTable {
    let model = |name: &str| {
        json!({
            "name": name, "pool": {"namespace": "demo", "name": "main"},
            "provider": {"type": "OpenAI", "label": "openai", "model": name, "baseURL": "http://o"},
            "pricing": {"input": 1, "output": 1}, "capabilities": ["chat"],
            "contextWindow": 1000, "maxOutputTokens": 100
        })
    };
    serde_json::from_value(json!({
        "version": 1, "minReader": 1, "policy": {"namespace": "demo", "name": "support"},
        "models": [model("main/small"), model("main/large")],
        "default": {"action": "Deny"}, "budgets": budgets
    }))
    .unwrap()
}

/// One engine with its book.
pub(crate) struct Sidecar {
    pub(crate) book: Arc<Book>,
    pub(crate) sync: SyncState,
    pub(crate) recovered: Vec<Recovered>,
}

impl Sidecar {
    pub(crate) fn start(clock: &Arc<ManualClock>, folder: &Folder, name: &str, boot: &str) -> Self {
        let (journal, recovered) = Journal::open(&folder.0, name, boot);
        assert_eq!(journal.broken(), None);
        let made = Self::with(clock, name, boot, journal);
        made.book.take_former(&recovered);
        Self { recovered, ..made }
    }

    pub(crate) fn with(clock: &Arc<ManualClock>, name: &str, boot: &str, journal: Journal) -> Self {
        let holder = Holder {
            sidecar: name.into(),
            boot: boot.into(),
            namespace: "demo".into(),
            workload: "support".into(),
        };
        let book = Book::new(clock.clone(), holder, journal);
        Self { sync: SyncState::new(book.clone()), book, recovered: Vec::new() }
    }

    /// The accounts of a request without headers on `main/small`.
    pub(crate) fn accounts(&self) -> AccountSet {
        self.book.accounts_for(&HeaderMap::new(), 0)
    }

    pub(crate) fn admit(&self, amount: u64) -> Admission {
        self.book.admit(&self.accounts(), amount)
    }

    pub(crate) fn granted(&self, amount: u64) -> Charge {
        match self.admit(amount) {
            Admission::Granted(charge) => charge,
            other => panic!("{amount} is not granted: {other:?}"),
        }
    }

    pub(crate) fn refused(&self, amount: u64) -> BudgetRefusal {
        match self.admit(amount) {
            Admission::Refused(refusal) => refusal,
            other => panic!("{amount} is not refused: {other:?}"),
        }
    }

    pub(crate) fn sync(&mut self, hub: &mut Hub) {
        let request = self.sync.request(false);
        let answer = hub.sync(&request);
        self.sync.answered(&answer).unwrap();
    }

    pub(crate) fn free(&self) -> u64 {
        self.book.free_for(&self.accounts())
    }
}

/// A hub with the account `demo/team/day`, and one sidecar that has its first lease.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) hub: Hub,
    pub(crate) folder: Folder,
    pub(crate) one: Sidecar,
}

impl World {
    pub(crate) fn new(amount: u64) -> Self {
        Self::with(amount, &budget(amount))
    }

    pub(crate) fn with(amount: u64, budget: &Value) -> Self {
        let clock = Arc::new(ManualClock::new(NOON_MS));
        let folder = Folder::new();
        let mut hub = Hub::new(NOON_MS, DAY_MS, &[(DAY, amount)]);
        let mut one = Sidecar::start(&clock, &folder, "one", "boot-1");
        one.book.configure(&table(std::slice::from_ref(budget))).unwrap();
        one.sync(&mut hub);
        Self { clock, hub, folder, one }
    }

    pub(crate) fn advance_ms(&mut self, elapsed_ms: u64) {
        self.clock.advance_ms(elapsed_ms);
        self.hub.now_ms += i64::try_from(elapsed_ms).unwrap();
    }

    pub(crate) fn pot(&self) -> (Arc<str>, i64) {
        (DAY.into(), self.hub.window())
    }

    /// Settles with the hub until nothing changes, and says what the hub counts as spent.
    pub(crate) fn settled(&mut self) -> u64 {
        self.one.sync(&mut self.hub);
        self.hub.settled(&self.pot())
    }

    /// A kill and a second start: over the journal as it is at this moment, while the first one's
    /// charges may still be open. Returns the first.
    pub(crate) fn restart(&mut self, boot: &str, budget: &Value) -> Sidecar {
        let folder = Folder::new();
        for entry in std::fs::read_dir(&self.folder.0).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.0.join(path.file_name().unwrap())).unwrap();
        }
        let second = Sidecar::start(&self.clock, &folder, "one", boot);
        second.book.configure(&table(std::slice::from_ref(budget))).unwrap();
        self.folder = folder;
        std::mem::replace(&mut self.one, second)
    }
}

pub(crate) fn absent() -> pointsman_core::journal::JournalError {
    pointsman_core::journal::JournalError::InUse(PathBuf::from("/nowhere"))
}

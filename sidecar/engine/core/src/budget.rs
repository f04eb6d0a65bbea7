//! The book of this sidecar's money. `handle` asks it which Budgets bind a request, reserves before
//! a call is dispatched and settles what it cost; `ledger` syncs it with the hub in the background.
//! All of it lies behind one short lock, so that each step is whole; nothing in it waits but callers.

mod account;
mod charge;
mod continuation;
mod demand;
mod exchange;
mod former;
mod held;
mod patience;
mod refusal;
mod roster;
mod state;
mod subjects;
mod survey;
mod sync;
mod tally;
mod waiter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http::HeaderMap;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

pub use self::charge::Charge;
pub use self::patience::Patience;
pub use self::refusal::{BudgetRefusal, RefusalCode};
use self::state::{Ask, Held, Outcome, State};
use self::subjects::AccountRef;
pub use self::subjects::{AccountSet, Subjects};
pub use self::tally::{Usage, UsageCounters, UsageKey, UsageTotals};
pub use self::waiter::Waiter;
use crate::clock::SharedClock;
use crate::journal::Journal;
use crate::limits::{ACCOUNTS, BUDGET_WAITERS};
use crate::table::RouteTable;

/// Who holds the leases.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The sidecar's id.
    pub sidecar: Arc<str>,
    /// Random id of this engine start.
    pub boot: Arc<str>,
    /// The workload's namespace.
    pub namespace: Arc<str>,
    /// The workload.
    pub workload: Arc<str>,
}

/// A table whose Budgets cannot be kept.
#[derive(Debug, Error)]
pub enum BudgetError {
    /// More limits than the book has room for, or too many of earlier tables still hold money.
    #[error(
        "the table's Budgets have {count} limits for this workload; at most {ACCOUNTS} can be kept, \
         and fewer while the leases of earlier tables are not closed"
    )]
    TooManyAccounts {
        /// How many.
        count: usize,
    },
}

/// The answer to a request for money.
#[derive(Debug)]
pub enum Admission {
    /// Reserved on all accounts.
    Granted(Charge),
    /// The ledger may grant it: wait.
    Wait(Waiter),
    /// No.
    Refused(BudgetRefusal),
}

/// One try of an admission.
#[derive(Debug)]
enum Decision {
    Granted(Charge),
    /// Not yet; the refusal if it must be now.
    Short(BudgetRefusal),
    Refused(BudgetRefusal),
}

/// How soon the ledger should be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// With the next renewal.
    Renewal,
    /// Soon: money runs low or goes back.
    Refill,
    /// At once: callers wait.
    Waiting,
}

/// How far up models may be chosen, and which limit says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The highest tier allowed.
    pub most: u8,
    account: AccountRef,
}

/// Where an account's money is here, for metrics and status; picodollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStanding {
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// Reserved by open charges.
    pub reserved: u64,
    /// Leased and free.
    pub free: u64,
    /// Spent beyond what was granted.
    pub overrun: u64,
    /// Percent of the limit that is used as far as known.
    pub percent: u8,
}

/// Accounts, leases, open charges and usage counters of this engine.
#[derive(Debug)]
pub struct Book {
    clock: SharedClock,
    holder: Holder,
    journal: Arc<Journal>,
    state: Mutex<State>,
    usage: UsageCounters,
    subjects: ArcSwap<Subjects>,
    /// Money may have become available.
    changed: Notify,
    waiting: AtomicUsize,
    /// Picodollars of all open reservations, each once however many accounts it is on.
    reserved: AtomicU64,
    urgency: AtomicU8,
    /// The ledger should be asked.
    asked: Notify,
}

impl Book {
    /// An empty book: `configure` gives it accounts, the ledger money.
    #[must_use]
    pub fn new(clock: SharedClock, holder: Holder, journal: Journal) -> Arc<Self> {
        let journal = Arc::new(journal);
        Arc::new(Self {
            clock,
            state: Mutex::new(State::new(journal.clone(), holder.boot.clone())),
            usage: UsageCounters::new(journal.clone()),
            holder,
            journal,
            subjects: ArcSwap::default(),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            reserved: AtomicU64::new(0),
            urgency: AtomicU8::new(Urgency::Renewal as u8),
            asked: Notify::new(),
        })
    }

    /// Takes over a table's Budgets; accounts that persist keep their leases. The result answers
    /// `accounts_for` for this table's model indexes and belongs in its plan.
    ///
    /// # Errors
    /// The table must not be served; the book stays as it was.
    pub fn configure(&self, table: &RouteTable) -> Result<Arc<Subjects>, BudgetError> {
        let accounts = self.state.lock().configure(table, &self.holder)?;
        let subjects = Arc::new(Subjects::new(table, &self.holder, accounts));
        self.subjects.store(subjects.clone());
        self.ask(Urgency::Refill);
        Ok(subjects)
    }

    /// `Subjects::accounts_for` of the table that was configured last.
    #[must_use]
    pub fn accounts_for(&self, headers: &HeaderMap, model: usize) -> AccountSet {
        self.subjects.load().accounts_for(headers, model)
    }

    /// Reserves `amount` picodollars on every account, or on none.
    pub fn admit(self: &Arc<Self>, accounts: &AccountSet, amount: u64) -> Admission {
        self.admit_stream(accounts, amount, amount)
    }

    /// `admit` for a stream that reserves a part and may come to cost `worst`: near the end of a Budget
    /// the rest is kept for it.
    pub fn admit_stream(
        self: &Arc<Self>,
        accounts: &AccountSet,
        amount: u64,
        worst: u64,
    ) -> Admission {
        if accounts.is_empty() {
            return Admission::Granted(Charge::new(self.clone(), Held::NONE, amount));
        }
        let ask = Ask { amount, worst };
        match self.decide(accounts, ask, false) {
            Decision::Granted(charge) => Admission::Granted(charge),
            Decision::Refused(refusal) => Admission::Refused(refusal),
            Decision::Short(refusal) => self.enqueue(accounts, ask, refusal),
        }
    }

    /// Whether an enforced account of the set has room for few more calls that may cost `worst`.
    #[must_use]
    pub fn near_end(&self, accounts: &AccountSet, worst: u64) -> bool {
        let state = self.state.lock();
        state.near_end(accounts, worst, state.now(self.clock.boot_ms()))
    }

    /// What `admit` would grant at once, picodollars; `u64::MAX` where nothing limits it.
    #[must_use]
    pub fn free_for(&self, accounts: &AccountSet) -> u64 {
        let state = self.state.lock();
        state.free_for(accounts, state.now(self.clock.boot_ms()))
    }

    /// The lowest tier that the crossed `Downgrade` thresholds of enforced Budgets still allow.
    #[must_use]
    pub fn max_tier(&self, accounts: &AccountSet) -> Option<Tier> {
        if accounts.is_empty() {
            return None;
        }
        let state = self.state.lock();
        let now = state.now(self.clock.boot_ms());
        let tier = |account: AccountRef| {
            let it = state.account(account).filter(|it| it.enforced())?;
            it.max_tier(now.ledger_ms).map(|most| Tier { most, account })
        };
        accounts.iter().filter_map(tier).min_by_key(|tier| tier.most)
    }

    /// The limit that set a tier, as a refusal.
    #[must_use]
    pub fn downgraded(&self, tier: Tier) -> BudgetRefusal {
        let state = self.state.lock();
        let now = state.now(self.clock.boot_ms());
        let set = AccountSet::default();
        state.refusal(&set, tier.account.index, RefusalCode::Downgraded, now)
    }

    /// `namespace/name/limit` of each account of a set that still exists, for records.
    #[must_use]
    pub fn names(&self, accounts: &AccountSet) -> Vec<Arc<str>> {
        let state = self.state.lock();
        let accounts = accounts.iter().filter_map(|it| state.account(it));
        accounts.map(|it| it.names.account.clone()).collect()
    }

    /// Picodollars of all open reservations, each once however many Budgets bind it.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Who used what.
    #[must_use]
    pub const fn usage(&self) -> &UsageCounters {
        &self.usage
    }

    /// Where the money of each account is, for metrics and status.
    #[must_use]
    pub fn standings(&self) -> Vec<AccountStanding> {
        let state = self.state.lock();
        state.standings(state.now(self.clock.boot_ms()))
    }

    /// Whether the ledger is known not to answer.
    #[must_use]
    pub fn ledger_is_away(&self) -> bool {
        self.state.lock().ledger.is_away()
    }

    /// Why the last sync failed, if it did.
    #[must_use]
    pub fn ledger_trouble(&self) -> Option<Arc<str>> {
        self.state.lock().ledger.trouble.clone()
    }

    /// Why nothing can be leased: the journal's words, where it does not work.
    #[must_use]
    pub fn journal_trouble(&self) -> Option<&str> {
        self.journal.broken()
    }

    fn decide(self: &Arc<Self>, accounts: &AccountSet, ask: Ask, last: bool) -> Decision {
        let boot_ms = self.clock.boot_ms();
        let mut state = self.state.lock();
        let now = state.now(boot_ms);
        if accounts.overflows() {
            let first = accounts.iter().next().map_or(0, |it| it.index);
            let code = RefusalCode::TooManyBudgets;
            return Decision::Refused(state.refusal(accounts, first, code, now));
        }
        match state.reserve(accounts, ask, now, last) {
            Outcome::Held(held) => {
                let low = state.runs_low(&held, now);
                drop(state);
                if low {
                    self.ask(Urgency::Refill);
                }
                Decision::Granted(Charge::new(self.clone(), held, ask.amount))
            }
            Outcome::Short(index) => {
                Decision::Short(state.refusal(accounts, index, RefusalCode::Overloaded, now))
            }
            Outcome::Refused(index, code) => {
                let stale = state.is_stale(index, now);
                let refusal = state.refusal(accounts, index, code, now);
                drop(state);
                if stale && code.is_final() {
                    self.ask(Urgency::Refill);
                }
                Decision::Refused(refusal)
            }
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        accounts: &AccountSet,
        ask: Ask,
        full: BudgetRefusal,
    ) -> Admission {
        if self.waiting.load(Ordering::Relaxed) >= BUDGET_WAITERS {
            return Admission::Refused(full);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.state.lock().await_money(accounts, ask);
        self.ask(Urgency::Waiting);
        Admission::Wait(Waiter::new(self.clone(), *accounts, ask))
    }

    fn leave_queue(&self, accounts: &AccountSet, ask: Ask) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.state.lock().stop_awaiting(accounts, ask);
    }

    fn grow(&self, held: &Held, amount: u64, total: u64, turn: u64) -> bool {
        let boot_ms = self.clock.boot_ms();
        let mut state = self.state.lock();
        let now = state.now(boot_ms);
        let grown = state.grow(held, amount, total, turn, now);
        let low = grown && state.runs_low(held, now);
        drop(state);
        match (grown, low) {
            (false, _) => self.ask(Urgency::Waiting),
            (true, true) => self.ask(Urgency::Refill),
            (true, false) => {}
        }
        grown
    }

    /// A reservation of `amount` beside `held`, where leases of that ended; none where they did not
    /// or what took their place lacks it.
    fn go_on(&self, held: &Held, amount: u64) -> Option<Held> {
        let mut state = self.state.lock();
        let now = state.now(self.clock.boot_ms());
        state.go_on(held, amount, now)
    }

    fn shortage(&self, held: &Held, amount: u64) -> BudgetRefusal {
        let state = self.state.lock();
        state.shortage(held, amount, state.now(self.clock.boot_ms()))
    }

    fn settle(&self, held: &Held, reserved: u64, spent: u64, unconfirmed: u64) {
        self.state.lock().settle(held, reserved, spent, unconfirmed);
        self.changed.notify_waiters();
    }
}

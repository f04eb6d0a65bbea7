//! One account: a limit of a Budget, what the hub said of it, and what this sidecar needs from it.
//! `state` asks it where a reservation may go; `sync` asks it what to want. It holds no money: that
//! is in its leases.

use std::sync::Arc;

use super::RefusalCode;
use super::demand::Demand;
use crate::table::{
    Budget, Enforcement, EnforcementMode, Limit, OnLedgerUnavailable, Threshold, ThresholdAction,
};

/// One limit of one Budget, as this sidecar knows it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) generation: u16,
    pub(super) names: Names,
    /// In the current table and of concern to this workload.
    pub(super) listed: bool,
    /// Binds every request, so money is fetched before the first; others at their first request.
    pub(super) eager: bool,
    /// Picodollars.
    pub(super) amount: u64,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) enforcement: Enforcement,
    /// The hub's leases, by slot; few.
    pub(super) leases: Vec<u16>,
    /// The holder's own lease, for what is spent without a grant.
    pub(super) own: Option<u16>,
    pub(super) standing: Option<Standing>,
    pub(super) denial: Option<Denial>,
    /// The answer that said that others are called to give back what they do not use.
    pub(super) called: Option<u64>,
    /// Picodollars that callers wait for.
    pub(super) waiting: u64,
    /// What running calls whose lease was lost asked for, where there is no lease yet.
    pub(super) short: u64,
    /// What those callers' requests may come to cost.
    pub(super) awaited: u64,
    /// Picodollars that open streams may still come to need, beyond what they have reserved.
    pub(super) promised: u64,
    pub(super) demand: Demand,
    /// Spent and unconfirmed in the standing's window since boot, and as of the last report.
    pub(super) spent: u64,
    pub(super) spent_reported: u64,
}

/// How an account is called, whole and in parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// `namespace/name/limit`.
    pub(super) account: Arc<str>,
    /// `namespace/name`.
    pub(super) budget: Arc<str>,
    /// Within the Budget.
    pub(super) limit: Arc<str>,
}

/// What the hub last said of an account's current window.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) window: Arc<str>,
    /// Picodollars.
    pub(super) limit: u64,
    pub(super) used: u64,
    /// Highest percent crossed.
    pub(super) threshold: u8,
    pub(super) resets: Reset,
    /// `Account::spent` that is in `used`.
    pub(super) spent_then: u64,
    /// When it was said, boot time.
    pub(super) said_boot_ms: u64,
    /// How long a refusal may rest on it before the hub is asked again.
    pub(super) again_ms: u64,
}

/// When a window ends.
#[derive(Debug, Clone)]
pub(super) struct Reset {
    /// RFC 3339, as the hub wrote it.
    pub(super) text: Arc<str>,
    /// Unix time, milliseconds.
    pub(super) at_ms: i64,
}

/// The hub granted less than was needed.
#[derive(Debug, Clone)]
pub(super) struct Denial {
    /// What callers are told.
    pub(super) code: RefusalCode,
    /// Requests that do not fit are refused at once until then, boot time.
    pub(super) until_boot_ms: u64,
    pub(super) resets: Option<Reset>,
}

/// How full an account is where a threshold acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crossed {
    /// No `Block` crossed.
    No,
    /// A `Block` below 100 percent.
    Blocked,
    /// A `Block` at 100 percent.
    Exhausted,
}

impl Account {
    pub(super) fn new(generation: u16, budget: &Budget, limit: &Limit) -> Self {
        let whole = format!("{}/{}", budget.namespace, budget.name);
        let names = Names {
            account: format!("{whole}/{}", limit.name).into(),
            budget: whole.into(),
            limit: limit.name.as_str().into(),
        };
        Self {
            generation,
            names,
            listed: false,
            eager: false,
            amount: limit.amount,
            thresholds: Vec::new(),
            enforcement: budget.enforcement,
            leases: Vec::new(),
            own: None,
            standing: None,
            denial: None,
            called: None,
            waiting: 0,
            short: 0,
            awaited: 0,
            promised: 0,
            demand: Demand::default(),
            spent: 0,
            spent_reported: 0,
        }
    }

    /// Takes over what a table says. A changed amount makes the hub's earlier word void.
    pub(super) fn update(&mut self, budget: &Budget, limit: &Limit) {
        self.listed = true;
        self.eager = budget.subject.header.is_none();
        if self.thresholds != budget.thresholds {
            self.thresholds.clone_from(&budget.thresholds);
            // The hub may have refused below a share that blocks no longer.
            self.denial = None;
        }
        self.enforcement = budget.enforcement;
        if self.amount != limit.amount {
            self.amount = limit.amount;
            self.standing = None;
            self.denial = None;
        }
    }

    pub(super) fn enforced(&self) -> bool {
        self.enforcement.mode == EnforcementMode::Enforce
    }

    /// How long leased money should last without the hub, milliseconds; 0 where it would be of no use.
    pub(super) fn outage_ms(&self) -> u64 {
        match self.enforcement.on_ledger_unavailable {
            OnLedgerUnavailable::SpendLease => {
                self.enforcement.outage_horizon_seconds.saturating_mul(1_000)
            }
            OnLedgerUnavailable::Allow | OnLedgerUnavailable::Deny => 0,
        }
    }

    /// The hub's word, while its window lasts.
    pub(super) fn standing(&self, ledger_ms: i64) -> Option<&Standing> {
        self.standing.as_ref().filter(|it| ledger_ms < it.resets.at_ms)
    }

    /// Picodollars that are left here below the share at which calls are blocked, beyond `held`, the
    /// reservations that are open.
    pub(super) fn left(&self, held: u64, ledger_ms: i64) -> u64 {
        let blocks = self.thresholds.iter().filter(|it| it.action == ThresholdAction::Block);
        let percent = blocks.map(|it| it.percent).min().unwrap_or(100).min(100);
        let ceiling = u128::from(self.amount) * u128::from(percent) / 100;
        let ceiling = u64::try_from(ceiling).unwrap_or(self.amount);
        ceiling.saturating_sub(self.used(ledger_ms).unwrap_or(0)).saturating_sub(held)
    }

    /// Picodollars spent in the window as far as known here.
    pub(super) fn used(&self, ledger_ms: i64) -> Option<u64> {
        let standing = self.standing(ledger_ms)?;
        Some(standing.used.saturating_add(self.spent.saturating_sub(standing.spent_then)))
    }

    /// Percent of the limit that is spent, from the hub's word and what was spent here since.
    pub(super) fn percent(&self, ledger_ms: i64) -> u8 {
        let (Some(standing), Some(used)) = (self.standing(ledger_ms), self.used(ledger_ms)) else {
            return 0;
        };
        let share = u128::from(used) * 100 / u128::from(standing.limit.max(1));
        standing.threshold.max(u8::try_from(share).unwrap_or(u8::MAX))
    }

    /// Whether a `Block` threshold is crossed.
    pub(super) fn crossed(&self, ledger_ms: i64) -> Crossed {
        let mut blocks = self.thresholds.iter().filter(|it| it.action == ThresholdAction::Block);
        let Some(block) = blocks.next() else { return Crossed::No };
        match self.percent(ledger_ms) {
            percent if percent < block.percent => Crossed::No,
            _ if block.percent >= 100 => Crossed::Exhausted,
            _ => Crossed::Blocked,
        }
    }

    /// The highest tier that `Downgrade` thresholds still allow.
    pub(super) fn max_tier(&self, ledger_ms: i64) -> Option<u8> {
        let downgrades =
            self.thresholds.iter().filter(|it| it.action == ThresholdAction::Downgrade);
        let percent = self.percent(ledger_ms);
        downgrades.filter(|it| it.percent <= percent).map(|it| it.max_tier).min()
    }

    /// The hub's refusal, while it is fresh.
    pub(super) fn denial(&self, boot_ms: u64) -> Option<&Denial> {
        self.denial.as_ref().filter(|it| boot_ms < it.until_boot_ms)
    }

    /// Whether the hub was restored and grants nothing yet: as far as this account goes, it is away.
    pub(super) fn awaits_restore(&self, boot_ms: u64) -> bool {
        self.denial(boot_ms).is_some_and(|it| it.code == RefusalCode::LedgerRestored)
    }
}

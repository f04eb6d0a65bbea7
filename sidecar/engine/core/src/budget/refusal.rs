//! Why a Budget refused a request, with all that its answer says.

use std::fmt;
use std::sync::Arc;

use crate::price::Usd;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// The limit is spent, leased elsewhere, or less is left than the request needs.
    Exhausted,
    /// A `Block` threshold below 100 percent is crossed.
    Blocked,
    /// The request alone may cost more than the whole limit.
    TooLarge,
    /// No lease, and the ledger does not answer.
    LedgerUnavailable,
    /// No lease, and the ledger was restored: it waits for every holder's report.
    LedgerRestored,
    /// The journal cannot be written, so nothing may be leased.
    JournalUnavailable,
    /// Too many requests wait for money or hold reservations.
    Overloaded,
    /// More Budgets bind the request than one reservation can name.
    TooManyBudgets,
    /// A `Downgrade` threshold is crossed and every candidate is of a higher tier.
    Downgraded,
}

impl RefusalCode {
    /// The label of metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Blocked => "blocked",
            Self::TooLarge => "too_large",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::LedgerRestored => "ledger_restored",
            Self::JournalUnavailable => "journal_unavailable",
            Self::Overloaded => "overloaded",
            Self::TooManyBudgets => "too_many_budgets",
            Self::Downgraded => "downgraded",
        }
    }

    /// Whether the money is gone, rather than out of reach for now.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Exhausted | Self::Blocked | Self::TooLarge | Self::Downgraded)
    }
}

/// A Budget's refusal. `Display` is the sentence for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRefusal {
    /// Why.
    pub code: RefusalCode,
    /// `namespace/name/limit`.
    pub account: Arc<str>,
    /// `namespace/name`.
    pub budget: Arc<str>,
    /// The limit's name.
    pub limit: Arc<str>,
    /// The limit, picodollars.
    pub amount: u64,
    /// Spent in the window as far as known, picodollars.
    pub used: Option<u64>,
    /// What would be granted now on all accounts of the request, picodollars: a smaller cap may fit.
    pub available: u64,
    /// When the window ends, Unix milliseconds.
    pub resets_at_ms: Option<i64>,
    /// The same as RFC 3339 in the Budget's time zone.
    pub resets_at: Option<Arc<str>>,
    /// For how long asking again is in vain, where the hub said so, milliseconds.
    pub wait_ms: u64,
    /// What the journal said.
    pub detail: Option<Arc<str>>,
}

impl fmt::Display for BudgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (budget, limit) = (&self.budget, &self.limit);
        write!(f, "Budget {budget}, limit {limit} ({} USD): ", Usd(self.amount))?;
        match self.code {
            RefusalCode::Exhausted => write!(f, "not enough is left for this request")?,
            RefusalCode::Blocked => write!(f, "its blocking threshold is reached")?,
            RefusalCode::TooLarge => write!(f, "this request alone may cost more than the limit")?,
            RefusalCode::LedgerUnavailable => {
                write!(f, "the ledger cannot be reached and no leased money is left")?;
            }
            RefusalCode::LedgerRestored => {
                write!(f, "the ledger was restored and waits for every sidecar's report")?;
            }
            RefusalCode::JournalUnavailable => {
                let detail = self.detail.as_deref().unwrap_or("it cannot be written");
                write!(f, "nothing can be leased without a journal: {detail}")?;
            }
            RefusalCode::Overloaded => write!(f, "too many requests wait for it; try again")?,
            RefusalCode::TooManyBudgets => {
                write!(f, "more Budgets bind this request than can be reserved on at once")?;
            }
            RefusalCode::Downgraded => write!(f, "only models of lower tiers are allowed now")?,
        }
        match &self.resets_at {
            Some(resets_at) if self.code.is_final() => write!(f, "; it resets at {resets_at}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BudgetRefusal {}

#[cfg(test)]
mod tests {
    use super::{BudgetRefusal, RefusalCode};

    #[test]
    fn a_refusal_names_the_budget_and_when_it_resets() {
        let refusal = BudgetRefusal {
            code: RefusalCode::Exhausted,
            account: "demo/team/day".into(),
            budget: "demo/team".into(),
            limit: "day".into(),
            amount: 5_000_000_000_000,
            used: None,
            available: 0,
            resets_at_ms: Some(0),
            resets_at: Some("2026-11-23T00:00:00+01:00".into()),
            wait_ms: 0,
            detail: None,
        };
        assert_eq!(
            refusal.to_string(),
            "Budget demo/team, limit day (5 USD): not enough is left for this request; \
             it resets at 2026-11-23T00:00:00+01:00"
        );
    }
}

//! What a Budget answers when it refuses: one variant a reason, each naming the Budget, the limit
//! and, where waiting helps, when its window ends.

use http::StatusCode;

use super::Class;
use super::message::short;
use super::refusal::{Facts, QUOTA, SERVER};
use super::retry::Retry;

/// A limit as answers name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitName {
    /// `namespace/name` of the Budget.
    pub budget: String,
    /// Name and amount, e.g. `day (5 USD)`.
    pub limit: String,
    /// RFC 3339; empty for a window whose end is not known.
    pub resets_at: String,
}

/// Why a Budget refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetNo {
    /// The limit is spent, or less is left than the request needs.
    UsedUp,
    /// A `Block` threshold below 100 percent is crossed.
    Blocked,
    /// The request alone may cost more than the whole limit.
    TooLarge,
    /// What is left does not pay for the least answer.
    MinimumCap {
        /// Tokens that could be paid for.
        affordable: u64,
    },
    /// More Budgets bind the request than one reservation can name.
    TooMany,
    /// The ledger cannot be reached and nothing is leased.
    LedgerUnavailable,
    /// The ledger was restored, waits for every sidecar's report, and nothing is leased.
    LedgerRestored {
        /// Seconds until it is worth asking again.
        wait_s: u64,
    },
    /// Nothing may be leased, because the journal cannot be written.
    JournalUnavailable {
        /// What the file system said.
        detail: String,
    },
    /// Too many requests wait for money or hold reservations.
    Busy,
}

impl BudgetNo {
    pub(super) fn facts(&self) -> Facts {
        let refused = |code, label| Facts {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: QUOTA,
            code,
            label,
            class: Class::Budget,
            retry: Retry::Never,
        };
        match self {
            Self::UsedUp => refused(QUOTA, "budget"),
            Self::Blocked => refused(QUOTA, "budget_blocked"),
            Self::TooLarge => refused("request_exceeds_budget", "request_exceeds_budget"),
            Self::MinimumCap { .. } => refused(QUOTA, "minimum_cap"),
            Self::TooMany => refused("too_many_budgets", "too_many_budgets"),
            Self::LedgerUnavailable => refused(QUOTA, "ledger_unavailable"),
            Self::LedgerRestored { wait_s } => Facts {
                retry: Retry::After(*wait_s),
                ..refused("ledger_restored", "ledger_restored")
            },
            Self::JournalUnavailable { .. } => refused(QUOTA, "journal_unavailable"),
            Self::Busy => Facts {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: SERVER,
                code: "overloaded",
                label: "budget_busy",
                class: Class::Shed,
                retry: Retry::After(1),
            },
        }
    }

    /// Whether the money is gone, rather than out of reach for now.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::UsedUp | Self::Blocked | Self::TooLarge | Self::MinimumCap { .. })
    }

    pub(super) fn message(&self, of: &LimitName) -> String {
        let (budget, limit) = (short(&of.budget), short(&of.limit));
        let resets = resets(of);
        match self {
            Self::UsedUp => format!(
                "Budget {budget} is used up: limit {limit} has too little left for this \
                 request{resets}. Wait for that, or raise the Budget's limit."
            ),
            Self::Blocked => format!(
                "Budget {budget} blocks calls: limit {limit} has crossed the Budget's Block \
                 threshold{resets}. Wait for that, or raise the limit or the threshold."
            ),
            Self::TooLarge => format!(
                "This request alone may cost more than the whole limit {limit} of Budget \
                 {budget}, so that waiting does not help. Lower max_tokens, send a shorter \
                 prompt, ask a cheaper model, or raise the Budget's limit."
            ),
            Self::MinimumCap { affordable } => format!(
                "What is left of Budget {budget}, limit {limit}, pays for {affordable} tokens of \
                 this model's answer only{resets}. \
                 Send a shorter prompt, ask a cheaper model, or raise the Budget's limit."
            ),
            Self::TooMany => format!(
                "More Budgets bind this request than can be reserved on at once, Budget {budget}, \
                 limit {limit}, among them. Narrow the Budgets' subjects, or merge some of them."
            ),
            Self::LedgerUnavailable => format!(
                "Budget {budget}, limit {limit}, is enforced, but its ledger (the Pointsman hub) \
                 cannot be reached and nothing is leased. Try again when the hub is back, \
                 or set the Budget's enforcement.onLedgerUnavailable to Allow."
            ),
            Self::LedgerRestored { wait_s } => format!(
                "Budget {budget}, limit {limit}, is enforced, and its ledger was restored from a \
                 backup: for up to a minute it waits for every sidecar's report before it grants \
                 anew, and what is leased here does not cover this request. Try again in {wait_s} s."
            ),
            Self::JournalUnavailable { detail } => format!(
                "Budget {budget}, limit {limit}, is enforced, but the sidecar cannot write its \
                 journal ({}), so it may lease no money. Give its state folder room.",
                short(detail)
            ),
            Self::Busy => format!(
                "Too many requests wait for money of Budget {budget}, limit {limit}, or hold some \
                 of it. Try again."
            ),
        }
    }
}

/// A sentence's end that says when waiting is over.
pub(super) fn resets(of: &LimitName) -> String {
    if of.resets_at.is_empty() {
        String::new()
    } else {
        format!("; it resets at {}", short(&of.resets_at))
    }
}

//! Budgets as a table carries them.

use serde::Deserialize;

use super::HeaderMatch;

/// A Budget that binds this workload.
#[derive(Debug, Clone, Deserialize)]
pub struct Budget {
    /// Namespace of the Budget.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which requests it counts.
    #[serde(default)]
    pub subject: Subject,
    /// One account each.
    pub limits: Vec<Limit>,
    /// Ascending by percent.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// How strictly.
    pub enforcement: Enforcement,
}

/// All members must match; empty ones do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Caller namespaces.
    pub namespaces: Vec<String>,
    /// Caller workloads.
    pub workloads: Vec<String>,
    /// Attribution by header.
    pub header: Option<HeaderMatch>,
    /// `Model::name` globs.
    pub models: Vec<String>,
}

/// Money within a window.
#[derive(Debug, Clone, Deserialize)]
pub struct Limit {
    /// Within the Budget.
    pub name: String,
    /// Picodollars.
    pub amount: u64,
}

/// What happens at a share of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Of any limit.
    pub percent: u8,
    /// What happens.
    pub action: ThresholdAction,
    /// For `Downgrade`.
    #[serde(default)]
    pub max_tier: u8,
}

/// Threshold actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ThresholdAction {
    /// An event; calls go on.
    Notify,
    /// Only models up to `maxTier`.
    Downgrade,
    /// Calls are refused.
    Block,
}

/// How strictly a Budget is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// Refuse, or only count.
    pub mode: EnforcementMode,
    /// When the hub is away.
    pub on_ledger_unavailable: OnLedgerUnavailable,
    /// How long leases outlive the hub.
    pub outage_horizon_seconds: u64,
    /// Cap spliced into calls that have none.
    pub default_max_tokens: u64,
}

/// Enforcement modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum EnforcementMode {
    /// Refuse what does not fit.
    Enforce,
    /// Count only.
    Audit,
}

/// What a missing ledger means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum OnLedgerUnavailable {
    /// Spend what is leased, then refuse.
    SpendLease,
    /// Go on, counted.
    Allow,
    /// Refuse at once.
    Deny,
}

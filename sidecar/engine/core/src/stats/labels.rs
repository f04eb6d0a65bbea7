//! The label sets of the engine's metrics: bounded, as `stats` says.

use prometheus_client::encoding::EncodeLabelSet;

/// Labels of a model.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ModelLabels {
    pub(super) model: String,
    pub(super) provider: String,
}

/// Labels of a finished call.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) outcome: &'static str,
}

/// Labels of an attempt.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) class: &'static str,
}

/// Labels of calls that went elsewhere.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OverflowLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) reason: &'static str,
}

/// Labels of endpoints.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct LevelLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) level: &'static str,
}

/// Labels of a share of a model's limit.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ShareLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) limit: &'static str,
    pub(super) part: &'static str,
}

/// Labels of tokens.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct TokenLabels {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) direction: &'static str,
}

/// Labels of a refusal.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RefusalLabels {
    pub(super) reason: &'static str,
}

/// Labels of a table.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct TableLabels {
    pub(super) digest: String,
}

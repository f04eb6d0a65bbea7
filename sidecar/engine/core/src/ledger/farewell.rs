//! A former boot's last report, made from its journal.

use std::sync::Arc;

use super::document::{LeaseReport, SyncRequest, UsageReport};
use crate::journal::{Recovered, RecoveredLease, RecoveredUsage};

/// What a journal holds as a request under its old boot. Where it is damaged, leases stay open: the
/// hub lets them expire and counts their rest as unconfirmed, which is too much rather than too little.
#[must_use]
pub fn farewell(sidecar: &Arc<str>, recovered: &Recovered) -> SyncRequest {
    let lease = |it: &RecoveredLease| LeaseReport {
        id: it.id.as_str().into(),
        account: it.account.as_str().into(),
        window: (!it.window.is_empty()).then(|| it.window.as_str().into()),
        granted: it.numbers.granted,
        returned: it.numbers.returned,
        spent: it.numbers.spent,
        unconfirmed: it.numbers.unconfirmed,
        free: 0,
        closed: recovered.intact,
    };
    SyncRequest {
        sidecar: sidecar.clone(),
        boot: recovered.boot.as_str().into(),
        seq: 0,
        incarnation: 0,
        last: recovered.intact,
        leases: recovered.leases.iter().map(lease).collect(),
        usage: recovered.usage.iter().map(usage).collect(),
        wants: Vec::new(),
    }
}

fn usage(row: &RecoveredUsage) -> UsageReport {
    let [model, provider, workload, team, key, endpoint] = row.names.clone();
    let [requests, input_tokens, output_tokens, cost, unconfirmed] = row.totals;
    UsageReport {
        model,
        provider,
        workload,
        team,
        key,
        endpoint,
        requests,
        input_tokens,
        output_tokens,
        cost,
        unconfirmed,
    }
}

//! The hub's side of the contract in a hundred lines: its arithmetic and its rules, no store.
//! `docs/contracts.md` 3 is the specification; the real hub is tested against the same page.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman_core::ledger::document::{
    AccountState, Denied, DeniedCode, LeaseGrant, LeaseReport, SyncAnswer, SyncRequest,
    UsageReport, Want, WindowNames,
};

pub(crate) const HARD_EXPIRY_MS: u64 = 900_000;
pub(crate) const MARGIN_MS: i64 = 60_000;
pub(crate) const RESTORE_SETTLE_MS: i64 = 60_000;

/// An account's name and a window's number.
type PotKey = (Arc<str>, i64);

#[derive(Debug, Clone, Default)]
pub(crate) struct Lease {
    pub(crate) holder: (Arc<str>, Arc<str>),
    pub(crate) pot: (Arc<str>, i64),
    pub(crate) granted: u64,
    pub(crate) returned: u64,
    pub(crate) spent: u64,
    pub(crate) unconfirmed: u64,
    pub(crate) closed: bool,
    pub(crate) lost: bool,
    pub(crate) expires_ms: i64,
}

impl Lease {
    fn rest(&self) -> u64 {
        let gone = self.returned + self.spent + self.unconfirmed;
        if self.closed { 0 } else { self.granted.saturating_sub(gone) }
    }
}

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) now_ms: i64,
    pub(crate) window_ms: i64,
    pub(crate) incarnation: u64,
    /// Until then nothing is granted, for it was restored.
    pub(crate) settles_until_ms: i64,
    pub(crate) limits: BTreeMap<Arc<str>, u64>,
    pub(crate) leases: BTreeMap<Arc<str>, Lease>,
    pub(crate) usage: BTreeMap<(Arc<str>, String), UsageReport>,
    /// Set by a test: everything free is wanted back.
    pub(crate) recall: bool,
    /// Set by a test: when to ask again, with denials and where a threshold blocks.
    pub(crate) again_ms: Option<u64>,
    /// Set by a test: others are called to give back, and when to ask again, with denials.
    pub(crate) wait_ms: Option<u64>,
    pub(crate) thresholds: Vec<u8>,
    pub(crate) syncs: u64,
}

impl Hub {
    pub(crate) fn new(now_ms: i64, window_ms: i64, limits: &[(&str, u64)]) -> Self {
        Self {
            now_ms,
            window_ms,
            incarnation: 1,
            settles_until_ms: 0,
            limits: limits.iter().map(|(name, limit)| (Arc::from(*name), *limit)).collect(),
            leases: BTreeMap::new(),
            usage: BTreeMap::new(),
            recall: false,
            again_ms: None,
            wait_ms: None,
            thresholds: vec![80, 100],
            syncs: 0,
        }
    }

    /// Set back to a backup that knows of no lease.
    pub(crate) fn restore(&mut self) {
        self.leases.clear();
        self.incarnation += 1;
        self.settles_until_ms = self.now_ms + RESTORE_SETTLE_MS;
    }

    pub(crate) fn window(&self) -> i64 {
        self.now_ms.div_euclid(self.window_ms)
    }

    pub(crate) fn sync(&mut self, request: &SyncRequest) -> SyncAnswer {
        self.syncs += 1;
        self.expire();
        let holder = (request.sidecar.clone(), request.boot.clone());
        for report in &request.leases {
            self.book(&holder, report);
            self.readmit(request, report);
        }
        if request.last {
            let named = |id: &Arc<str>| request.leases.iter().any(|it| it.id == *id);
            for (id, lease) in &mut self.leases {
                lease.closed |= lease.holder == holder && !named(id);
            }
        }
        for row in &request.usage {
            let names = [&row.model, &row.provider, &row.workload, &row.team, &row.key];
            let key = names.map(String::as_str).join("|") + &row.endpoint;
            self.usage.insert((request.boot.clone(), key), row.clone());
        }
        let mut denied = Vec::new();
        let settles = self.now_ms < self.settles_until_ms;
        if settles || [0, self.incarnation].contains(&request.incarnation) {
            denied.extend(request.wants.iter().filter_map(|it| self.grant(&holder, it)));
        }
        let mut names: Vec<_> = request.leases.iter().map(|it| it.account.clone()).collect();
        names.extend(request.wants.iter().map(|it| it.account.clone()));
        names.sort();
        names.dedup();
        SyncAnswer {
            incarnation: self.incarnation,
            seq: request.seq,
            now_ms: self.now_ms,
            leases: self.held(&holder),
            denied,
            states: names.iter().filter_map(|it| self.state(it)).collect(),
        }
    }

    fn book(&mut self, holder: &(Arc<str>, Arc<str>), report: &LeaseReport) {
        let window = report.window.as_ref().map_or(self.window(), |it| it[1..].parse().unwrap());
        let lease = self.leases.entry(report.id.clone()).or_insert_with(|| Lease {
            holder: holder.clone(),
            pot: (report.account.clone(), window),
            lost: true,
            expires_ms: i64::MAX,
            ..Lease::default()
        });
        assert_eq!(&lease.holder, holder, "a lease is reported by its holder alone");
        assert!(report.granted <= lease.granted || lease.lost, "the holder invents no grant");
        lease.returned = lease.returned.max(report.returned);
        lease.spent = lease.spent.max(report.spent);
        lease.unconfirmed = lease.unconfirmed.max(report.unconfirmed);
        lease.closed |= report.closed;
    }

    /// A holder of an older incarnation goes on with what it was granted.
    fn readmit(&mut self, request: &SyncRequest, report: &LeaseReport) {
        let older = ![0, self.incarnation].contains(&request.incarnation);
        let own = report.id.starts_with("u-");
        let Some(lease) = self.leases.get_mut(&report.id) else { return };
        if older && self.now_ms < self.settles_until_ms && !own && !report.closed {
            lease.lost = false;
            lease.granted = lease.granted.max(report.granted);
        }
    }

    fn expire(&mut self) {
        let now_ms = self.now_ms;
        for lease in self.leases.values_mut().filter(|it| it.expires_ms <= now_ms) {
            lease.lost = true;
        }
    }

    fn grant(&mut self, holder: &(Arc<str>, Arc<str>), want: &Want) -> Option<Denied> {
        let limit = *self.limits.get(&want.account)?;
        let ordered = want.need <= want.prefer && want.prefer <= want.reserve;
        assert!(ordered && want.reserve <= limit, "{want:?}");
        let named = want.window.as_ref().map_or(self.window(), |it| it[1..].parse().unwrap());
        let pot = (want.account.clone(), named + i64::from(want.next));
        let open = |it: &Lease| it.holder == *holder && it.pot == pot && !it.closed && !it.lost;
        let held =
            self.leases.iter().find(|(_, it)| open(it)).map(|(id, it)| (id.clone(), it.granted));
        if self.now_ms < self.settles_until_ms {
            return Some(Denied {
                account: want.account.clone(),
                window: Some(format!("w{}", pot.1).into()),
                code: DeniedCode::Restored,
                resets_at: Some(rfc3339((pot.1 + 1) * self.window_ms).into()),
                again_ms: u64::try_from(self.settles_until_ms - self.now_ms).ok(),
                wait_ms: None,
            });
        }
        let granted = held.as_ref().map_or(0, |it| it.1);
        let available = self.available(&pot);
        let known = want.have.min(granted);
        let need = (known + want.need).saturating_sub(granted);
        let wish = (known + want.prefer).saturating_sub(granted);
        let lasting = (known + want.reserve).saturating_sub(granted);
        let spare = available.saturating_sub((limit - self.used(&pot).min(limit)) / 2);
        let amount = need.max(wish.min(available / 4)).max(lasting.min(available / 4).min(spare));
        let amount = amount.min(available);
        if amount > 0 {
            let id = held.map_or_else(|| format!("l{}", self.leases.len()).into(), |it| it.0);
            let expires_ms = self.expiry();
            let lease = self.leases.entry(id).or_insert_with(|| Lease {
                holder: holder.clone(),
                pot: pot.clone(),
                expires_ms,
                ..Lease::default()
            });
            lease.granted += amount;
        }
        (need > available).then(|| Denied {
            account: want.account.clone(),
            window: Some(format!("w{}", pot.1).into()),
            code: DeniedCode::Exhausted,
            resets_at: Some(rfc3339((pot.1 + 1) * self.window_ms).into()),
            again_ms: self.again_ms,
            wait_ms: self.wait_ms,
        })
    }

    fn expiry(&self) -> i64 {
        self.now_ms + HARD_EXPIRY_MS as i64 + MARGIN_MS
    }

    fn held(&mut self, holder: &(Arc<str>, Arc<str>)) -> Vec<LeaseGrant> {
        let (expires_ms, window_ms, recall) = (self.expiry(), self.window_ms, self.recall);
        let open = |it: &Lease| it.holder == *holder && !it.closed && !it.lost;
        let leases = self.leases.iter_mut().filter(|(_, it)| open(it));
        leases
            .map(|(id, lease)| {
                lease.expires_ms = expires_ms;
                LeaseGrant {
                    id: id.clone(),
                    account: lease.pot.0.clone(),
                    window: WindowNames {
                        key: format!("w{}", lease.pot.1).into(),
                        start: rfc3339(lease.pot.1 * window_ms),
                        end: rfc3339((lease.pot.1 + 1) * window_ms),
                    },
                    granted: lease.granted,
                    hard_expiry_ms: HARD_EXPIRY_MS,
                    renew_every_ms: 30_000,
                    recall,
                }
            })
            .collect()
    }

    fn state(&self, account: &Arc<str>) -> Option<AccountState> {
        let limit = *self.limits.get(account)?;
        let pot = (account.clone(), self.window());
        let used = self.used(&pot);
        let crossed = |it: &&u8| u128::from(used) * 100 >= u128::from(limit) * u128::from(**it);
        Some(AccountState {
            account: account.clone(),
            window: format!("w{}", pot.1).into(),
            limit,
            used,
            resets_at: rfc3339((pot.1 + 1) * self.window_ms).into(),
            threshold: self.thresholds.iter().filter(crossed).max().copied().unwrap_or(0),
            again_ms: self.again_ms.filter(|_| used >= limit),
        })
    }

    fn of<'a>(&'a self, pot: &'a PotKey) -> impl Iterator<Item = &'a Lease> {
        self.leases.values().filter(move |it| it.pot == *pot)
    }

    pub(crate) fn settled(&self, pot: &PotKey) -> u64 {
        self.of(pot).map(|it| it.spent).sum()
    }

    /// What was reported as such, and the rest of leases whose holders fell silent.
    pub(crate) fn unconfirmed(&self, pot: &PotKey) -> u64 {
        self.of(pot).map(|it| it.unconfirmed + if it.lost { it.rest() } else { 0 }).sum()
    }

    pub(crate) fn leased(&self, pot: &PotKey) -> u64 {
        self.of(pot).filter(|it| !it.lost).map(Lease::rest).sum()
    }

    pub(crate) fn used(&self, pot: &PotKey) -> u64 {
        self.settled(pot) + self.unconfirmed(pot)
    }

    pub(crate) fn available(&self, pot: &PotKey) -> u64 {
        let limit = self.limits.get(&pot.0).copied().unwrap_or(0);
        limit.saturating_sub(self.used(pot) + self.leased(pot))
    }

    pub(crate) fn overrun(&self, pot: &PotKey) -> u64 {
        let limit = self.limits.get(&pot.0).copied().unwrap_or(0);
        (self.used(pot) + self.leased(pot)).saturating_sub(limit)
    }
}

/// Unix milliseconds as RFC 3339 in UTC.
pub(crate) fn rfc3339(ms: i64) -> String {
    let (days, seconds) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * march + 2) / 5 + 1, (march + 2) % 12 + 1);
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

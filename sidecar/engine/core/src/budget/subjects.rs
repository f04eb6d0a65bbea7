//! Which accounts bind a request: compiled from a table's Budgets once, asked for every request and
//! candidate without a lock or an allocation. Belongs to one table, as its model indexes do.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::Holder;
use crate::limits::ACCOUNTS_PER_REQUEST;
use crate::rules::Glob;
use crate::table::{EnforcementMode, RouteTable, Subject};

/// An account of the book. One that is gone no longer binds anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AccountRef {
    pub(super) index: u16,
    pub(super) generation: u16,
}

/// The accounts that bind one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountSet {
    accounts: [AccountRef; ACCOUNTS_PER_REQUEST],
    length: usize,
    overflow: bool,
    default_max_tokens: Option<u64>,
}

impl AccountSet {
    /// Whether nothing binds the request.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The cap that the enforced Budgets set on calls that bring none: the least of theirs.
    #[must_use]
    pub const fn default_max_tokens(&self) -> Option<u64> {
        self.default_max_tokens
    }

    /// More accounts bind the request than one reservation can name.
    pub(super) const fn overflows(&self) -> bool {
        self.overflow
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = AccountRef> + '_ {
        self.accounts.iter().take(self.length).copied()
    }

    fn add(&mut self, budget: &Bound) {
        if let Some(cap) = budget.default_max_tokens {
            self.default_max_tokens = Some(self.default_max_tokens.map_or(cap, |it| it.min(cap)));
        }
        for account in &budget.accounts {
            match self.accounts.get_mut(self.length) {
                Some(place) => {
                    *place = *account;
                    self.length += 1;
                }
                None => self.overflow = true,
            }
        }
    }
}

/// A table's Budgets as seen from this workload.
#[derive(Debug, Default)]
pub struct Subjects {
    budgets: Vec<Bound>,
    /// Budgets without a header.
    plain: Vec<usize>,
    headers: Vec<ByHeader>,
}

#[derive(Debug)]
struct Bound {
    accounts: Vec<AccountRef>,
    /// Of an enforced Budget.
    default_max_tokens: Option<u64>,
    /// By the table's model index.
    models: Vec<bool>,
}

#[derive(Debug)]
struct ByHeader {
    name: HeaderName,
    /// Budgets that take any value.
    present: Vec<usize>,
    values: HashMap<Arc<str>, Vec<usize>>,
}

impl Subjects {
    /// `accounts`: of each Budget of the table, in its order.
    pub(super) fn new(table: &RouteTable, holder: &Holder, accounts: Vec<Vec<AccountRef>>) -> Self {
        let mut subjects = Self::default();
        for (budget, accounts) in table.budgets.iter().zip(accounts) {
            let subject = &budget.subject;
            if !concerns(subject, holder) {
                continue;
            }
            let taken = |name: &str| {
                subject.models.is_empty()
                    || subject.models.iter().any(|it| Glob::new(it).matches(name))
            };
            let models = table.models.iter().map(|it| taken(&it.name)).collect();
            let index = subjects.budgets.len();
            let enforced = budget.enforcement.mode == EnforcementMode::Enforce;
            let default_max_tokens = enforced.then_some(budget.enforcement.default_max_tokens);
            subjects.budgets.push(Bound { accounts, default_max_tokens, models });
            subjects.index(subject, index);
        }
        subjects
    }

    fn index(&mut self, subject: &Subject, budget: usize) {
        let Some(header) = &subject.header else { return self.plain.push(budget) };
        // A name that is no header name can never be sent, so the Budget binds nothing.
        let Ok(name) = header.name.parse::<HeaderName>() else { return };
        let found = self.headers.iter().position(|it| it.name == name);
        let at = found.unwrap_or_else(|| {
            self.headers.push(ByHeader { name, present: Vec::new(), values: HashMap::new() });
            self.headers.len() - 1
        });
        let Some(by_header) = self.headers.get_mut(at) else { return };
        if header.values.is_empty() {
            by_header.present.push(budget);
        }
        for value in &header.values {
            let budgets = by_header.values.entry(Arc::from(value.as_str())).or_default();
            if budgets.last() != Some(&budget) {
                budgets.push(budget);
            }
        }
    }

    /// The accounts that bind a request with these headers on this model of the table.
    #[must_use]
    pub fn accounts_for(&self, headers: &HeaderMap, model: usize) -> AccountSet {
        let mut set = AccountSet::default();
        self.add(&mut set, &self.plain, model);
        for by_header in &self.headers {
            // The first value counts: one request has one attribution.
            let Some(value) = headers.get(&by_header.name) else { continue };
            self.add(&mut set, &by_header.present, model);
            if let Some(budgets) = value.to_str().ok().and_then(|it| by_header.values.get(it)) {
                self.add(&mut set, budgets, model);
            }
        }
        set
    }

    fn add(&self, set: &mut AccountSet, budgets: &[usize], model: usize) {
        for budget in budgets.iter().filter_map(|it| self.budgets.get(*it)) {
            if budget.models.get(model).copied().unwrap_or(false) {
                set.add(budget);
            }
        }
    }
}

/// Whether a Budget can bind any request of this workload.
pub(super) fn concerns(subject: &Subject, holder: &Holder) -> bool {
    let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|it| it == name);
    names(&subject.namespaces, &holder.namespace) && names(&subject.workloads, &holder.workload)
}

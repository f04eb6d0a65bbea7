//! Which accounts bind a request: compiled from a table's Budgets once, asked for every request and
//! candidate without a lock or an allocation. Belongs to one table, as its model indexes do.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::Holder;
use crate::limits::ACCOUNTS_PER_REQUEST;
use crate::table::{RouteTable, Subject};

/// An account of the book. One that is gone no longer binds anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AccountRef {
    pub(super) index: u16,
    pub(super) generation: u16,
}

/// The accounts that bind one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountSet {
    accounts: [AccountRef; ACCOUNTS_PER_REQUEST],
    length: usize,
    overflow: bool,
}

impl AccountSet {
    /// Whether nothing binds the request.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// More accounts bind the request than one reservation can name.
    pub(super) const fn overflows(&self) -> bool {
        self.overflow
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = AccountRef> + '_ {
        self.accounts.iter().take(self.length).copied()
    }

    fn add(&mut self, accounts: &[AccountRef]) {
        for account in accounts {
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
                subject.models.is_empty() || subject.models.iter().any(|it| glob(it, name))
            };
            let models = table.models.iter().map(|it| taken(&it.name)).collect();
            let index = subjects.budgets.len();
            subjects.budgets.push(Bound { accounts, models });
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
                set.add(&budget.accounts);
            }
        }
    }
}

/// Whether a Budget can bind any request of this workload.
pub(super) fn concerns(subject: &Subject, holder: &Holder) -> bool {
    let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|it| it == name);
    names(&subject.namespaces, &holder.namespace) && names(&subject.workloads, &holder.workload)
}

/// Whether `text` matches a pattern in which `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|it| text.strip_prefix(it)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    let mut rest = rest;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, expected) in [
            ("main/gpt-mini", "main/gpt-mini", true),
            ("main/gpt-mini", "main/gpt-mini-2", false),
            ("main/*", "main/gpt", true),
            ("*", "", true),
            ("*/gpt-*", "main/gpt-4", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}

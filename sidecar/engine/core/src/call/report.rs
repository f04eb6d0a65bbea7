//! What a call leaves behind: usage counters, metrics, its record.

use super::{Booked, Call, Outcome};
use crate::budget::{self, UsageKey};
use crate::error::Class;
use crate::features::Task;
use crate::price;
use crate::record::{BudgetRow, CandidateRow, PriceRow, Record, UsageRow};
use crate::select::{Row, passed_over};
use crate::usage::Usage;

impl Call {
    pub(super) fn count_usage(&self) {
        let Booked { usage, cost, .. } = self.booked;
        if self.booked.cost == 0 && usage == Usage::default() && self.status != 200 {
            return;
        }
        self.add_usage(budget::Usage {
            requests: 1,
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost,
            unconfirmed: 0,
        });
    }

    /// The current model's attempt was given up, and its provider may bill this much.
    pub(super) fn count_unconfirmed(&self, unconfirmed: u64) {
        self.add_usage(budget::Usage { unconfirmed, ..budget::Usage::default() });
    }

    fn add_usage(&self, added: budget::Usage) {
        let Some((model, _)) = self.model() else { return };
        let key = UsageKey {
            model: &model.name,
            provider: &model.provider.label,
            workload: self.workload(),
            team: &self.attribution.team,
            key: &self.attribution.key,
            endpoint: self.surface.as_str(),
        };
        self.worker.shared.book.usage().add(&key, added);
    }

    pub(super) fn count_outcome(&self, outcome: Outcome) {
        let stats = &self.worker.shared.stats;
        let Some((_, planned)) = self.model() else { return };
        match outcome {
            Outcome::Ok => drop(planned.stats.ok.inc()),
            other => stats.outcome(&planned.stats, other.as_str()),
        }
        planned.stats.duration.observe(seconds(self.stages.total));
        planned.stats.input.inc_by(self.booked.usage.input);
        planned.stats.output.inc_by(self.booked.usage.output);
        if self.booked.cost > 0 {
            planned.stats.cost.inc_by(dollars(self.booked.cost));
        }
        let baseline = self.baseline_cost();
        if baseline > 0 {
            planned.stats.baseline.inc_by(dollars(baseline));
        }
    }

    /// What the booked tokens would have cost at the best of the route's candidates. An estimate: another
    /// model counts the same text a little otherwise and may answer at another length.
    fn baseline_cost(&self) -> u64 {
        let best = self.route().and_then(|route| route.best);
        let priced = |place: usize| &self.plan.table.models[place].pricing;
        best.map_or(self.booked.cost, |place| price::cost(priced(place), &self.booked.usage))
    }

    pub(super) fn record(&self, outcome: Outcome) {
        let shared = &self.worker.shared;
        // A fallback is always kept: it explains an outage.
        let ended_ms = (self.started_us + self.stages.total) / 1_000;
        let plain_success = outcome == Outcome::Ok && self.attempts.len() <= 1;
        if !shared.records.wanted(plain_success, ended_ms) {
            return;
        }
        let lost = shared.records.keep(&self.as_record(outcome));
        shared.stats.records_dropped.inc_by(lost);
    }

    fn as_record(&self, outcome: Outcome) -> Record<'_> {
        let (model, provider, upstream_model, simulated) =
            self.model().map_or(("", "", "", false), |(model, _)| {
                let provider = &model.provider;
                (
                    model.name.as_str(),
                    provider.label.as_str(),
                    provider.model.as_str(),
                    provider.simulated,
                )
            });
        let prices = self.model().map_or_else(PriceRow::default, |(model, _)| PriceRow {
            input: model.pricing.input,
            cached_input: model.pricing.cached_input.unwrap_or(model.pricing.input),
            output: model.pricing.output,
        });
        let route = self.route();
        let usage = self.booked.usage;
        Record {
            id: &self.id,
            time_ms: self.wall_ms,
            policy: self.plan.policy.clone(),
            digest: &self.plan.digest,
            rule: route.map_or("", |route| &route.name),
            strategy: route.map_or("", |route| route.route.strategy.as_str()),
            endpoint: self.surface.as_str(),
            requested_model: self.requested(),
            model,
            provider,
            upstream_model,
            stream: self.wants_stream(),
            status: self.status,
            outcome: outcome.as_str(),
            class: self.class.map(Class::label),
            signals: self
                .matched
                .map(|matched| self.plan.rules.signals(matched).collect())
                .unwrap_or_default(),
            task: self.task.map(Task::as_str),
            prompt_tokens_estimate: self.prompt_tokens,
            candidates: self.candidate_rows(),
            attempts: &self.attempts,
            usage: UsageRow {
                input: usage.input,
                cached_input: usage.cached_input,
                output: usage.output,
                reasoning: usage.reasoning,
                source: if self.booked.reported { "reported" } else { "estimated" },
            },
            cost: self.booked.cost,
            reserved: self.reserved,
            prices,
            budgets: self.budgets(),
            capped: self.capped,
            stage_us: self.stages,
            simulated,
            team: &self.attribution.team,
            key: &self.attribution.key,
            workload: self.workload(),
            reason: self.reason(outcome),
        }
    }

    fn candidate_rows(&self) -> Vec<CandidateRow<'_>> {
        let row = |row: &Row| CandidateRow {
            model: &self.plan.table.models[self.model_of(row)].name,
            score: Some(row.score),
            probability: Some(row.probability),
            cost: Some(row.cost),
            filtered: row.filtered.map(|why| why.as_str()),
        };
        self.rows.iter().take(crate::limits::RECORD_CANDIDATES).map(row).collect()
    }

    fn budgets(&self) -> Vec<BudgetRow> {
        let names = self.worker.shared.book.names(&self.accounts);
        names.into_iter().map(|account| BudgetRow { account, charged: self.booked.cost }).collect()
    }

    /// Which candidates would have been preferred, had their endpoints had room.
    fn passed_over(&self) -> String {
        let Some(route) = self.route() else { return String::new() };
        let over = passed_over(route.route.strategy, &self.rows).filter_map(|row| {
            let name = &self.plan.table.models[self.model_of(row)].name;
            Some(format!("{name} was passed over ({}); ", row.filtered?.as_str()))
        });
        over.collect()
    }

    /// Why, in one sentence, for `explain`.
    fn reason(&self, outcome: Outcome) -> String {
        let Some((model, _)) = self.model() else {
            let why = self.ended_by.map_or_else(String::new, |why| format!(", {why}"));
            return format!("{}: no model was tried{why}", outcome.as_str());
        };
        let strategy = self.route().map_or("", |route| route.route.strategy.as_str());
        let failed = self.attempts.len().saturating_sub(1);
        let over = self.passed_over();
        match (outcome, failed) {
            (Outcome::Ok, 0) => {
                format!("{over}{strategy} put {} first and it answered", model.name)
            }
            (Outcome::Ok, _) => {
                format!("{over}{} answered after {failed} failed attempts", model.name)
            }
            (_, _) => format!(
                "{over}{} after {} attempts, last {} ({})",
                outcome.as_str(),
                self.attempts.len(),
                model.name,
                self.ended_by.unwrap_or_else(|| self.class.map_or("no error class", Class::label))
            ),
        }
    }
}

fn dollars(picodollars: u64) -> f64 {
    picodollars as f64 / price::USD as f64
}

fn seconds(us: u64) -> f64 {
    // Exact below 2^53 us, 285 years.
    us as f64 / 1e6
}

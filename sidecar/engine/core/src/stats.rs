//! Metrics: counters and histograms that the path bumps through handles resolved once a table, so
//! that no request looks a label up. Labels are bounded: models and providers of the table, classes
//! and outcomes of closed enums; never user text.

mod labels;
mod roster;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::labels::{
    AttemptLabels, LevelLabels, ModelLabels, OutcomeLabels, OverflowLabels, RefusalLabels,
    ShareLabels, TableLabels, TokenLabels,
};
use self::roster::Roster;
use crate::call::Outcome;
use crate::error::Class;
use crate::fleet::LEVELS;
use crate::quota::{Standing, Unit as Kind};
use crate::select::Filtered;

const INPUT: &str = "input";
const OUTPUT: &str = "output";
const DIRECTIONS: [&str; 2] = [INPUT, OUTPUT];
const HELD: &str = "held";
const USED: &str = "used";

type Seconds = Family<ModelLabels, Histogram, fn() -> Histogram>;

/// Every metric family of the engine.
#[derive(Debug)]
pub struct Stats {
    registry: Registry,
    requests: Family<OutcomeLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<ModelLabels, Counter<f64, AtomicU64>>,
    baseline: Family<ModelLabels, Counter<f64, AtomicU64>>,
    duration: Seconds,
    first_token: Seconds,
    breakers: Family<ModelLabels, Gauge>,
    told_down: Family<ModelLabels, Gauge>,
    overflows: Family<OverflowLabels, Counter>,
    endpoints: Family<LevelLabels, Gauge>,
    shares: Family<ShareLabels, Gauge>,
    refusals: Family<RefusalLabels, Counter>,
    table: Family<TableLabels, Gauge>,
    /// Tables refused.
    pub tables_rejected: Counter,
    /// Calls in flight.
    pub in_flight: Gauge,
    /// 1 while the ledger does not answer.
    pub ledger_away: Gauge,
    /// Records that Python did not fetch in time.
    pub records_dropped: Counter,
    /// Spans that found no room or no collector.
    pub spans_dropped: Counter,
    /// Tasks that panicked; each became a 500.
    pub panics: Counter,
    heartbeat: Gauge,
    heartbeat_ms: AtomicU64,
    /// Whose label sets are kept; locked while sets are made or removed, so that none is left over.
    roster: Mutex<Roster<ModelLabels>>,
}

impl Default for Stats {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds_histogram() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    ])
}

impl Stats {
    /// Registers every family under the prefix `pointsman_`.
    #[must_use]
    pub fn new() -> Self {
        let mut stats = Self {
            registry: Registry::with_prefix("pointsman"),
            requests: Family::default(),
            attempts: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            baseline: Family::default(),
            duration: Family::new_with_constructor(seconds_histogram),
            first_token: Family::new_with_constructor(seconds_histogram),
            breakers: Family::default(),
            told_down: Family::default(),
            overflows: Family::default(),
            endpoints: Family::default(),
            shares: Family::default(),
            refusals: Family::default(),
            table: Family::default(),
            tables_rejected: Counter::default(),
            in_flight: Gauge::default(),
            ledger_away: Gauge::default(),
            records_dropped: Counter::default(),
            spans_dropped: Counter::default(),
            panics: Counter::default(),
            heartbeat: Gauge::default(),
            heartbeat_ms: AtomicU64::new(0),
            roster: Mutex::default(),
        };
        stats.register();
        stats
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "Calls by outcome", self.requests.clone());
        registry.register("attempts", "Upstream attempts by error class", self.attempts.clone());
        registry.register("tokens", "Tokens by direction", self.tokens.clone());
        registry.register("cost_usd", "Booked cost in US dollars", self.cost.clone());
        registry.register(
            "baseline_cost_usd",
            "What the same tokens would have cost at the route's candidate of the highest quality",
            self.baseline.clone(),
        );
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "request_duration",
            "From head to last byte",
            seconds.clone(),
            self.duration.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "From head to first content",
            seconds.clone(),
            self.first_token.clone(),
        );
        registry.register("breaker_open", "1 while a target is taken out", self.breakers.clone());
        registry.register(
            "told_down",
            "1 while other sidecars find a target down and this one has seen nothing else",
            self.told_down.clone(),
        );
        registry.register(
            "overflow",
            "Calls that passed a model over for the state of its endpoints or its limits",
            self.overflows.clone(),
        );
        registry.register("endpoints", "Endpoints by how loaded they are", self.endpoints.clone());
        registry.register(
            "limit_share",
            "What this router holds of a model's limits, and what of it rests or is in use",
            self.shares.clone(),
        );
        registry.register(
            "refusals",
            "Calls that the router itself refused",
            self.refusals.clone(),
        );
        registry.register("table", "The table in use", self.table.clone());
        registry.register("tables_rejected", "Tables refused", self.tables_rejected.clone());
        registry.register("in_flight", "Calls in flight", self.in_flight.clone());
        registry.register(
            "ledger_away",
            "1 while the ledger does not answer",
            self.ledger_away.clone(),
        );
        registry.register(
            "records_dropped",
            "Records not fetched in time",
            self.records_dropped.clone(),
        );
        registry.register(
            "spans_dropped",
            "Spans without room or collector",
            self.spans_dropped.clone(),
        );
        registry.register("panics", "Tasks that panicked", self.panics.clone());
        registry.register_with_unit(
            "supervisor_heartbeat_age",
            "Since Python last beat",
            seconds,
            self.heartbeat.clone(),
        );
    }

    /// Handles for one model, resolved once a table.
    #[must_use]
    pub fn model(&self, model: &str, provider: &str) -> ModelStats {
        let labels = ModelLabels { model: model.to_owned(), provider: provider.to_owned() };
        let mut roster = self.roster.lock();
        roster.enter(&labels);
        let outcome = |outcome| {
            let labels =
                OutcomeLabels { model: model.to_owned(), provider: provider.to_owned(), outcome };
            self.requests.get_or_create(&labels).clone()
        };
        let tokens = |direction| {
            let labels =
                TokenLabels { model: model.to_owned(), provider: provider.to_owned(), direction };
            self.tokens.get_or_create(&labels).clone()
        };
        ModelStats {
            ok: outcome("ok"),
            input: tokens(INPUT),
            output: tokens(OUTPUT),
            cost: self.cost.get_or_create(&labels).clone(),
            baseline: self.baseline.get_or_create(&labels).clone(),
            duration: self.duration.get_or_create(&labels).clone(),
            first_token: self.first_token.get_or_create(&labels).clone(),
            breaker: self.breakers.get_or_create(&labels).clone(),
            told_down: self.told_down.get_or_create(&labels).clone(),
            labels,
        }
    }

    /// Counts an outcome other than ok.
    pub fn outcome(&self, model: &ModelStats, outcome: &'static str) {
        let roster = self.roster.lock();
        if roster.knows(&model.labels) {
            let ModelLabels { model, provider } = model.labels.clone();
            self.requests.get_or_create(&OutcomeLabels { model, provider, outcome }).inc();
        }
    }

    /// Counts a failed attempt.
    pub fn attempt(&self, model: &ModelStats, class: &'static str) {
        let roster = self.roster.lock();
        if roster.knows(&model.labels) {
            let ModelLabels { model, provider } = model.labels.clone();
            self.attempts.get_or_create(&AttemptLabels { model, provider, class }).inc();
        }
    }

    /// Counts a call that passed the model over.
    pub fn overflow(&self, model: &ModelStats, reason: &'static str) {
        let roster = self.roster.lock();
        if roster.knows(&model.labels) {
            let ModelLabels { model, provider } = model.labels.clone();
            self.overflows.get_or_create(&OverflowLabels { model, provider, reason }).inc();
        }
    }

    /// Shows how many of a model's endpoints are at each level.
    pub fn endpoints(
        &self,
        model: &ModelStats,
        counts: impl Iterator<Item = (&'static str, usize)>,
    ) {
        let roster = self.roster.lock();
        for (level, count) in counts.take_while(|_| roster.knows(&model.labels)) {
            let ModelLabels { model, provider } = model.labels.clone();
            let gauge = self.endpoints.get_or_create(&LevelLabels { model, provider, level });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Shows what is held of a model's limits.
    pub fn shares(&self, model: &ModelStats, standings: impl Iterator<Item = Standing>) {
        let roster = self.roster.lock();
        for at in standings.take_while(|_| roster.knows(&model.labels)) {
            for (part, units) in [(HELD, at.held), (USED, at.used)] {
                let ModelLabels { model, provider } = model.labels.clone();
                let limit = at.unit.as_str();
                let gauge =
                    self.shares.get_or_create(&ShareLabels { model, provider, limit, part });
                gauge.set(i64::try_from(units).unwrap_or(i64::MAX));
            }
        }
    }

    /// Counts an answer that is our own.
    pub fn refusal(&self, reason: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// Shows which table is in use, whose models these are.
    pub fn table<'a>(
        &self,
        digest: &str,
        models: impl Iterator<Item = &'a ModelStats>,
        now_ms: u64,
    ) {
        self.table.clear();
        self.table.get_or_create(&TableLabels { digest: digest.to_owned() }).set(1);
        self.keep(models, now_ms);
    }

    /// Keeps the label sets of these models; those of others, which a table named that was refused
    /// or is no longer in use, go in a while.
    pub fn keep<'a>(&self, models: impl Iterator<Item = &'a ModelStats>, now_ms: u64) {
        let mut roster = self.roster.lock();
        roster.turn_over(models.map(|model| &model.labels), now_ms);
        self.remove(roster.expired(now_ms));
    }

    /// Removes every set of these labels. Calls that still run on an older table count unseen.
    fn remove(&self, gone: Vec<ModelLabels>) {
        for labels in gone {
            let ModelLabels { model, provider } = &labels;
            for outcome in Outcome::ALL.map(Outcome::as_str) {
                let (model, provider) = (model.clone(), provider.clone());
                self.requests.remove(&OutcomeLabels { model, provider, outcome });
            }
            for class in Class::ALL.map(Class::label) {
                let (model, provider) = (model.clone(), provider.clone());
                self.attempts.remove(&AttemptLabels { model, provider, class });
            }
            for direction in DIRECTIONS {
                let (model, provider) = (model.clone(), provider.clone());
                self.tokens.remove(&TokenLabels { model, provider, direction });
            }
            for reason in Filtered::OVERFLOWS.map(Filtered::as_str) {
                let (model, provider) = (model.clone(), provider.clone());
                self.overflows.remove(&OverflowLabels { model, provider, reason });
            }
            for level in LEVELS {
                let (model, provider) = (model.clone(), provider.clone());
                self.endpoints.remove(&LevelLabels { model, provider, level });
            }
            for limit in Kind::ALL.map(Kind::as_str) {
                for part in [HELD, USED] {
                    let (model, provider) = (model.clone(), provider.clone());
                    self.shares.remove(&ShareLabels { model, provider, limit, part });
                }
            }
            self.cost.remove(&labels);
            self.baseline.remove(&labels);
            self.duration.remove(&labels);
            self.first_token.remove(&labels);
            self.breakers.remove(&labels);
            self.told_down.remove(&labels);
        }
    }

    /// Python is alive at `now_ms` (boot clock).
    pub fn beat(&self, now_ms: u64) {
        self.heartbeat_ms.store(now_ms, Relaxed);
    }

    /// Milliseconds since Python last beat; `None` before the first beat.
    #[must_use]
    pub fn heartbeat_age_ms(&self, now_ms: u64) -> Option<u64> {
        match self.heartbeat_ms.load(Relaxed) {
            0 => None,
            beat => Some(now_ms.saturating_sub(beat)),
        }
    }

    /// OpenMetrics text.
    #[must_use]
    pub fn text(&self, now_ms: u64) -> String {
        let mut roster = self.roster.lock();
        self.remove(roster.expired(now_ms));
        drop(roster);
        let age_ms = self.heartbeat_age_ms(now_ms).unwrap_or(0);
        self.heartbeat.set(i64::try_from(age_ms / 1_000).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// One model's handles.
#[derive(Debug, Clone)]
pub struct ModelStats {
    labels: ModelLabels,
    /// Calls answered.
    pub ok: Counter,
    /// Prompt tokens.
    pub input: Counter,
    /// Answer tokens.
    pub output: Counter,
    /// US dollars.
    pub cost: Counter<f64, AtomicU64>,
    /// US dollars that its calls would have cost at the route's best model.
    pub baseline: Counter<f64, AtomicU64>,
    /// Head to last byte.
    pub duration: Histogram,
    /// Head to first content.
    pub first_token: Histogram,
    /// 1 while taken out.
    pub breaker: Gauge,
    /// 1 while others find it down.
    pub told_down: Gauge,
}

#[cfg(test)]
mod tests;

//! Orders a route's candidates for one request; pure. Hard filters first (capabilities, context,
//! quality floor, budget tier), then the route's strategy. Called by `handle` once a request; the
//! rows are what `attempt` walks and what `explain` prints.

use crate::features::{Features, Task};
use crate::fleet::Load;
use crate::limits::EXPECTED_OUTPUT_TOKENS;
use crate::media::Asked;
use crate::price;
use crate::score::{self, Head, MICRO};
use crate::table::{Model, QualityTarget, Strategy};
use std::cmp::Reverse;

const PICO_PER_DOLLAR: i128 = 1_000_000_000_000;

/// What a request asks of its model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Need {
    /// Chat completions.
    pub chat: bool,
    /// Tool calls.
    pub tools: bool,
    /// Image input.
    pub vision: bool,
    /// JSON answers.
    pub json: bool,
    /// Embeddings: no answer tokens.
    pub embeddings: bool,
    /// Sound or images: the capability, and the most that the answer can be billed for.
    pub media: Option<(&'static str, Asked)>,
    /// Estimate for the whole prompt.
    pub prompt_tokens: u64,
    /// The caller's own cap on the answer.
    pub output_tokens_cap: Option<u64>,
    /// Only models up to this tier (a Budget's Downgrade).
    pub max_tier: Option<u8>,
}

/// What is known of one candidate at the time of the request.
#[derive(Debug, Clone, Copy)]
pub struct CandidateFacts<'a> {
    /// Its table entry.
    pub model: &'a Model,
    /// Its head, if it has one of our length.
    pub head: Option<&'a Head>,
    /// Whether it can take a call now, as far as the route's `overflow` looks at that.
    pub load: Load,
    /// For `Weighted`.
    pub weight: u32,
    /// For `Failover`; lower first.
    pub priority: u32,
}

/// Why a candidate is out, or only last, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filtered {
    /// It lacks something that the request uses.
    Capability,
    /// Prompt and answer do not fit.
    Context,
    /// Its catalogue quality is below the route's floor.
    Floor,
    /// A Budget has downgraded to lower tiers.
    BudgetTier,
    /// What the request refers to is kept at another account.
    State,
    /// It is self-hosted, and nothing runs.
    NoEndpoint,
    /// Its endpoints start or sleep: tried last, and waited for.
    ColdStart,
    /// Its breaker is open: tried after those that are well.
    Cooldown,
    /// Every endpoint is full: tried after those that are not.
    Saturated,
}

impl Filtered {
    /// Those that are about a self-hosted model's endpoints: calls that go elsewhere overflow.
    pub const OVERFLOWS: [Self; 3] = [Self::NoEndpoint, Self::ColdStart, Self::Saturated];

    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::Context => "context",
            Self::Floor => "floor",
            Self::BudgetTier => "budget_tier",
            Self::State => "state",
            Self::NoEndpoint => "no_endpoint",
            Self::ColdStart => "cold_start",
            Self::Cooldown => "cooldown",
            Self::Saturated => "saturated",
        }
    }

    const fn usable(self) -> bool {
        matches!(self, Self::ColdStart | Self::Cooldown | Self::Saturated)
    }
}

/// One candidate, judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Index into the candidates.
    pub candidate: usize,
    /// The strategy's own figure, larger is better: micro P - lambda * cost (`Quality`), minus
    /// picodollars (`Cheapest`), minus the priority (`Failover`), the weight (`Weighted`).
    pub score: i64,
    /// P(good answer), micro.
    pub probability: u32,
    /// Expected cost of this call, picodollars.
    pub cost: u64,
    /// Why it is out, or last.
    pub filtered: Option<Filtered>,
}

impl Row {
    /// It may be tried.
    #[must_use]
    pub const fn usable(&self) -> bool {
        match self.filtered {
            None => true,
            Some(why) => why.usable(),
        }
    }

    /// Those that are well, then those to try last, then those that are out.
    fn rank(&self) -> (bool, Option<Reverse<Filtered>>) {
        (!self.usable(), self.filtered.map(Reverse))
    }
}

/// Nothing is left. `reason` is that of the candidate that came furthest through the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no candidate is left; the nearest fails by {}", .reason.as_str())]
pub struct NoCandidate {
    /// `Capability` for an empty route.
    pub reason: Filtered,
}

/// Fills `out` with a row a candidate: those to try first, best first, then those that are out.
/// Allocates nothing but `out`'s own growth. `lambda` is micro-probability per dollar.
///
/// # Errors
/// `NoCandidate` when every candidate is out; `out` still explains why.
#[expect(clippy::too_many_arguments, reason = "one decision's whole input, and pure")]
pub fn order(
    strategy: Strategy,
    quality: &QualityTarget,
    lambda: i64,
    need: &Need,
    features: Option<&Features>,
    task: Task,
    candidates: &[CandidateFacts<'_>],
    rng: &mut fastrand::Rng,
    out: &mut Vec<Row>,
) -> Result<(), NoCandidate> {
    out.clear();
    out.reserve_exact(candidates.len());
    for (index, facts) in candidates.iter().enumerate() {
        let probability = probability(facts, features, task);
        let cost = expected_cost(facts.model, need, task);
        let score = match strategy {
            Strategy::Quality => net_value(probability, lambda, cost),
            Strategy::Cheapest => i64::try_from(cost).map_or(i64::MIN, |cost| -cost),
            Strategy::Failover => -i64::from(facts.priority),
            Strategy::Weighted => i64::from(facts.weight),
        };
        let filtered = filter(strategy, quality, need, facts);
        out.push(Row { candidate: index, score, probability, cost, filtered });
    }
    let preferred = |row: &Row| match strategy {
        Strategy::Failover | Strategy::Weighted => 0,
        Strategy::Quality => row.cost,
        Strategy::Cheapest => u64::from(u32::MAX - row.probability),
    };
    out.sort_unstable_by_key(|row| (row.rank(), Reverse(row.score), preferred(row), row.candidate));
    let usable = out.iter().filter(|row| row.usable()).count();
    if usable == 0 {
        let furthest = out.iter().filter_map(|row| row.filtered).max();
        return Err(NoCandidate { reason: furthest.unwrap_or(Filtered::Capability) });
    }
    if strategy == Strategy::Weighted {
        let best = out[0].filtered;
        let alike = out.partition_point(|row| row.filtered == best);
        draw_first(&mut out[..alike], rng);
    }
    Ok(())
}

/// The candidates that were passed over for the state of their endpoints, though the strategy prefers
/// them to the one that is tried first; of a draw by weight, all that had a share in it.
pub fn passed_over(strategy: Strategy, rows: &[Row]) -> impl Iterator<Item = &Row> {
    let first = rows.first();
    let preferred = move |row: &Row, first: &Row| match strategy {
        Strategy::Weighted => row.score > 0,
        _ => (Reverse(row.score), row.candidate) < (Reverse(first.score), first.candidate),
    };
    rows.iter().skip(1).filter(move |row| {
        row.filtered.is_some_and(|why| Filtered::OVERFLOWS.contains(&why))
            && first.is_some_and(|first| first.filtered != row.filtered && preferred(row, first))
    })
}

/// Expected price of this call, picodollars: the estimated prompt, and the answer length that this
/// model usually has for this task, within the caller's cap and the model's own.
#[must_use]
pub fn expected_cost(model: &Model, need: &Need, task: Task) -> u64 {
    if let Some((_, asked)) = &need.media {
        return price::cost(&model.pricing, &asked.bound(model));
    }
    let input = u128::from(need.prompt_tokens) * u128::from(model.pricing.input);
    let output = if need.embeddings {
        0
    } else {
        let cap = need.output_tokens_cap.unwrap_or(u64::MAX).min(model.max_output_tokens);
        u128::from(usual_answer(model, task).min(cap)) * u128::from(model.pricing.output)
    };
    u64::try_from(input + output).unwrap_or(u64::MAX)
}

/// Tokens that this model's answers usually have for this task.
#[must_use]
pub fn usual_answer(model: &Model, task: Task) -> u64 {
    u64::from(match model.output_tokens.by_task.get(task.as_str()) {
        Some(&tokens) => tokens,
        None if model.output_tokens.default > 0 => model.output_tokens.default,
        None => EXPECTED_OUTPUT_TOKENS,
    })
}

fn probability(facts: &CandidateFacts<'_>, features: Option<&Features>, task: Task) -> u32 {
    let share = match (facts.head, features) {
        (Some(head), Some(features)) => head.probability(features),
        _ => score::prior(&facts.model.quality, task),
    };
    (share * MICRO).round() as u32
}

fn net_value(probability: u32, lambda: i64, cost: u64) -> i64 {
    let penalty = i128::from(lambda) * i128::from(cost) / PICO_PER_DOLLAR;
    i64::try_from(i128::from(probability) - penalty).unwrap_or(i64::MIN)
}

fn filter(
    strategy: Strategy,
    quality: &QualityTarget,
    need: &Need,
    facts: &CandidateFacts<'_>,
) -> Option<Filtered> {
    let model = facts.model;
    let uses = [
        (need.chat, "chat"),
        (need.tools, "tools"),
        (need.vision, "vision"),
        (need.json, "json"),
        (need.embeddings, "embeddings"),
        (need.media.is_some(), need.media.map_or("", |(capability, _)| capability)),
    ];
    let lacks = |name: &str| !model.capabilities.iter().any(|has| has == name);
    if uses.into_iter().any(|(used, name)| used && lacks(name)) {
        return Some(Filtered::Capability);
    }
    let room = need.output_tokens_cap.unwrap_or(0);
    let whole = need.prompt_tokens.saturating_add(room);
    let too_long = !need.embeddings && room > model.max_output_tokens;
    if whole > model.context_window || too_long {
        return Some(Filtered::Context);
    }
    let floored = matches!(strategy, Strategy::Quality | Strategy::Cheapest);
    if floored && model.quality.prior < quality.floor {
        return Some(Filtered::Floor);
    }
    if need.max_tier.is_some_and(|highest| model.tier > highest) {
        return Some(Filtered::BudgetTier);
    }
    match facts.load {
        Load::Free => None,
        Load::Saturated => Some(Filtered::Saturated),
        Load::Cooling => Some(Filtered::Cooldown),
        Load::ColdStart => Some(Filtered::ColdStart),
        Load::NoEndpoint => Some(Filtered::NoEndpoint),
    }
}

/// Moves one row to the front, drawn by weight (= score); the others keep their order.
fn draw_first(rows: &mut [Row], rng: &mut fastrand::Rng) {
    let total: i64 = rows.iter().map(|row| row.score).sum();
    if total == 0 {
        return;
    }
    let mut left = rng.i64(0..total);
    for at in 0..rows.len() {
        left -= rows[at].score;
        if left < 0 {
            rows[..=at].rotate_right(1);
            return;
        }
    }
}

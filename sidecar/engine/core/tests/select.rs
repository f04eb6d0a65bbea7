//! What `select::order` promises, on examples and on random candidates.

#![expect(clippy::unwrap_used, reason = "a test file: what cannot be made fails the test")]

use pointsman_core::features::Task;
use pointsman_core::fleet::Load;
use pointsman_core::select::{
    CandidateFacts, Filtered, Need, NoCandidate, Row, order, passed_over,
};
use pointsman_core::table::{Model, QualityTarget, Strategy};
use proptest::prelude::*;

/// (prior, input price = output price in picodollars per token, tier, context window, cooling)
type Shape = (u8, u64, u8, u64, bool);

fn model(index: usize, (prior, price, tier, context, _): Shape) -> Model {
    serde_json::from_value(serde_json::json!({
        "name": format!("main/m{index}"), "pool": {"namespace": "demo", "name": "main"},
        "tier": tier,
        "provider": {"type": "OpenAI", "label": "openai", "model": "m", "baseURL": "http://x"},
        "pricing": {"input": price, "output": price},
        "capabilities": if index.is_multiple_of(3) { vec!["chat", "tools"] } else { vec!["chat"] },
        "contextWindow": context, "maxOutputTokens": 4096,
        "quality": {"prior": prior, "byTask": {"code": prior / 2}},
        "outputTokens": {"default": 100, "byTask": {"math": 500}},
    }))
    .unwrap()
}

fn need() -> Need {
    Need { chat: true, prompt_tokens: 1000, ..Need::default() }
}

fn facts<'a>(models: &'a [Model], shapes: &[Shape]) -> Vec<CandidateFacts<'a>> {
    let all = models.iter().zip(shapes).enumerate();
    all.map(|(index, (model, shape))| CandidateFacts {
        model,
        head: None,
        load: if shape.4 { Load::Cooling } else { Load::Free },
        weight: u32::try_from(index).unwrap() + 1,
        priority: u32::from(shape.2),
    })
    .collect()
}

fn run(
    strategy: Strategy,
    lambda: i64,
    floor: u8,
    need: &Need,
    shapes: &[Shape],
) -> (Result<(), NoCandidate>, Vec<Row>) {
    let models: Vec<Model> = shapes.iter().enumerate().map(|(i, &s)| model(i, s)).collect();
    let target = QualityTarget { target_percent: 95, floor, lambda0: lambda };
    let mut rows = Vec::new();
    let candidates = facts(&models, shapes);
    let mut rng = fastrand::Rng::with_seed(7);
    let verdict =
        order(strategy, &target, lambda, need, None, Task::Other, &candidates, &mut rng, &mut rows);
    (verdict, rows)
}

fn indices(rows: &[Row]) -> Vec<usize> {
    rows.iter().filter(|row| row.usable()).map(|row| row.candidate).collect()
}

const STRONG: Shape = (90, 10_000_000, 2, 128_000, false);
const MIDDLE: Shape = (80, 1_000_000, 1, 128_000, false);
const CHEAP: Shape = (50, 100_000, 0, 128_000, false);

/// lambda = 0 takes the best; a dear lambda takes the cheapest; between them lies the middle one.
#[test]
fn quality_trades_probability_for_money() {
    let shapes = [CHEAP, STRONG, MIDDLE];
    let first = |lambda| indices(&run(Strategy::Quality, lambda, 0, &need(), &shapes).1)[0];
    // 1,100 tokens: 0.011, 0.0011 and 0.00011 dollars.
    assert_eq!((first(0), first(20_000_000), first(1_000_000_000)), (1, 2, 0));
}

/// A score is P minus lambda times cost, to the micro.
#[test]
fn rows_explain_the_score() {
    let (_, rows) = run(Strategy::Quality, 20_000_000, 0, &need(), &[MIDDLE]);
    let row = rows[0];
    assert_eq!((row.probability, row.cost), (800_000, 1_100_000_000));
    assert_eq!(row.score, 800_000 - 22_000);
}

/// The caller's cap and the task's usual length decide the expected cost.
#[test]
fn cost_expects_what_the_task_usually_takes() {
    let model = model(0, MIDDLE);
    let cost = |need: &Need, task| pointsman_core::select::expected_cost(&model, need, task);
    let capped = Need { output_tokens_cap: Some(7), ..need() };
    let embeddings = Need { embeddings: true, ..need() };
    assert_eq!(cost(&need(), Task::Math), 1_500_000_000);
    assert_eq!(cost(&capped, Task::Math), 1_007_000_000);
    assert_eq!(cost(&embeddings, Task::Math), 1_000_000_000);
}

/// `Cheapest` keeps to the floor; without one it takes the least cost.
#[test]
fn cheapest_respects_the_floor() {
    let shapes = [STRONG, MIDDLE, CHEAP];
    assert_eq!(indices(&run(Strategy::Cheapest, 0, 0, &need(), &shapes).1), [2, 1, 0]);
    let (_, rows) = run(Strategy::Cheapest, 0, 60, &need(), &shapes);
    assert_eq!(indices(&rows), [1, 0]);
    assert_eq!(rows[2].filtered, Some(Filtered::Floor));
}

/// `Failover` goes by priority, then by the route's own order.
#[test]
fn failover_keeps_the_written_order() {
    let shapes = [STRONG, CHEAP, MIDDLE, CHEAP];
    assert_eq!(indices(&run(Strategy::Failover, 0, 99, &need(), &shapes).1), [1, 3, 2, 0]);
}

/// A cooling candidate is last, never out: the last target always remains.
#[test]
fn cooling_candidates_go_last() {
    let cold = (90, 1, 0, 128_000, true);
    for strategy in [Strategy::Quality, Strategy::Cheapest, Strategy::Failover, Strategy::Weighted]
    {
        let (_, rows) = run(strategy, 0, 0, &need(), &[cold, STRONG]);
        assert_eq!(indices(&rows), [1, 0], "{strategy:?}");
        assert_eq!(rows[1].filtered, Some(Filtered::Cooldown));
        assert_eq!(indices(&run(strategy, 0, 0, &need(), &[cold]).1), [0]);
    }
}

/// The state of a self-hosted model's endpoints moves it behind the others, the least hopeful last;
/// one without any is out.
#[test]
fn endpoints_that_cannot_take_a_call_now_go_last() {
    let shapes = [STRONG; 5];
    let models: Vec<Model> = shapes.iter().enumerate().map(|(i, &s)| model(i, s)).collect();
    let loads =
        [Load::NoEndpoint, Load::ColdStart, Load::Cooling, Load::Saturated, Load::Free].into_iter();
    let candidates: Vec<CandidateFacts<'_>> = facts(&models, &shapes)
        .into_iter()
        .zip(loads)
        .map(|(one, load)| CandidateFacts { load, ..one })
        .collect();
    let (target, mut rng, mut rows) = (QualityTarget::default(), fastrand::Rng::new(), Vec::new());
    for strategy in [Strategy::Quality, Strategy::Cheapest, Strategy::Failover, Strategy::Weighted]
    {
        let mut judge = |candidates: &[CandidateFacts<'_>]| {
            let other = Task::Other;
            let verdict =
                order(strategy, &target, 0, &need(), None, other, candidates, &mut rng, &mut rows);
            (verdict.map_err(|none| none.reason), indices(&rows), rows.clone())
        };
        let (verdict, tried, rows) = judge(&candidates);
        assert_eq!((verdict, tried), (Ok(()), vec![4, 3, 2, 1]), "{strategy:?}");
        let over: Vec<usize> = passed_over(strategy, &rows).map(|row| row.candidate).collect();
        assert_eq!(over, [3, 1, 0], "a resting one did not overflow: it failed");
        assert_eq!(judge(&candidates[..1]).0, Err(Filtered::NoEndpoint));
        let (verdict, tried, rows) = judge(&candidates[3..4]);
        assert_eq!((verdict, tried), (Ok(()), vec![0]), "what is full is better than nothing");
        assert_eq!(passed_over(strategy, &rows).count(), 0);
    }
}

/// Each hard filter has its reason, and the furthest one speaks for the refusal.
#[test]
fn filters_say_why() {
    let tools = Need { tools: true, ..need() };
    let (verdict, rows) = run(Strategy::Failover, 0, 0, &tools, &[STRONG, MIDDLE]);
    assert_eq!((verdict, indices(&rows)), (Ok(()), vec![0]));
    assert_eq!(rows[1].filtered, Some(Filtered::Capability));
    let long = Need { prompt_tokens: 128_001, ..need() };
    let answer = Need { output_tokens_cap: Some(5000), ..need() };
    let downgraded = Need { max_tier: Some(1), ..need() };
    let refusal = |need: &Need, shapes: &[Shape]| {
        run(Strategy::Quality, 0, 0, need, shapes).0.unwrap_err().reason
    };
    assert_eq!(refusal(&long, &[STRONG]), Filtered::Context);
    assert_eq!(refusal(&answer, &[STRONG]), Filtered::Context);
    let small = (90, 1, 0, 10, false);
    assert_eq!(refusal(&downgraded, &[small, STRONG]), Filtered::BudgetTier);
    assert_eq!(refusal(&need(), &[]), Filtered::Capability);
}

/// Over 20,000 draws with a fixed seed, each share lies within 2 points of its weight.
#[test]
fn weighted_draws_by_weight() {
    let shapes = [STRONG, MIDDLE, CHEAP];
    let models: Vec<Model> = shapes.iter().enumerate().map(|(i, &s)| model(i, s)).collect();
    let candidates = facts(&models, &shapes);
    let (mut rng, mut rows, mut first) = (fastrand::Rng::with_seed(1), Vec::new(), [0_u32; 3]);
    let target = QualityTarget::default();
    for _ in 0..20_000 {
        let (strategy, task) = (Strategy::Weighted, Task::Other);
        order(strategy, &target, 0, &need(), None, task, &candidates, &mut rng, &mut rows).unwrap();
        first[rows[0].candidate] += 1;
        let rest = indices(&rows[1..]);
        assert!(rest[0] > rest[1], "the rest goes by weight");
    }
    for (count, share) in first.iter().zip([1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]) {
        assert!((f64::from(*count) / 20_000.0 - share).abs() < 0.02, "{first:?}");
    }
}

fn shapes() -> impl proptest::strategy::Strategy<Value = Vec<Shape>> {
    prop::collection::vec((0_u8..=100, 0_u64..5_000_000, 0_u8..4, 0_u64..4000, any::<bool>()), 1..9)
}

proptest! {
    /// Every candidate has exactly one row; usable ones come first, healthy before cooling; the
    /// scores of each of these groups fall.
    #[test]
    fn order_is_total(shapes in shapes(), lambda in 0_i64..1_000_000_000, floor in 0_u8..100,
                      tier in prop::option::of(0_u8..4)) {
        for strategy in [Strategy::Quality, Strategy::Cheapest, Strategy::Failover] {
            let need = Need { max_tier: tier, ..need() };
            let (verdict, rows) = run(strategy, lambda, floor, &need, &shapes);
            let mut seen: Vec<usize> = rows.iter().map(|row| row.candidate).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..shapes.len()).collect::<Vec<_>>());
            let stage = |row: &Row| match row.filtered {
                None => 0,
                Some(Filtered::Cooldown) => 1,
                Some(_) => 2,
            };
            for pair in rows.windows(2) {
                prop_assert!(stage(&pair[0]) <= stage(&pair[1]));
                if stage(&pair[0]) == stage(&pair[1]) && stage(&pair[0]) < 2 {
                    prop_assert!(pair[0].score >= pair[1].score);
                }
            }
            prop_assert_eq!(verdict.is_ok(), rows.iter().any(Row::usable));
        }
    }

    /// Taking a candidate that is out away changes nothing for the others.
    #[test]
    fn removing_a_filtered_candidate_changes_nothing(shapes in shapes(), lambda in 0_i64..1_000_000_000) {
        let need = Need { max_tier: Some(2), ..need() };
        let (_, rows) = run(Strategy::Quality, lambda, 40, &need, &shapes);
        // The index decides over `tools` in these models, which `need` does not use.
        let keep: Vec<usize> = { let mut kept = indices(&rows); kept.sort_unstable(); kept };
        let fewer: Vec<Shape> = keep.iter().map(|&index| shapes[index]).collect();
        let (_, again) = run(Strategy::Quality, lambda, 40, &need, &fewer);
        let mapped: Vec<usize> = indices(&again).into_iter().map(|index| keep[index]).collect();
        prop_assert_eq!(mapped, indices(&rows));
    }

    /// A larger lambda never chooses a dearer first candidate.
    #[test]
    fn a_dearer_dollar_never_costs_more(shapes in shapes(), low in 0_i64..100_000_000, step in 0_i64..1_000_000_000) {
        let shapes: Vec<Shape> = shapes.into_iter().map(|(q, p, t, _, _)| (q, p, t, 9_999, false)).collect();
        let first = |lambda| run(Strategy::Quality, lambda, 0, &need(), &shapes).1[0];
        // The penalty is cut to whole micros, so a difference below one micro may go either way.
        let (before, after) = (first(low), first(low + step));
        prop_assert!(after.cost <= before.cost || after.probability.abs_diff(before.probability) <= 1);
    }
}

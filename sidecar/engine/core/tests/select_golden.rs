//! The engine chooses what learning evaluated (I3): the same probabilities, expected costs and
//! order as Python, on `tests/golden/choices/cases.json`.

use pointsman_core::features::{FeatureInput, extract};
use pointsman_core::fleet::Load;
use pointsman_core::score::Head;
use pointsman_core::select::{CandidateFacts, Need, order};
use pointsman_core::table::{Model, QualityTarget, Strategy};
use serde::Deserialize;

/// Single precision may move a probability by this much, micro.
const TOLERANCE: u32 = 5;

#[derive(Deserialize)]
struct Golden {
    models: Vec<Model>,
    lambda: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    probabilities: Vec<u32>,
    costs: Vec<u64>,
    order: Vec<usize>,
}

/// Every pinned prompt gives the pinned probabilities, costs and order.
#[test]
fn i3_engine_chooses_what_was_evaluated() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden/choices/cases.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let heads: Vec<Head> =
        golden.models.iter().map(|m| Head::from_table(m.head.as_ref().unwrap()).unwrap()).collect();
    let facts: Vec<CandidateFacts<'_>> = golden
        .models
        .iter()
        .zip(&heads)
        .map(|(model, head)| CandidateFacts {
            model,
            head: Some(head),
            load: Load::Free,
            weight: 1,
            priority: 0,
        })
        .collect();
    assert!(golden.cases.len() >= 40);
    for case in &golden.cases {
        let chars: Vec<char> = case.prompt.chars().collect();
        let (head, rest) = chars.split_at(chars.len().min(500));
        let tail: String = rest[rest.len().saturating_sub(500)..].iter().collect();
        let tokens = chars.len().div_ceil(4) as u64;
        let features = extract(&FeatureInput {
            head: &head.iter().collect::<String>(),
            tail: &tail,
            chars: u32::try_from(chars.len()).unwrap(),
            messages: 1,
            prompt_tokens_estimate: tokens,
            ..FeatureInput::default()
        });
        let need = Need { chat: true, prompt_tokens: tokens, ..Need::default() };
        let (mut rows, mut rng) = (Vec::new(), fastrand::Rng::with_seed(1));
        let (target, lambda) = (QualityTarget::default(), golden.lambda);
        let (strategy, task) = (Strategy::Quality, features.task);
        let all = Some(&features);
        order(strategy, &target, lambda, &need, all, task, &facts, &mut rng, &mut rows).unwrap();
        for row in &rows {
            let expected = case.probabilities[row.candidate];
            assert!(row.probability.abs_diff(expected) <= TOLERANCE, "{row:?} {expected}");
            assert_eq!(row.cost, case.costs[row.candidate], "{:?}", case.prompt);
        }
        let found: Vec<usize> = rows.iter().map(|row| row.candidate).collect();
        assert_eq!(found, case.order, "{:?}", case.prompt);
    }
}

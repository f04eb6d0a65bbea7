//! The engine's features equal Python's (I3): both read `tests/golden/features/cases.json`.

#![expect(clippy::unwrap_used, reason = "a failed read fails the test")]

use pointsman_core::features::{FEATURES, FeatureInput, SURFACE, extract, lexicon, task};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const SIDE: usize = 500;

#[derive(Deserialize)]
struct Golden {
    names: Vec<String>,
    lexicon: BTreeMap<String, Vec<String>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    text: String,
    messages: u32,
    tools: bool,
    json: bool,
    images: u32,
    prompt_tokens: u64,
    task: String,
    features: Vec<f32>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden/features/cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let head = chars.len().min(SIDE);
    let tail = head.max(chars.len().saturating_sub(SIDE));
    (chars[..head].iter().collect(), chars[tail..].iter().collect())
}

/// Every pinned case gives the pinned task and the pinned vector, to 1e-5.
#[test]
fn i3_engine_extracts_what_the_golden_cases_say() {
    let golden = golden();
    assert!(golden.cases.len() >= 60);
    for case in &golden.cases {
        let (head, tail) = split(&case.text);
        let found = extract(&FeatureInput {
            head: &head,
            tail: &tail,
            chars: u32::try_from(case.text.chars().count()).unwrap(),
            messages: case.messages,
            has_tools: case.tools,
            json: case.json,
            images: case.images,
            prompt_tokens_estimate: case.prompt_tokens,
        });
        assert_eq!(found.task.as_str(), case.task, "{:?}", case.text);
        assert_eq!(case.features.len(), FEATURES);
        for (at, (ours, theirs)) in found.values.iter().zip(&case.features).enumerate() {
            let name = &golden.names[at];
            assert!((ours - theirs).abs() < 1e-5, "{name}: {ours} {theirs} in {:?}", case.text);
        }
        if case.text.chars().count() <= 2 * SIDE {
            assert_eq!(task(&case.text).as_str(), case.task);
        }
    }
}

/// Names, their number and the word lists are the ones that heads were fitted with.
#[test]
fn word_lists_are_the_pinned_ones() {
    let golden = golden();
    assert_eq!((golden.names.len(), SURFACE), (FEATURES, 29));
    let ours: BTreeMap<String, Vec<String>> = lexicon()
        .map(|(name, words)| (name.to_owned(), words.split(' ').map(str::to_owned).collect()))
        .collect();
    assert_eq!(ours, golden.lexicon);
}

proptest! {
    /// Any text, cut anywhere, gives finite features, shares within 0 and 1 and one task.
    #[test]
    fn any_text_has_features(head in any::<String>(), tail in any::<String>(), beyond in 0_u32..2000) {
        let seen = u32::try_from(head.chars().count() + tail.chars().count()).unwrap();
        let found = extract(&FeatureInput {
            head: &head, tail: &tail, chars: seen + beyond, messages: 1, ..FeatureInput::default()
        });
        prop_assert!(found.values.iter().all(|value| value.is_finite() && *value >= 0.0));
        prop_assert!(found.values[3] <= 1.0, "type-token ratio");
        prop_assert!(found.values[5..10].iter().all(|share| *share <= 1.0));
        prop_assert_eq!(found.values[SURFACE..].iter().sum::<f32>(), 1.0);
    }

    /// Where the text is cut between head and tail does not matter while nothing is left out.
    #[test]
    fn the_cut_leaves_no_mark(text in "[a-z0-9 =()`'é\\n.-]{0,80}", at in 0_usize..80) {
        let at = text.char_indices().map(|(at, _)| at).take(at + 1).last().unwrap_or(0);
        let chars = u32::try_from(text.chars().count()).unwrap();
        let shape = FeatureInput { chars, messages: 1, ..FeatureInput::default() };
        let whole = extract(&FeatureInput { head: &text, ..shape });
        let cut = extract(&FeatureInput { head: &text[..at], tail: &text[at..], ..shape });
        prop_assert_eq!(whole, cut);
    }
}

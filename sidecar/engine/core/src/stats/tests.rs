//! What the exposition shows, and for how long.

use super::*;
use crate::limits::RETIRED_LABELS_MS;

#[test]
fn the_text_is_openmetrics_with_bounded_labels() {
    let stats = Stats::new();
    let model = stats.model("main/a", "openai");
    model.ok.inc();
    model.cost.inc_by(0.5);
    stats.outcome(&model, "cut");
    stats.table("sha256:1", [&model].into_iter(), 0);
    stats.table("sha256:2", [&model].into_iter(), 0);
    stats.beat(1_000);
    let text = stats.text(31_000);
    assert!(
        text.contains(
            r#"pointsman_requests_total{model="main/a",provider="openai",outcome="ok"} 1"#
        ),
        "{text}"
    );
    assert!(text.contains(r#"pointsman_table{digest="sha256:2"} 1"#) && !text.contains("sha256:1"));
    assert!(text.contains("pointsman_supervisor_heartbeat_age_seconds 30"));
    assert!(text.ends_with("# EOF\n"));
}

/// A table's models, as a swap makes them.
fn swap(stats: &Stats, number: u64, now_ms: u64) -> Vec<ModelStats> {
    let name = |at: u64| format!("main/m{number:04}-{at}");
    let models: Vec<_> = (0..3).map(|at| stats.model(&name(at), "openai")).collect();
    for model in &models {
        model.ok.inc();
        stats.attempt(model, Class::Server.label());
        stats.outcome(model, Outcome::Failed.as_str());
    }
    stats.table("sha256:0", models.iter(), now_ms);
    models
}

#[test]
fn two_hundred_swaps_with_new_names_leave_no_more_than_the_bound() {
    let stats = Stats::new();
    let warm: Vec<_> = (0..50).map(|number| swap(&stats, number, number)).collect();
    let before = stats.text(50).len();
    let held = stats.roster.lock().len();
    for number in 50..250 {
        swap(&stats, number, number);
    }
    let text = stats.text(250);
    assert_eq!(stats.roster.lock().len(), held, "nothing is remembered for each name");
    assert!(text.len().abs_diff(before) < 200, "{} after {before}", text.len());
    // A call that ends on a table of long ago brings nothing back.
    stats.outcome(&warm[0][0], Outcome::Cut.as_str());
    stats.attempt(&warm[0][0], Class::MidStream.label());
    assert_eq!(stats.text(250).len(), text.len());
}

#[test]
fn tables_that_are_refused_leave_nothing() {
    let stats = Stats::new();
    let used = swap(&stats, 1, 0);
    let before = stats.text(0).len();
    for number in 0..200 {
        let refused = stats.model(&format!("main/refused-{number}"), "openai");
        stats.keep(used.iter(), 0);
        refused.ok.inc();
    }
    let text = stats.text(RETIRED_LABELS_MS);
    assert_eq!(text.len(), before, "{text}");
    assert!(text.contains("m0001-0"));
}

#[test]
fn a_model_that_left_is_shown_for_a_while_and_one_that_returns_goes_on_counting() {
    let stats = Stats::new();
    swap(&stats, 1, 0);
    swap(&stats, 2, 1_000);
    let ok = r#"pointsman_requests_total{model="main/m0001-0",provider="openai",outcome="ok"}"#;
    assert!(stats.text(1_000 + RETIRED_LABELS_MS - 1).contains(&format!("{ok} 1")));
    swap(&stats, 1, 2_000);
    assert!(stats.text(2_000 + RETIRED_LABELS_MS).contains(&format!("{ok} 2")));
    swap(&stats, 2, 10_000);
    let late = stats.text(10_000 + RETIRED_LABELS_MS);
    assert!(!late.contains("m0001") && late.contains("m0002"), "{late}");
}

//! Where several Budgets bind a call, its refusal names the one that decided.

use pointsman_core::budget::{Admission, RefusalCode};
use serde_json::{Value, json};

use super::world::{CENT, World, budget, table};

const OTHER: &str = "demo/other/day";

/// `demo/team` and, listed behind it, `demo/other`.
fn two(team: u64, other: u64, thresholds: &Value) -> [Value; 2] {
    let mut second = budget(other);
    second["name"] = json!("other");
    second["thresholds"] = thresholds.clone();
    [budget(team), second]
}

fn world(team: u64, other: u64, thresholds: &Value) -> World {
    let mut world = World::new(team);
    world.hub.limits.insert(OTHER.into(), other);
    world.one.book.configure(&table(&two(team, other, thresholds))).unwrap();
    world.one.sync(&mut world.hub);
    world
}

#[test]
fn a_lower_tier_is_asked_for_in_the_name_of_the_budget_that_crossed_its_threshold() {
    let downgrade = json!([{"percent": 1, "action": "Downgrade", "maxTier": 2}]);
    let mut world = world(10_000 * CENT, CENT, &downgrade);
    assert_eq!(world.one.book.max_tier(&world.one.accounts()), None);
    let Admission::Wait(waiter) = world.one.admit(CENT / 10) else { panic!("it is dear") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    world.one.granted(CENT / 10).settle(CENT / 10);
    let tier = world.one.book.max_tier(&world.one.accounts()).unwrap();
    assert_eq!(tier.most, 2);
    let refusal = world.one.book.downgraded(tier);
    assert_eq!((&*refusal.budget, &*refusal.limit, refusal.amount), ("demo/other", "day", CENT));
    assert_eq!(refusal.resets_at.as_deref(), Some("2026-11-23T00:00:00Z"));
}

#[test]
fn the_lowest_tier_of_several_decides() {
    let mut budgets =
        two(CENT, CENT, &json!([{"percent": 1, "action": "Downgrade", "maxTier": 1}]));
    budgets[0]["thresholds"] = json!([{"percent": 1, "action": "Downgrade", "maxTier": 3}]);
    let mut world = world(CENT, CENT, &json!([]));
    world.one.book.configure(&table(&budgets)).unwrap();
    let Admission::Wait(waiter) = world.one.admit(CENT / 10) else { panic!("it is dear") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    world.one.granted(CENT / 10).settle(CENT / 10);
    let tier = world.one.book.max_tier(&world.one.accounts()).unwrap();
    assert_eq!((tier.most, &*world.one.book.downgraded(tier).budget), (1, "demo/other"));
}

#[test]
fn a_stream_is_cut_in_the_name_of_the_budget_that_has_no_more() {
    let mut world = world(10_000 * CENT, CENT, &json!([]));
    let free = world.one.free();
    let mut charge = world.one.granted(free);
    assert!(!charge.top_up(2 * CENT));
    let waits = charge.shortage(2 * CENT);
    assert_eq!(waits.code, RefusalCode::LedgerUnavailable, "the hub was not asked yet");
    world.one.sync(&mut world.hub);
    assert!(!charge.top_up(2 * CENT), "a cent does not pay for two");
    let refusal = charge.shortage(2 * CENT);
    assert_eq!((&*refusal.budget, refusal.code), ("demo/other", RefusalCode::Exhausted));
    assert_eq!(refusal.resets_at.as_deref(), Some("2026-11-23T00:00:00Z"));
    charge.settle(free);
}

#[test]
fn too_many_budgets_are_refused_in_the_name_of_one_that_binds() {
    let mut world = World::new(CENT);
    let mut many: Vec<Value> = vec![budget(CENT)];
    many[0]["subject"] = json!({"workloads": ["another"]});
    many.extend((0..17).map(|number| {
        let mut one = budget(CENT);
        one["name"] = json!(format!("n{number:02}"));
        one
    }));
    world.one.book.configure(&table(&many)).unwrap();
    world.one.sync(&mut world.hub);
    let refusal = world.one.refused(1);
    assert_eq!((refusal.code, &*refusal.budget), (RefusalCode::TooManyBudgets, "demo/n00"));
}

//! Which Budgets bind which requests.

use http::{HeaderMap, HeaderValue};
use pointsman_core::budget::{Admission, RefusalCode};
use pointsman_core::limits::{ACCOUNTS, ACCOUNTS_PER_REQUEST};
use serde_json::{Value, json};

use super::world::{CENT, World, budget, table};

fn named(name: &str, subject: Value) -> Value {
    let mut budget = budget(CENT);
    budget["name"] = json!(name);
    budget["subject"] = subject;
    budget
}

fn bound(world: &World, headers: &[(&'static str, &'static str)], model: usize) -> Vec<String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    let set = world.one.book.accounts_for(&map, model);
    world.one.book.names(&set).iter().map(|it| it.to_string()).collect()
}

#[test]
fn every_member_of_a_subject_must_match() {
    let world = World::new(CENT);
    let blue = json!({"name": "x-team", "values": ["blue", "cyan"]});
    let budgets = [
        named("all", json!({})),
        named("here", json!({"namespaces": ["x", "demo"], "workloads": ["support"]})),
        named("there", json!({"namespaces": ["x"]})),
        named("blue", json!({"header": blue})),
        named("present", json!({"header": {"name": "x-team"}})),
        named("large", json!({"models": ["*/large"]})),
        named("blue-large", json!({"header": blue, "models": ["main/large"]})),
    ];
    world.one.book.configure(&table(&budgets)).unwrap();
    assert_eq!(bound(&world, &[], 0), ["demo/all/day", "demo/here/day"]);
    assert_eq!(
        bound(&world, &[("x-team", "cyan")], 0),
        ["demo/all/day", "demo/here/day", "demo/present/day", "demo/blue/day"]
    );
    assert_eq!(
        bound(&world, &[("x-team", "blue")], 1),
        [
            "demo/all/day",
            "demo/here/day",
            "demo/large/day",
            "demo/present/day",
            "demo/blue/day",
            "demo/blue-large/day"
        ]
    );
    assert_eq!(
        bound(&world, &[("x-team", "Blue")], 0),
        ["demo/all/day", "demo/here/day", "demo/present/day"],
        "values are exact"
    );
}

#[test]
fn a_request_that_too_many_budgets_bind_is_refused() {
    let world = World::new(CENT);
    let budgets: Vec<_> =
        (0..=ACCOUNTS_PER_REQUEST).map(|it| named(&format!("b{it}"), json!({}))).collect();
    world.one.book.configure(&table(&budgets)).unwrap();
    assert_eq!(world.one.refused(1).code, RefusalCode::TooManyBudgets);
    world.one.book.configure(&table(&budgets[1..])).unwrap();
    assert!(matches!(world.one.admit(1), Admission::Wait(_)));
}

#[test]
fn a_table_with_more_accounts_than_fit_is_refused_and_the_old_one_stays() {
    let world = World::new(CENT);
    let budgets: Vec<_> = (0..=ACCOUNTS).map(|it| named(&format!("b{it}"), json!({}))).collect();
    let error = world.one.book.configure(&table(&budgets)).unwrap_err();
    assert!(error.to_string().contains("257"), "{error}");
    assert_eq!(bound(&world, &[], 0), ["demo/team/day"]);
}

#[test]
fn an_account_set_of_a_gone_budget_binds_nothing() {
    let world = World::new(CENT);
    let old = world.one.accounts();
    world.one.book.configure(&table(&[named("new", json!({}))])).unwrap();
    assert_eq!(world.one.book.free_for(&old), u64::MAX);
    assert_eq!(world.one.book.max_tier(&old), None);
    let Admission::Granted(charge) = world.one.book.admit(&old, CENT) else { panic!("unbound") };
    charge.settle(CENT);
}

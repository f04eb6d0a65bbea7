//! The reader's half of I3: every golden table of the compiler is read, checked and planned here,
//! and both sides name it by the same digest.

#![expect(clippy::unwrap_used, reason = "a failed read fails the test")]

use std::fs;
use std::path::PathBuf;

use pointsman_core::check;
use pointsman_core::plan::{Breakers, Plan};
use pointsman_core::stats::Stats;

fn tables() -> Vec<PathBuf> {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden/cases");
    let mut found: Vec<PathBuf> = fs::read_dir(cases)
        .unwrap()
        .flat_map(|case| fs::read_dir(case.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .collect();
    found.sort();
    found
}

/// What the compiler writes, the engine serves.
#[test]
fn i3_every_golden_table_is_accepted() {
    let tables = tables();
    assert!(tables.len() >= 12);
    for file in tables {
        let bytes = fs::read(&file).unwrap();
        let table = check::read(&bytes).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let rules = table.rules.len();
        let digest = check::digest(&bytes);
        let plan = Plan::build(table, digest, &Stats::default(), &Breakers::default())
            .unwrap_or_else(|error| panic!("{file:?}: {error}"));
        assert!(plan.routes.len() >= rules, "{file:?}");
        let status = fs::read_to_string(file.with_file_name("status.yaml")).unwrap();
        assert!(status.contains(&plan.digest), "{file:?}: the digest differs from the compiler's");
    }
}

/// A rule whose candidates are all gone stays in its place: what it takes is refused.
#[test]
fn a_rule_without_candidates_keeps_its_place() {
    let case = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/golden/cases/a_missing_candidate_leaves_its_rule_in_place/table.json"
    );
    let table = check::read(&fs::read(case).unwrap()).unwrap();
    assert_eq!(table.rules[0].name, "private");
    assert!(table.rules[0].route.candidates.is_empty());
    assert!(!table.rules[1].route.candidates.is_empty());
}

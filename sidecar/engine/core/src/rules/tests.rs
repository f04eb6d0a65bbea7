use std::cell::Cell;

use serde_json::{Value, json};

use super::*;

fn table(signals: Value, whens: Value) -> RouteTable {
    let route = json!({"strategy": "Failover", "candidates": []});
    let rules: Vec<Value> = whens
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(index, when)| json!({"name": format!("r{index}"), "when": when, "route": route}))
        .collect();
    let table = json!({
        "version": 1, "minReader": 1, "policy": {"namespace": "demo", "name": "p"},
        "models": [], "signals": signals, "rules": rules, "default": {"action": "Deny"},
    });
    serde_json::from_value(table).unwrap()
}

fn rules(whens: Value) -> Rules {
    let signals = json!([
        {"name": "pii", "detector": "PII"},
        {"name": "code", "task": "code"},
        {"name": "math", "task": "math"},
        {"name": "long", "tokens": {"min": 100, "max": 200}},
        {"name": "batch", "header": {"name": "x-batch", "values": ["1", "yes"]}},
        {"name": "tagged", "header": {"name": "x-tag"}},
        {"name": "legal", "keywords": ["contract", "terms of service"]},
        {"name": "food", "keywords": ["soup"]},
        {"name": "auto", "models": ["auto", "gpt-*"]},
    ]);
    Rules::new(&table(signals, whens)).unwrap()
}

/// A request of which each part is plain until a test says otherwise.
struct Request {
    headers: HeaderMap,
    model: &'static str,
    text: LastText,
    tokens: u64,
    pii: bool,
    task: Task,
    tasks_asked: Cell<u32>,
}

fn request() -> Request {
    let (headers, text) = (HeaderMap::new(), LastText::default());
    let tasks_asked = Cell::new(0);
    Request { headers, model: "auto", text, tokens: 10, pii: false, task: Task::Other, tasks_asked }
}

impl Request {
    fn said(mut self, text: &str) -> Self {
        self.text.head = text.to_owned();
        self
    }

    fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    fn matched(&self, rules: &Rules) -> Match {
        let task = || {
            self.tasks_asked.set(self.tasks_asked.get() + 1);
            self.task
        };
        let Request { headers, model, text, tokens, pii, .. } = self;
        rules.first_match(&Facts { headers, model, text, tokens: *tokens, pii: *pii, task: &task })
    }

    fn rule(&self, rules: &Rules) -> Option<usize> {
        self.matched(rules).rule
    }
}

#[test]
fn first_match_wins() {
    let rules = rules(json!([{"anyOf": ["pii"]}, {"models": ["auto"]}, {}]));
    assert_eq!(request().rule(&rules), Some(1));
    assert_eq!(Request { pii: true, ..request() }.rule(&rules), Some(0));
    assert_eq!(Request { model: "other", ..request() }.rule(&rules), Some(2));
}

#[test]
fn no_rule_is_no_match() {
    assert_eq!(request().rule(&rules(json!([]))), None);
    assert_eq!(request().rule(&rules(json!([{"models": ["gpt-*"]}]))), None);
}

#[test]
fn empty_member_holds() {
    let rules = rules(json!([{"anyOf": [], "allOf": [], "noneOf": [], "models": []}]));
    assert_eq!(request().rule(&rules), Some(0));
}

#[test]
fn any_of_needs_one_and_all_of_needs_every_one() {
    let any = rules(json!([{"anyOf": ["pii", "long"]}]));
    let all = rules(json!([{"allOf": ["pii", "long"]}]));
    for (pii, tokens, one, both) in [
        (false, 1, false, false),
        (true, 1, true, false),
        (false, 100, true, false),
        (true, 200, true, true),
    ] {
        let request = Request { pii, tokens, ..request() };
        assert_eq!(request.rule(&any).is_some(), one, "{pii} {tokens}");
        assert_eq!(request.rule(&all).is_some(), both, "{pii} {tokens}");
    }
}

#[test]
fn none_of_excludes() {
    let rules = rules(json!([{"anyOf": ["auto"], "noneOf": ["pii", "long"]}]));
    assert_eq!(request().rule(&rules), Some(0));
    assert_eq!(Request { pii: true, ..request() }.rule(&rules), None);
    assert_eq!(Request { tokens: 150, ..request() }.rule(&rules), None);
}

#[test]
fn all_four_members_must_hold() {
    let when =
        json!({"anyOf": ["batch"], "allOf": ["long"], "noneOf": ["pii"], "models": ["auto"]});
    let rules = rules(json!([when]));
    let good = || Request { tokens: 150, ..request() }.with_header("x-batch", "1");
    assert_eq!(good().rule(&rules), Some(0));
    assert_eq!(Request { tokens: 1, ..good() }.rule(&rules), None);
    assert_eq!(Request { pii: true, ..good() }.rule(&rules), None);
    assert_eq!(Request { model: "gpt-4o", ..good() }.rule(&rules), None);
    assert_eq!(Request { headers: HeaderMap::new(), ..good() }.rule(&rules), None);
}

#[test]
fn token_bounds_are_inclusive() {
    let rules = rules(json!([{"anyOf": ["long"]}]));
    for (tokens, holds) in [(99, false), (100, true), (200, true), (201, false)] {
        assert_eq!(Request { tokens, ..request() }.rule(&rules).is_some(), holds, "{tokens}");
    }
}

#[test]
fn a_header_matches_by_any_of_its_values_or_by_presence() {
    let by_value = rules(json!([{"anyOf": ["batch"]}]));
    let by_presence = rules(json!([{"anyOf": ["tagged"]}]));
    assert_eq!(request().with_header("x-batch", "no").rule(&by_value), None);
    assert_eq!(request().with_header("x-batch", "YES").rule(&by_value), None);
    let twice = request().with_header("x-batch", "no").with_header("x-batch", "yes");
    assert_eq!(twice.rule(&by_value), Some(0));
    assert_eq!(request().rule(&by_presence), None);
    assert_eq!(request().with_header("x-tag", "").rule(&by_presence), Some(0));
}

#[test]
fn keywords_and_models_match() {
    let rules = rules(json!([{"anyOf": ["legal"]}, {"allOf": ["auto"], "models": ["gpt-*"]}]));
    assert_eq!(request().said("my Contract").rule(&rules), Some(0));
    assert_eq!(request().said("contractual").rule(&rules), None);
    assert_eq!(Request { model: "gpt-4o", ..request() }.rule(&rules), Some(1));
}

#[test]
fn signals_are_evaluated_lazily_and_once() {
    let rules =
        rules(json!([{"anyOf": ["pii"]}, {"anyOf": ["math", "code"]}, {"allOf": ["code"]}, {}]));
    let early = Request { pii: true, ..request() };
    assert_eq!(early.rule(&rules), Some(0));
    assert_eq!(early.tasks_asked.get(), 0);
    let late = request();
    assert_eq!(late.rule(&rules), Some(3));
    assert_eq!(late.tasks_asked.get(), 1);
}

#[test]
fn signals_that_held_are_named() {
    let rules =
        rules(json!([{"allOf": ["long", "legal"]}, {"anyOf": ["code"], "noneOf": ["pii"]}]));
    let request = Request { task: Task::Code, tokens: 100, ..request() }.said("soup");
    let matched = request.matched(&rules);
    assert_eq!(matched.rule, Some(1));
    assert_eq!(rules.signals(matched).collect::<Vec<_>>(), ["code", "long", "food"]);
}

#[test]
fn needs_are_those_of_signals_that_rules_name() {
    assert_eq!(
        rules(json!([{"models": ["a"]}, {"anyOf": ["batch", "auto"]}])).needs(),
        Needs::default()
    );
    let all = rules(json!([{"anyOf": ["pii"]}, {"allOf": ["legal"], "noneOf": ["code", "long"]}]));
    assert_eq!(all.needs(), Needs { pii: true, task: true, keywords: true, tokens: true });
}

#[test]
fn every_problem_is_named_with_its_path() {
    let signals = json!([
        {"name": "a"},
        {"name": "a", "detector": "PII", "task": "code"},
        {"name": "b", "detector": "Faces"},
        {"name": "c", "task": "dance"},
        {"name": "d", "tokens": {"min": 2, "max": 1}},
        {"name": "e", "header": {"name": "x y"}},
        {"name": "f", "keywords": ["", "ok"]},
        {"name": "g", "models": []},
    ]);
    let whens = json!([{"anyOf": ["a"], "noneOf": ["nope"], "models": [""]}]);
    let problems = Rules::new(&table(signals, whens)).unwrap_err();
    let paths: Vec<&str> =
        problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
    assert_eq!(
        paths,
        [
            "signals[0]",
            "signals[1].name",
            "signals[1]",
            "signals[2].detector",
            "signals[3].task",
            "signals[4].tokens",
            "signals[5].header.name",
            "signals[6].keywords[0]",
            "signals[7].models",
            "rules[0].when.noneOf[0]",
            "rules[0].when.models[0]",
        ]
    );
    let many: Vec<Value> =
        (0..129).map(|n| json!({"name": n.to_string(), "detector": "PII"})).collect();
    assert_eq!(
        Rules::new(&table(many.into(), json!([]))).unwrap_err(),
        ["signals: 129 of them; keep to 128"]
    );
}

//! From a table's signals and rules to what a request is matched with.

use http::HeaderName;

use super::glob::Glob;
use super::{Needs, RuleTest, Rules, Signal, Test};
use crate::features::Task;
use crate::limits::SIGNALS;
use crate::table::{self, RouteTable};

/// Problems are sentences that begin with the path in the table.
type Problems = Vec<String>;

pub(super) fn compile(table: &RouteTable) -> Result<Rules, Problems> {
    let mut problems = Problems::new();
    let mut rules = Rules::default();
    if table.signals.len() > SIGNALS {
        return Err(vec![format!("signals: {} of them; keep to {SIGNALS}", table.signals.len())]);
    }
    for (index, signal) in table.signals.iter().enumerate() {
        let path = format!("signals[{index}]");
        if rules.signals.iter().any(|other| other.name == signal.name) {
            problems.push(format!("{path}.name: `{}` is taken; choose another", signal.name));
        }
        match test(signal, &path, &mut rules, index, &mut problems) {
            Some(test) => rules.signals.push(Signal { name: signal.name.clone(), test }),
            // Keeps places and names right for the rules' own problems.
            None => rules.signals.push(Signal { name: signal.name.clone(), test: Test::Pii }),
        }
    }
    for (index, rule) in table.rules.iter().enumerate() {
        let when = format!("rules[{index}].when");
        let compiled = RuleTest {
            any_of: references(&rules, &rule.when.any_of, &format!("{when}.anyOf"), &mut problems),
            all_of: references(&rules, &rule.when.all_of, &format!("{when}.allOf"), &mut problems),
            none_of: references(
                &rules,
                &rule.when.none_of,
                &format!("{when}.noneOf"),
                &mut problems,
            ),
            models: globs(&rule.when.models, &format!("{when}.models"), &mut problems),
        };
        rules.rules.push(compiled);
    }
    rules.needs = needs(&rules);
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

fn test(
    signal: &table::Signal,
    path: &str,
    rules: &mut Rules,
    index: usize,
    problems: &mut Problems,
) -> Option<Test> {
    let mut tests = Vec::new();
    if let Some(detector) = &signal.detector {
        if detector != "PII" {
            problems.push(format!("{path}.detector: `{detector}` is unknown; use PII"));
        }
        tests.push(Test::Pii);
    }
    if let Some(name) = &signal.task {
        match Task::from_name(name) {
            Some(task) => tests.push(Test::Task(task)),
            None => problems.push(format!("{path}.task: `{name}` is unknown; use code, math, extraction, translation, summary, chat or other")),
        }
    }
    if let Some(range) = &signal.tokens {
        let (min, max) = (range.min.unwrap_or(0), range.max.unwrap_or(u64::MAX));
        if min > max || (range.min.is_none() && range.max.is_none()) {
            problems.push(format!(
                "{path}.tokens: holds nothing; give min, max, or both with min <= max"
            ));
        }
        tests.push(Test::Tokens { min, max });
    }
    if let Some(header) = &signal.header {
        match HeaderName::from_bytes(header.name.as_bytes()) {
            Ok(name) => tests.push(Test::Header { name, values: header.values.clone() }),
            Err(_) => problems.push(format!(
                "{path}.header.name: `{}` is no header's name; use letters, digits and -",
                header.name
            )),
        }
    }
    if let Some(keywords) = &signal.keywords {
        if keywords.is_empty() {
            problems.push(format!("{path}.keywords: is empty; list at least one"));
        }
        for (at, keyword) in keywords.iter().enumerate() {
            if !rules.keywords.add(keyword, 1 << index) {
                problems.push(format!("{path}.keywords[{at}]: is empty; write a word"));
            }
        }
        tests.push(Test::Keywords);
    }
    if let Some(models) = &signal.models {
        if models.is_empty() {
            problems.push(format!("{path}.models: is empty; list at least one"));
        }
        tests.push(Test::Models(globs(models, &format!("{path}.models"), problems)));
    }
    one(tests, signal, path, problems)
}

/// A signal is of exactly one kind.
fn one(
    mut tests: Vec<Test>,
    signal: &table::Signal,
    path: &str,
    problems: &mut Problems,
) -> Option<Test> {
    let kinds = [
        signal.detector.is_some(),
        signal.task.is_some(),
        signal.tokens.is_some(),
        signal.header.is_some(),
        signal.keywords.is_some(),
        signal.models.is_some(),
    ];
    let given = kinds.into_iter().filter(|given| *given).count();
    if given != 1 {
        problems.push(format!("{path}: has {given} kinds; give exactly one of detector, task, tokens, header, keywords, models"));
        return None;
    }
    tests.pop()
}

fn globs(patterns: &[String], path: &str, problems: &mut Problems) -> Vec<Glob> {
    for (index, _) in patterns.iter().enumerate().filter(|(_, pattern)| pattern.is_empty()) {
        problems.push(format!("{path}[{index}]: is empty; write a name, or * for any"));
    }
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

/// Places of the named signals, the cheap ones first.
fn references(rules: &Rules, names: &[String], path: &str, problems: &mut Problems) -> Vec<u8> {
    let mut places = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match rules.signals.iter().position(|signal| signal.name == *name) {
            Some(place) => places.extend(u8::try_from(place)),
            None => problems
                .push(format!("{path}[{index}]: no signal is named `{name}`; name one of signals")),
        }
    }
    places.sort_by_key(|&place| cost(&rules.signals[usize::from(place)].test));
    places
}

const fn cost(test: &Test) -> u8 {
    match test {
        Test::Pii | Test::Tokens { .. } => 0,
        Test::Models(_) => 1,
        Test::Header { .. } => 2,
        Test::Keywords => 3,
        Test::Task(_) => 4,
    }
}

fn needs(rules: &Rules) -> Needs {
    let mut needs = Needs::default();
    for rule in &rules.rules {
        for &place in rule.any_of.iter().chain(&rule.all_of).chain(&rule.none_of) {
            match rules.signals[usize::from(place)].test {
                Test::Pii => needs.pii = true,
                Test::Task(_) => needs.task = true,
                Test::Keywords => needs.keywords = true,
                Test::Tokens { .. } => needs.tokens = true,
                Test::Header { .. } | Test::Models(_) => {}
            }
        }
    }
    needs
}

//! Which rule takes a request: the first whose conditions hold. `plan` compiles [`Rules`] from a
//! table; `handle` asks [`Rules::needs`] before it scans and [`Rules::first_match`] after.

mod compile;
mod glob;
mod keywords;

use http::{HeaderMap, HeaderName};

use crate::features::Task;
use crate::scan::LastText;
use crate::table::RouteTable;
use keywords::Keywords;

pub use glob::Glob;

/// What the rules of a table look at beyond headers and the model's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Personal data: `ScanOptions::detect_pii`.
    pub pii: bool,
    /// The task type: `ScanOptions::keep_text`.
    pub task: bool,
    /// Words of the last user text: `ScanOptions::keep_text`.
    pub keywords: bool,
    /// The estimate of prompt tokens.
    pub tokens: bool,
}

/// A request, as far as rules look at it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The caller's headers.
    pub headers: &'a HeaderMap,
    /// The requested model, as written.
    pub model: &'a str,
    /// The last user text.
    pub text: &'a LastText,
    /// Estimated prompt tokens.
    pub tokens: u64,
    /// Some message text holds personal data.
    pub pii: bool,
    /// The task type; asked at most once, and only where a rule depends on it.
    pub task: &'a dyn Fn() -> Task,
}

/// A table's rules, ready to match. Matching allocates nothing.
#[derive(Debug, Default)]
pub struct Rules {
    signals: Vec<Signal>,
    rules: Vec<RuleTest>,
    keywords: Keywords,
    needs: Needs,
}

#[derive(Debug)]
struct Signal {
    name: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Pii,
    Task(Task),
    Tokens { min: u64, max: u64 },
    Header { name: HeaderName, values: Vec<String> },
    Keywords,
    Models(Vec<Glob>),
}

/// A rule's `when`; signals by their place.
#[derive(Debug)]
struct RuleTest {
    any_of: Vec<u8>,
    all_of: Vec<u8>,
    none_of: Vec<u8>,
    models: Vec<Glob>,
}

/// What came of matching one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Match {
    /// Place of the first rule that holds; `None`: the table's default decides.
    pub rule: Option<usize>,
    held: u128,
}

impl Rules {
    /// Compiles a table's signals and rules.
    ///
    /// # Errors
    /// Every problem at once: a sentence that begins with the path in the table.
    pub fn new(table: &RouteTable) -> Result<Self, Vec<String>> {
        compile::compile(table)
    }

    /// What the scan must provide for these rules, and no more.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// The first rule that takes the request. A signal is evaluated when a rule depends on it, and
    /// at most once.
    #[must_use]
    pub fn first_match(&self, facts: &Facts<'_>) -> Match {
        let mut seen = Seen { rules: self, facts, known: 0, held: 0, task: None };
        let rule = self.rules.iter().position(|rule| rule.takes(&mut seen));
        Match { rule, held: seen.held }
    }

    /// Names of the signals that were evaluated and held, for the record.
    pub fn signals(&self, matched: Match) -> impl Iterator<Item = &str> {
        let held = move |&(place, _): &(usize, &Signal)| matched.held >> place & 1 == 1;
        self.signals.iter().enumerate().filter(held).map(|(_, signal)| signal.name.as_str())
    }
}

impl RuleTest {
    fn takes(&self, seen: &mut Seen<'_, '_>) -> bool {
        let model = seen.facts.model;
        (self.models.is_empty() || self.models.iter().any(|glob| glob.matches(model)))
            && self.all_of.iter().all(|&signal| seen.holds(signal))
            && !self.none_of.iter().any(|&signal| seen.holds(signal))
            && (self.any_of.is_empty() || self.any_of.iter().any(|&signal| seen.holds(signal)))
    }
}

/// What is known of one request's signals, a bit each.
struct Seen<'a, 'f> {
    rules: &'a Rules,
    facts: &'a Facts<'f>,
    known: u128,
    held: u128,
    task: Option<Task>,
}

impl Seen<'_, '_> {
    fn holds(&mut self, signal: u8) -> bool {
        let bit = 1 << signal;
        if self.known & bit == 0 {
            self.evaluate(usize::from(signal), bit);
        }
        self.held & bit != 0
    }

    fn evaluate(&mut self, place: usize, bit: u128) {
        let facts = self.facts;
        let held = match &self.rules.signals[place].test {
            Test::Pii => facts.pii,
            Test::Task(task) => *self.task.get_or_insert_with(|| (facts.task)()) == *task,
            Test::Tokens { min, max } => (*min..=*max).contains(&facts.tokens),
            Test::Header { name, values } => facts.headers.get_all(name).iter().any(|value| {
                values.is_empty()
                    || values.iter().any(|wanted| wanted.as_bytes() == value.as_bytes())
            }),
            Test::Models(globs) => globs.iter().any(|glob| glob.matches(facts.model)),
            Test::Keywords => {
                // One pass answers for all signals with keywords.
                let keywords = &self.rules.keywords;
                self.known |= keywords.signals;
                self.held |= keywords.find(facts.text);
                return;
            }
        };
        self.known |= bit;
        self.held |= if held { bit } else { 0 };
    }
}

#[cfg(test)]
mod tests;

//! What the heads see: 29 surface features of the last user text and the request's shape, and the
//! task type (docs/contracts.md §5). Twin of `operator/pointsman_operator/learn/features.py`;
//! `tests/golden/features/cases.json` holds the two equal.

mod lexicon;
mod survey;

use crate::limits::FEATURE_SIDE_CHARS;
use lexicon::{
    AUTHORING, CHAT, CODE, CONDITION, EXTRACTION, IMPERATIVE, MATHS, NUMBER, PROGRAM, QUANTITY,
    QUESTION, REASONING, RELATION, SUMMARY, TRANSLATION,
};
pub use survey::Survey;

/// Surface features.
pub const SURFACE: usize = 29;
/// Surface features and one-hot task type: the length of a head.
pub const FEATURES: usize = SURFACE + TASKS.len();

/// One mark or word may be chance; two are a hint.
const PAIR: u32 = 2;
/// This many code marks and indented lines are code without a word that says so.
const CODE_MARKS: u32 = 4;
/// Longer texts are not small talk.
const CHAT_WORDS: u32 = 40;

/// What a request is about, by rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Task {
    /// Programs: to write, read, mend.
    Code,
    /// Something to calculate or prove.
    Math,
    /// Fields out of a text.
    Extraction,
    /// From one language to another.
    Translation,
    /// A shorter text.
    Summary,
    /// Small talk and short personal requests.
    Chat,
    /// None of these.
    Other,
}

/// All task types, in the order of the one-hot features.
pub const TASKS: [Task; 7] = [
    Task::Code,
    Task::Math,
    Task::Extraction,
    Task::Translation,
    Task::Summary,
    Task::Chat,
    Task::Other,
];

impl Task {
    /// The name in tables and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Math => "math",
            Self::Extraction => "extraction",
            Self::Translation => "translation",
            Self::Summary => "summary",
            Self::Chat => "chat",
            Self::Other => "other",
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TASKS.into_iter().find(|task| task.as_str() == name)
    }

    /// Place in `TASKS`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The last user text and the request's shape.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeatureInput<'a> {
    /// First 500 characters of the text.
    pub head: &'a str,
    /// Last 500 characters beyond `head`; empty up to 500 characters in all.
    pub tail: &'a str,
    /// Length of the whole text, characters.
    pub chars: u32,
    /// Messages in the conversation.
    pub messages: u32,
    /// The request offers tools.
    pub has_tools: bool,
    /// The request asks for JSON.
    pub json: bool,
    /// Image parts.
    pub images: u32,
    /// Estimate for the whole prompt, tokens.
    pub prompt_tokens_estimate: u64,
}

/// The vector that heads are applied to, and the task in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features {
    /// In the order of `NAMES` in `features.py`.
    pub values: [f32; FEATURES],
    /// Task type, one-hot in `values` too.
    pub task: Task,
}

/// Counts and features in one go.
#[must_use]
pub fn extract(input: &FeatureInput<'_>) -> Features {
    let survey = survey(input);
    let task = survey.task();
    let mut values = [0.0; FEATURES];
    survey.surface(input, &mut values);
    values[SURFACE + task.index()] = 1.0;
    Features { values, task }
}

/// The task type of a text of at most 1,000 characters.
#[must_use]
pub fn task(text: &str) -> Task {
    survey::survey(text, "", false).task()
}

/// Counts everything once, for rules that need only the task and for `extract`.
#[must_use]
pub fn survey(input: &FeatureInput<'_>) -> Survey {
    survey::survey(input.head, input.tail, input.chars > 2 * FEATURE_SIDE_CHARS)
}

/// Word classes and their words, for the golden cases.
pub fn lexicon() -> impl Iterator<Item = (&'static str, &'static str)> {
    lexicon::LEXICON.into_iter()
}

impl Survey {
    /// Rules in order; the first that holds names the task.
    #[must_use]
    pub fn task(&self) -> Task {
        let named = [
            (TRANSLATION, Task::Translation),
            (SUMMARY, Task::Summary),
            (EXTRACTION, Task::Extraction),
        ]
        .into_iter()
        .find(|&(class, _)| self.of(class) > 0);
        let notation = self.backslashes >= PAIR || self.dollars >= PAIR;
        if notation && self.of(CODE) < PAIR && named.is_none() && self.fences == 0 {
            return Task::Math;
        }
        if self.is_code() {
            return Task::Code;
        }
        if let Some((_, task)) = named {
            return task;
        }
        if self.is_math() {
            return Task::Math;
        }
        if self.of(CHAT) > 0 && self.numbers == 0 && self.words <= CHAT_WORDS {
            return Task::Chat;
        }
        Task::Other
    }

    fn is_code(&self) -> bool {
        let marks = self.code_marks + self.indents;
        let hints = marks + self.of(PROGRAM) + self.of(AUTHORING);
        self.fences > 0
            || self.of(CODE) >= PAIR
            || marks >= CODE_MARKS
            || (self.of(CODE) > 0 && hints > 0)
            || (self.of(PROGRAM) > 0 && self.of(AUTHORING) > 0)
    }

    fn is_math(&self) -> bool {
        let figures = self.numbers + self.of(NUMBER);
        if self.of(MATHS) > 0 && figures + self.operators > 0 {
            return true;
        }
        if self.of(QUANTITY) > 0 && figures >= PAIR {
            return true;
        }
        let amounts = figures + self.of(RELATION) + self.operators;
        self.numbers > 0 && self.of(QUESTION) > 0 && amounts > PAIR
    }

    const fn of(&self, class: usize) -> u32 {
        self.words_of[class]
    }

    fn surface(&self, input: &FeatureInput<'_>, values: &mut [f32; FEATURES]) {
        let seen = self.seen.max(1) as f32;
        let words = self.words.max(1) as f32;
        let share = |count: u32| count as f32 / seen;
        let context = input.prompt_tokens_estimate.saturating_sub(input.chars.div_ceil(4).into());
        let surface: [f32; SURFACE] = [
            ln1p(input.chars),
            ln1p(self.words),
            self.word_chars as f32 / words / 10.0,
            self.distinct as f32 / words,
            ln1p(self.newlines),
            share(self.digits),
            share(self.upper),
            share(self.non_ascii),
            share(self.operators),
            share(self.brackets),
            ln1p(self.numbers),
            ln1p(self.longest_number),
            ln1p(self.dollars),
            ln1p(self.backslashes),
            ln1p(self.code_marks),
            ln1p(self.indents),
            ln1p(self.list_marks),
            ln1p(self.quotes),
            ln1p(self.question_marks),
            ln1p(self.of(QUESTION)),
            ln1p(self.of(REASONING)),
            ln1p(self.of(MATHS)),
            ln1p(self.of(RELATION)),
            ln1p(self.of(CONDITION)),
            ln1p(self.of(IMPERATIVE)),
            ln1p(input.messages),
            (1.0 + context as f32).ln(),
            f32::from(u8::from(input.has_tools || input.json)),
            ln1p(input.images),
        ];
        values[..SURFACE].copy_from_slice(&surface);
    }
}

/// ln(1 + count); most counts are 0, and that one is free.
fn ln1p(count: u32) -> f32 {
    if count == 0 { 0.0 } else { (1.0 + count as f32).ln() }
}

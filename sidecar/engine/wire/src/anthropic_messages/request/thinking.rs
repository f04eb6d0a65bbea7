//! `thinking` and `output_config.effort`: which of them a model takes depends on its generation.

use serde::Serialize;

use crate::form::{Effort, Loss, Reasoning};

/// Least `budget_tokens`.
const LEAST_BUDGET: u64 = 1_024;

/// What a model's generation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
    thinking: Kind,
    /// Schemas of answers, and `strict` tools.
    pub(super) schemas: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Before 3.7.
    None,
    /// A budget: 3.7 to 4.5.
    Budget,
    /// As much as the effort asks: since 4.6.
    Adaptive,
}

impl Abilities {
    /// By the name (`claude-haiku-4-5-20251001`, `anthropic.claude-3-7-sonnet-…`); a name that tells no
    /// version is taken for a present model's.
    pub(super) fn of(model: &str) -> Self {
        let version = version(model).unwrap_or((u32::MAX, 0));
        let thinking = if version < (3, 7) {
            Kind::None
        } else if version < (4, 6) {
            Kind::Budget
        } else {
            Kind::Adaptive
        };
        Self { thinking, schemas: version >= (4, 5) }
    }
}

fn version(model: &str) -> Option<(u32, u32)> {
    let (_, rest) = model.split_once("claude")?;
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric());
    let number = |word: &str| if word.len() <= 2 { word.parse().ok() } else { None };
    let major = words.find_map(number)?;
    Some((major, words.next().and_then(number).unwrap_or(0)))
}

/// `thinking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Disabled,
    Enabled {
        budget_tokens: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
}

/// How the model shall think, and what that does to the cap.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
}

impl Plan {
    /// Whether the model thinks: then it takes no forced tools and no sampling of its own.
    pub(super) fn thinks(&self) -> bool {
        !matches!(self.thinking, None | Some(Thinking::Disabled))
    }
}

/// What stands around the wish to think.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// The wish was read from this dialect: it is written as it was.
    pub(super) own: bool,
    pub(super) abilities: Abilities,
    /// The caller's cap.
    pub(super) max_output: Option<u64>,
    /// Where it said none.
    pub(super) usual_cap: u64,
    /// A call is forced.
    pub(super) forced: bool,
    /// A round of tools goes on that did not begin with a thought, which manual thinking wants.
    pub(super) unthought_round: bool,
}

/// Plans for a wish.
pub(super) fn plan(wish: Option<Reasoning>, around: Around, losses: &mut Vec<Loss>) -> Plan {
    let max_tokens = around.max_output.unwrap_or(around.usual_cap);
    let none = Plan { max_tokens, ..Plan::default() };
    let Some(wish) = wish else { return none };
    let display = wish.show.map(|show| if show { "summarized" } else { "omitted" });
    if around.own {
        return Plan { thinking: literal(wish, display), effort: word(wish.effort), max_tokens };
    }
    let off =
        wish.effort == Some(Effort::None) || (wish.effort.is_none() && wish.budget == Some(0));
    if off {
        // A model that cannot think needs no order not to.
        let thinking = (around.abilities.thinking != Kind::None).then_some(Thinking::Disabled);
        return Plan { thinking, ..none };
    }
    if wish.effort.is_none() && wish.budget.is_none() && !wish.adaptive {
        return none; // only whether to show what it thinks by itself
    }
    let mut refuse = || {
        Loss::note(losses, "reasoning");
        Plan { max_tokens, ..Plan::default() }
    };
    if around.forced {
        return refuse();
    }
    // Thoughts count towards the cap: a usual one is meant for the answer and grows by them.
    let wanted = wish.budget.unwrap_or_else(|| budget(wish.effort)).max(LEAST_BUDGET);
    let max_tokens = around.max_output.unwrap_or_else(|| around.usual_cap.saturating_add(wanted));
    match around.abilities.thinking {
        Kind::None => refuse(),
        Kind::Adaptive => {
            let effort = word(wish.effort).or_else(|| wish.budget.map(by_budget));
            Plan { thinking: Some(Thinking::Adaptive { display }), effort, max_tokens }
        }
        Kind::Budget if around.unthought_round => refuse(),
        Kind::Budget => {
            // Half of a cap that the thoughts would fill is left for the answer.
            let budget_tokens = if wanted < max_tokens { wanted } else { max_tokens / 2 };
            if budget_tokens < LEAST_BUDGET {
                return refuse();
            }
            let thinking = Some(Thinking::Enabled { budget_tokens, display });
            Plan { thinking, effort: None, max_tokens }
        }
    }
}

fn literal(wish: Reasoning, display: Option<&'static str>) -> Option<Thinking> {
    match wish {
        Reasoning { budget: Some(budget_tokens), .. } => {
            Some(Thinking::Enabled { budget_tokens, display })
        }
        Reasoning { adaptive: true, .. } => Some(Thinking::Adaptive { display }),
        Reasoning { effort: Some(Effort::None), .. } => Some(Thinking::Disabled),
        _ => None,
    }
}

const fn word(effort: Option<Effort>) -> Option<&'static str> {
    match effort {
        None | Some(Effort::None) => None,
        Some(Effort::Minimal | Effort::Low) => Some("low"),
        Some(Effort::Medium) => Some("medium"),
        Some(Effort::High) => Some("high"),
        Some(Effort::ExtraHigh) => Some("xhigh"),
        Some(Effort::Max) => Some("max"),
    }
}

/// A budget in words, on the scale that chat's writer uses.
const fn by_budget(budget: u64) -> &'static str {
    match budget {
        ..=2_048 => "low",
        2_049..=8_192 => "medium",
        _ => "high",
    }
}

/// The other way round. With the usual cap added, the most is within what every such model may answer.
const fn budget(effort: Option<Effort>) -> u64 {
    match effort {
        Some(Effort::None | Effort::Minimal) => LEAST_BUDGET,
        Some(Effort::Low) => 2_048,
        None | Some(Effort::Medium) => 8_192,
        Some(Effort::High) => 16_384,
        Some(Effort::ExtraHigh | Effort::Max) => 24_576,
    }
}

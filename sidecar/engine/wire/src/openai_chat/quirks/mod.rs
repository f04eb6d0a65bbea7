//! Where servers that are compatible with OpenAI's chat differ from it (wire.md A8). A target's profile
//! says which of these hold; a target of none never comes here, and what nothing of it concerns passes as
//! it is.

mod answer;
mod request;
mod stream;

use serde::{Deserialize, Deserializer};

pub use answer::mended;
pub use request::{concerns, rework, reworked};
pub use stream::Mender;

/// A set of differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks(u16);

impl Quirks {
    /// No member but the target's own caps an answer: others are refused, or ignored in silence.
    pub const ONE_CAP: Self = Self(1);
    /// There is no role `developer`.
    pub const SYSTEM_ROLE: Self = Self(1 << 1);
    /// `seed` is `random_seed`.
    pub const RANDOM_SEED: Self = Self(1 << 2);
    /// `tool_choice: "required"` is `"any"`.
    pub const ANY_TOOL: Self = Self(1 << 3);
    /// Ids of tool calls are nine letters or digits.
    pub const SHORT_IDS: Self = Self(1 << 4);
    /// Members of OpenAI's that it does not know are refused. Usage comes without being asked for.
    pub const NO_OTHERS: Self = Self(1 << 5);
    /// Answers' content may be a list of chunks, thoughts among them.
    pub const CONTENT_LISTS: Self = Self(1 << 6);
    /// Thoughts before a tool call must come back with it.
    pub const THOUGHTS_BACK: Self = Self(1 << 7);
    /// Service tiers have Groq's names.
    pub const GROQ_TIERS: Self = Self(1 << 8);
    /// Streamed tool calls have all index 0, and end with `stop`.
    pub const ONE_INDEX: Self = Self(1 << 9);

    const NAMES: [(&'static str, Self); 10] = [
        ("OneCap", Self::ONE_CAP),
        ("SystemRole", Self::SYSTEM_ROLE),
        ("RandomSeed", Self::RANDOM_SEED),
        ("AnyTool", Self::ANY_TOOL),
        ("ShortIds", Self::SHORT_IDS),
        ("NoOthers", Self::NO_OTHERS),
        ("ContentLists", Self::CONTENT_LISTS),
        ("ThoughtsBack", Self::THOUGHTS_BACK),
        ("GroqTiers", Self::GROQ_TIERS),
        ("OneIndex", Self::ONE_INDEX),
    ];
    const OF_ANSWERS: Self = Self(Self::CONTENT_LISTS.0 | Self::ONE_INDEX.0);

    /// Those of these names; a name that nobody knows is no difference that we could bridge.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let found = |name| Self::NAMES.iter().find(|(known, _)| *known == name);
        names.into_iter().filter_map(found).fold(Self::default(), |all, (_, one)| all.and(*one))
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one of those is among them.
    #[must_use]
    pub const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether requests may have to be written otherwise.
    #[must_use]
    pub const fn of_requests(self) -> bool {
        self.0 & !Self::OF_ANSWERS.0 != 0
    }

    /// Whether answers may have to be.
    #[must_use]
    pub const fn of_answers(self) -> bool {
        self.any(Self::OF_ANSWERS)
    }
}

impl<'de> Deserialize<'de> for Quirks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(Self::named(names.iter().map(String::as_str)))
    }
}

/// How a target of this dialect is written to.
#[derive(Debug, Clone, Copy)]
pub struct Spelling<'a> {
    /// The member that caps an answer.
    pub cap_field: &'a str,
    /// Where it differs from OpenAI.
    pub quirks: Quirks,
}

impl<'a> From<&'a str> for Spelling<'a> {
    /// OpenAI's own, but for the cap.
    fn from(cap_field: &'a str) -> Self {
        Self { cap_field, quirks: Quirks::default() }
    }
}

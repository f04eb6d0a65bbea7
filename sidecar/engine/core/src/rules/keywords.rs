//! Finds whole words and phrases in the last user text, in any case, in one pass for all signals.

use crate::scan::LastText;

/// Stands between head and tail where text was left out: it continues words on both sides, so that
/// a word cut there matches nothing.
const GAP: char = '\u{10FFFF}';

/// All signals' keywords, by their first character.
#[derive(Debug)]
pub(super) struct Keywords {
    words: Vec<Keyword>,
    /// By a character's first byte: whether it may begin a keyword. True for all beyond ASCII, whose
    /// lower case may be anything; never for a byte within a character.
    starts: [bool; 256],
    /// Every signal that has keywords.
    pub(super) signals: u128,
}

impl Default for Keywords {
    fn default() -> Self {
        Self { words: Vec::new(), starts: std::array::from_fn(|byte| byte >= 0xC0), signals: 0 }
    }
}

#[derive(Debug)]
struct Keyword {
    folded: Vec<char>,
    signals: u128,
}

impl Keywords {
    /// Adds a keyword for the signals of these bits; `false` where it holds nothing to find.
    pub(super) fn add(&mut self, keyword: &str, signals: u128) -> bool {
        let spaced = keyword.split_whitespace().collect::<Vec<_>>().join(" ");
        let folded: Vec<char> = spaced.chars().flat_map(fold).collect();
        let Some(&first) = folded.first() else { return false };
        for start in [first, first.to_ascii_uppercase()].into_iter().filter(char::is_ascii) {
            self.starts[start as usize] = true;
        }
        let at = self.words.partition_point(|other| other.folded[0] <= first);
        self.words.insert(at, Keyword { folded, signals });
        self.signals |= signals;
        true
    }

    /// The bits of the signals that have a keyword in the text.
    pub(super) fn find(&self, text: &LastText) -> u128 {
        let gap = text.has_gap().then_some(GAP);
        let tail = gap.into_iter().chain(text.tail.chars());
        let found = self.find_in(&text.head, ' ', tail, 0);
        let before = gap.or_else(|| text.head.chars().next_back()).unwrap_or(' ');
        self.find_in(&text.tail, before, std::iter::empty(), found)
    }

    /// `found`, and what begins in `text`, which stands between `before` and `after`.
    fn find_in(
        &self,
        text: &str,
        before: char,
        after: impl Iterator<Item = char> + Clone,
        mut found: u128,
    ) -> u128 {
        for (at, byte) in text.bytes().enumerate() {
            if !self.starts[usize::from(byte)] {
                continue;
            }
            if found == self.signals {
                break;
            }
            let (passed, rest) = text.split_at(at);
            let Some(first) = rest.chars().next() else { break };
            if continues(passed.chars().next_back().unwrap_or(before), first) {
                continue;
            }
            let folded = fold(first).next().unwrap_or(first);
            for keyword in self.starting_with(folded) {
                let here = rest.chars().chain(after.clone());
                if keyword.signals & !found != 0 && is_at(&keyword.folded, here) {
                    found |= keyword.signals;
                }
            }
        }
        found
    }

    fn starting_with(&self, first: char) -> impl Iterator<Item = &Keyword> {
        let from = self.words.partition_point(|word| word.folded[0] < first);
        self.words[from..].iter().take_while(move |word| word.folded[0] == first)
    }
}

/// Whether the text begins with the whole keyword. One space in it fits any run of whitespace.
fn is_at(keyword: &[char], text: impl Iterator<Item = char>) -> bool {
    let mut text = text.peekable();
    let mut wanted = keyword.iter().copied().peekable();
    let mut last = ' ';
    while let Some(&want) = wanted.peek() {
        let Some(next) = text.next() else { return false };
        last = next;
        if want == ' ' {
            if !next.is_whitespace() {
                return false;
            }
            while text.next_if(|next| next.is_whitespace()).is_some() {}
            wanted.next();
        } else if fold(next).any(|folded| wanted.next() != Some(folded)) {
            return false;
        }
    }
    text.peek().is_none_or(|&after| !continues(last, after))
}

/// Lower case, with both small sigmas the same.
fn fold(char: char) -> impl Iterator<Item = char> {
    char.to_lowercase().map(|lower| if lower == 'ς' { 'σ' } else { lower })
}

/// Whether a word that holds `before` goes on with `after`.
fn continues(before: char, after: char) -> bool {
    in_word(before) && in_word(after)
}

fn in_word(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_alphanumeric() || char == '_';
    }
    match char {
        GAP | '\u{300}'..='\u{36F}' => true,
        // Thai, Lao, Khmer, Chinese, Japanese and Korean run words or their endings together:
        // every character may begin or end one.
        '\u{E00}'..='\u{EFF}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}' => false,
        _ => char.is_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keyword: &str, head: &str) -> bool {
        let mut keywords = Keywords::default();
        assert!(keywords.add(keyword, 1));
        let text = LastText { head: head.to_owned(), tail: String::new(), chars: 0 };
        keywords.find(&text) == 1
    }

    #[test]
    fn keywords_are_whole_words_in_any_case() {
        for (keyword, text, fits) in [
            ("contract", "The CONTRACT, please", true),
            ("contract", "contractual", false),
            ("contract", "sub_contract", false),
            ("contract", "non-contract", true),
            ("Terms of  service", "the terms\nof service?", true),
            ("terms of service", "terms of services", false),
            ("c++", "I write C++.", true),
            (".net", "in .NET and", true),
            ("straße", "STRAßE", true),
            ("ΟΔΟΣ", "η οδος", true),
            ("合同", "这份合同是", true),
            ("cafe", "cafe\u{301}", false),
            ("i\u{307}", "İ", true),
            ("i", "İ", false),
            ("é", "É", true),
            ("a", "", false),
        ] {
            assert_eq!(found(keyword, text), fits, "{keyword} in {text}");
        }
    }

    #[test]
    fn words_run_from_head_to_tail_but_not_over_a_gap() {
        let mut keywords = Keywords::default();
        keywords.add("contract", 1);
        keywords.add("liability", 2);
        let text = |chars| LastText { head: "a liab".into(), tail: "ility contract".into(), chars };
        assert_eq!(keywords.find(&text(20)), 3);
        assert_eq!(keywords.find(&text(1001)), 1);
        let cut = LastText { head: "con".into(), tail: "contract".into(), chars: 2000 };
        assert_eq!(keywords.find(&cut), 0);
    }

    #[test]
    fn nothing_to_find_is_refused() {
        assert!(!Keywords::default().add(" \n", 1));
    }
}

//! What models really answered, and made-up text where nothing was recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Failure;

/// Recorded answers by the SHA-256 of the prompt, then by upstream model.
#[derive(Default)]
pub(crate) struct Replay {
    answers: BTreeMap<String, BTreeMap<String, Recorded>>,
}

/// One recorded answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    /// The final answer given, right or wrong; empty where none could be read.
    answer: String,
    /// Length of the whole answer in characters.
    chars: usize,
}

/// What neutral text is made of.
const WORDS: [&str; 24] = [
    "first", "we", "look", "at", "what", "is", "given", "and", "note", "each", "step", "then",
    "the", "values", "follow", "from", "this", "so", "that", "next", "part", "can", "be", "seen",
];

impl Replay {
    /// Reads the file; without one everything is made up.
    ///
    /// # Errors
    /// When the file is missing or not gzip JSON of the expected shape.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let plain = flate2::read::GzDecoder::new(File::open(path)?);
        Ok(Self { answers: serde_json::from_reader(std::io::BufReader::new(plain))? })
    }

    /// The recorded answer of `model` to `prompt`: neutral text up to the recorded length, the
    /// final answer on the last line.
    pub(crate) fn answer(&self, prompt: &str, model: &str) -> Option<String> {
        if self.answers.is_empty() {
            return None;
        }
        let recorded = self.answers.get(&hex(&Sha256::digest(prompt.as_bytes())))?.get(model)?;
        let last = match recorded.answer.as_str() {
            "" => String::new(),
            answer => format!("Answer: {answer}"),
        };
        let room = recorded.chars.saturating_sub(last.chars().count());
        if room < 3 {
            return Some(last);
        }
        let separator = if last.is_empty() { "" } else { "\n\n" };
        Some(neutral(room - separator.len(), seed_of(prompt, model, 0)) + separator + &last)
    }
}

/// Made-up text of about 20 to 150 tokens, the same for the same prompt, model and seed.
pub(crate) fn filler(prompt: &str, model: &str, seed: u64) -> String {
    let seed = seed_of(prompt, model, seed);
    let length = 80 + usize::try_from(seed % 521).unwrap_or(0);
    neutral(length, seed)
}

/// Neutral text of exactly `length` characters.
pub(crate) fn neutral(length: usize, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = String::with_capacity(length + 8);
    while text.len() < length {
        text.push_str(WORDS[random.usize(..WORDS.len())]);
        text.push(' ');
    }
    text.truncate(length);
    text
}

/// A number that depends on all three.
pub(crate) fn seed_of(prompt: &str, model: &str, seed: u64) -> u64 {
    let digest = Sha256::new()
        .chain_update(prompt.as_bytes())
        .chain_update([0])
        .chain_update(model.as_bytes())
        .chain_update(seed.to_le_bytes())
        .finalize();
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(answer: &str, chars: usize) -> Replay {
        let recorded = Recorded { answer: answer.to_owned(), chars };
        let by_model = BTreeMap::from([("m".to_owned(), recorded)]);
        Replay { answers: BTreeMap::from([(hex(&Sha256::digest(b"2+2?")), by_model)]) }
    }

    /// The recorded length and the final answer are both kept.
    #[test]
    fn answers_have_the_recorded_length() {
        let text = replay("4", 812).answer("2+2?", "m").unwrap();
        assert_eq!(text.chars().count(), 812);
        assert!(text.ends_with("\n\nAnswer: 4"));
        assert!(replay("4", 812).answer("3+3?", "m").is_none());
        assert!(replay("4", 812).answer("2+2?", "other").is_none());
    }

    /// An answer longer than the record says is never lost; no answer stays no answer.
    #[test]
    fn short_and_empty_answers() {
        assert_eq!(replay("4", 2).answer("2+2?", "m").unwrap(), "Answer: 4");
        let none = replay("", 40).answer("2+2?", "m").unwrap();
        assert_eq!(none.len(), 40);
        assert!(!none.contains("Answer"));
    }

    /// Made-up text is deterministic and differs between models.
    #[test]
    fn filler_is_deterministic() {
        assert_eq!(filler("p", "m", 1), filler("p", "m", 1));
        assert_ne!(filler("p", "m", 1), filler("p", "n", 1));
        assert!(filler("p", "m", 1).len() >= 80);
    }
}

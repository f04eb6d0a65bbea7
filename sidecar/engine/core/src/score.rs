//! How likely a model answers well: a logistic head over the features, or the catalogue's prior.
//! `plan` makes a `Head` of each table entry once; `select` asks for a probability a candidate.

use crate::features::{FEATURES, Features, Task};
use crate::table;

/// Micro units in one.
pub const MICRO: f32 = 1_000_000.0;

/// A logistic head, unpacked for the hot path. Calibration is folded in by `learn fit`.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    bias: f32,
    weights: [f32; FEATURES],
}

impl Head {
    /// Unpacks a table's head; none where its length is not that of our features, so that a head
    /// of another generation is never read by ours.
    #[must_use]
    pub fn from_table(head: &table::Head) -> Option<Self> {
        let raw: &[i64; FEATURES] = head.weights.as_slice().try_into().ok()?;
        Some(Self { bias: head.bias as f32 / MICRO, weights: raw.map(|w| w as f32 / MICRO) })
    }

    /// P(good answer): sigmoid of bias and weighted features.
    #[must_use]
    pub fn probability(&self, features: &Features) -> f32 {
        let sum: f32 =
            self.weights.iter().zip(&features.values).map(|(weight, value)| weight * value).sum();
        1.0 / (1.0 + (-(self.bias + sum)).exp())
    }
}

/// The stand-in where no head is known: the quality prior for this task, as a share.
#[must_use]
pub fn prior(quality: &table::Quality, task: Task) -> f32 {
    let percent = quality.by_task.get(task.as_str()).copied().unwrap_or(quality.prior);
    f32::from(percent.min(100)) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureInput, extract};

    fn head(bias: i64, weights: Vec<i64>) -> table::Head {
        table::Head { digest: String::new(), bias, weights }
    }

    fn sample() -> Features {
        let text = "What is the sum of 12 and 30?";
        extract(&FeatureInput { head: text, chars: 29, messages: 1, ..FeatureInput::default() })
    }

    /// The formula of docs/contracts.md §5, in double precision, to 1e-5.
    #[test]
    fn probability_is_the_sigmoid_of_the_weighted_sum() {
        let weights: Vec<i64> = (0..36).map(|i| (i * 37 % 11 - 5) * 100_000).collect();
        let features = sample();
        let sum: f64 = weights
            .iter()
            .zip(&features.values)
            .map(|(&weight, &value)| weight as f64 * f64::from(value))
            .sum();
        let expected = 1.0 / (1.0 + (-(-250_000.0 + sum) / 1e6).exp());
        let found = Head::from_table(&head(-250_000, weights)).unwrap().probability(&features);
        assert!((f64::from(found) - expected).abs() < 1e-5, "{found} {expected}");
    }

    /// Extreme heads stay within 0 and 1, never NaN.
    #[test]
    fn extreme_heads_saturate() {
        for (bias, expected) in [(i64::MAX, 1.0), (i64::MIN, 0.0)] {
            let head = Head::from_table(&head(bias, vec![0; FEATURES])).unwrap();
            assert_eq!(head.probability(&sample()), expected);
        }
    }

    /// A head of another length is no head.
    #[test]
    fn foreign_lengths_are_refused() {
        assert_eq!(Head::from_table(&head(0, vec![0; FEATURES - 1])), None);
        assert_eq!(Head::from_table(&head(0, vec![0; FEATURES + 1])), None);
    }

    /// The task's own prior wins over the general one.
    #[test]
    fn prior_is_by_task_first() {
        let quality = table::Quality { prior: 78, by_task: [("code".to_owned(), 72)].into() };
        assert_eq!(prior(&quality, Task::Code), 0.72);
        assert_eq!(prior(&quality, Task::Chat), 0.78);
    }
}

//! The parts of a profile that a configuration sets: a preset, and what it overrides.

use serde::Deserialize;

use super::model::profile::Profile;

/// A profile by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum Preset {
    /// vLLM 0.24, one H100, an 8B model, one API server process.
    #[default]
    #[serde(rename = "vllm-0.24-h100-8b")]
    Vllm,
    /// The same with `--api-server-count 6` and the KV cache that this leaves.
    #[serde(rename = "six-front-ends")]
    SixFrontEnds,
}

impl Preset {
    /// The preset's numbers.
    pub(crate) fn profile(self) -> Profile {
        match self {
            Self::Vllm => Profile::vllm(),
            Self::SixFrontEnds => Profile::six_front_ends(),
        }
    }
}

/// Fields of a profile that a configuration sets itself; rates in milliseconds as people say them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Overrides {
    /// API server processes.
    front_ends: Option<usize>,
    /// A front end's work for one request, in milliseconds.
    admit_ms: Option<f64>,
    /// A front end's work for one stream event, in milliseconds.
    chunk_ms: Option<f64>,
    /// An engine step without requests, in milliseconds.
    step_ms: Option<f64>,
    /// What each running request adds to a step, in milliseconds.
    step_request_ms: Option<f64>,
    /// What each computed prompt token adds to a step, in milliseconds.
    prefill_token_ms: Option<f64>,
    /// Requests in one step at most.
    slots: Option<usize>,
    /// KV cache in tokens.
    kv_tokens: Option<usize>,
}

impl Overrides {
    /// `base` with what is set here.
    ///
    /// # Errors
    /// Names the field that is not a usable number.
    pub(crate) fn apply(&self, base: Profile) -> Result<Profile, String> {
        let ms = |name: &str, given: Option<f64>, base_us: f64| match given {
            None => Ok(base_us),
            Some(ms) if (0.0..=60_000.0).contains(&ms) => Ok(ms * 1_000.0),
            Some(ms) => Err(format!("overrides.{name}: {ms} is not from 0 to 60000")),
        };
        let count = |name: &str, given: Option<usize>, base: usize, most: usize| match given {
            None => Ok(base),
            Some(number) if (1..=most).contains(&number) => Ok(number),
            Some(number) => Err(format!("overrides.{name}: {number} is not from 1 to {most}")),
        };
        Ok(Profile {
            front_ends: count("frontEnds", self.front_ends, base.front_ends, 64)?,
            admit_us: ms("admitMs", self.admit_ms, base.admit_us)?,
            chunk_us: ms("chunkMs", self.chunk_ms, base.chunk_us)?,
            step_us: ms("stepMs", self.step_ms, base.step_us)?,
            step_request_us: ms("stepRequestMs", self.step_request_ms, base.step_request_us)?,
            prefill_token_us: ms("prefillTokenMs", self.prefill_token_ms, base.prefill_token_us)?,
            slots: count("slots", self.slots, base.slots, 4_096)?,
            kv_tokens: count("kvTokens", self.kv_tokens, base.kv_tokens, 100_000_000)?,
            ..base
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Overrides change what they name and nothing else; nonsense is refused by its name.
    #[test]
    fn overrides_change_what_they_name() {
        let overrides: Overrides = serde_json::from_str(r#"{"slots":2,"stepMs":20}"#).unwrap();
        let base = Preset::Vllm.profile();
        let made = overrides.apply(base.clone()).unwrap();
        assert_eq!(made, Profile { slots: 2, step_us: 20_000.0, ..base.clone() });
        for (text, field) in [(r#"{"slots":0}"#, "overrides.slots"), (r#"{"stepMs":-1}"#, "stepMs")]
        {
            let overrides: Overrides = serde_json::from_str(text).unwrap();
            assert!(overrides.apply(base.clone()).unwrap_err().contains(field));
        }
        assert!(serde_json::from_str::<Overrides>(r#"{"slotz":1}"#).is_err());
    }
}

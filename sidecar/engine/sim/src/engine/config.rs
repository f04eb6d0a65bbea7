//! The engine's configuration file (docs/contracts.md section 7). Unknown fields are refused: a
//! misspelt limit must not pass as an engine without one.

use std::path::PathBuf;

use serde::Deserialize;

use super::model::profile::Profile;
use super::overrides::{Overrides, Preset};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Address to serve on; port 0 picks a free one.
    pub(crate) listen: String,
    /// Address of the control port; default: a free one on loopback.
    #[serde(default = "any_port")]
    pub(crate) control: String,
    /// Where to write the addresses and the process id once it serves.
    pub(crate) announce: Option<PathBuf>,
    /// Whose wire shapes and metrics it speaks.
    #[serde(default)]
    pub(crate) engine: Dialect,
    /// The name of the model.
    #[serde(default = "default_model")]
    pub(crate) model: String,
    /// Tokens of prompt and answer together.
    #[serde(default = "default_model_len")]
    pub(crate) max_model_len: usize,
    /// The profile to start from.
    #[serde(default)]
    preset: Preset,
    /// What is changed of it.
    #[serde(default)]
    overrides: Overrides,
    /// Seconds of the model's time in a real second.
    #[serde(default = "one")]
    pub(crate) speed: f64,
    /// Tokens of an answer that ends by itself; default: by the prompt, 64 to 512.
    pub(crate) answer_tokens: Option<usize>,
    /// Seconds from the start of the process until it answers, unscaled.
    #[serde(default)]
    pub(crate) start_seconds: f64,
    /// Seconds that falling asleep and waking up take, unscaled.
    #[serde(default)]
    pub(crate) sleep_seconds: f64,
    /// See `sleep_seconds`.
    #[serde(default = "default_wake")]
    pub(crate) wake_seconds: f64,
}

/// An engine whose surface is played.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[default]
    #[serde(rename = "vLLM")]
    Vllm,
    #[serde(rename = "SGLang")]
    SgLang,
    LlamaCpp,
}

impl Config {
    /// Reads the file's text and checks what types cannot.
    ///
    /// # Errors
    /// Names the field and what it may be.
    pub(crate) fn read(text: &[u8]) -> Result<(Self, Profile), String> {
        let config: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let profile = config.overrides.apply(config.preset.profile())?;
        if !(0.001..=1_000.0).contains(&config.speed) {
            return Err(format!("speed: {} is not from 0.001 to 1000", config.speed));
        }
        for (name, seconds) in [
            ("startSeconds", config.start_seconds),
            ("sleepSeconds", config.sleep_seconds),
            ("wakeSeconds", config.wake_seconds),
        ] {
            if !(0.0..=3_600.0).contains(&seconds) {
                return Err(format!("{name}: {seconds} is not from 0 to 3600"));
            }
        }
        if config.max_model_len < 2 || config.max_model_len > profile.kv_tokens {
            let most = profile.kv_tokens;
            return Err(format!(
                "maxModelLen: {} is not from 2 to the KV cache's {most} tokens; set it, or \
                 overrides.kvTokens",
                config.max_model_len
            ));
        }
        if config.answer_tokens == Some(0) {
            return Err("answerTokens: 0 is not at least 1".to_owned());
        }
        Ok((config, profile))
    }
}

fn any_port() -> String {
    "127.0.0.1:0".to_owned()
}

fn default_model() -> String {
    "m".to_owned()
}

const fn default_model_len() -> usize {
    8_192
}

const fn one() -> f64 {
    1.0
}

const fn default_wake() -> f64 {
    0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot work is refused with the name of its field.
    #[test]
    fn impossible_configurations_name_their_field() {
        for (text, field) in [
            (r#"{"listen":"x","speed":0}"#, "speed"),
            (r#"{"listen":"x","startSeconds":-1}"#, "startSeconds"),
            (r#"{"listen":"x","overrides":{"kvTokens":512}}"#, "maxModelLen"),
            (r#"{"listen":"x","answerTokens":0}"#, "answerTokens"),
            (r#"{"listen":"x","overrides":{"slots":0}}"#, "overrides.slots"),
            (r#"{"listen":"x","preset":"vllm"}"#, "six-front-ends"),
            (r#"{"listen":"x","model_len":1}"#, "model_len"),
        ] {
            let error = Config::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(field), "{text}: {error}");
        }
        let good = br#"{"listen":"x","engine":"SGLang","preset":"six-front-ends"}"#;
        assert_eq!(Config::read(good).unwrap().1.front_ends, 6);
    }
}

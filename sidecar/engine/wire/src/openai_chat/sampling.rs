//! The settings that chat and legacy completions spell alike; the cap's name and all else are the caller's.

use serde_json::{Map, Value, json};

use crate::form::{Settings, Unreadable};
use crate::json::Members;

pub(crate) fn read(members: &mut Members) -> Result<Settings, Unreadable> {
    Ok(Settings {
        temperature: members.number("temperature")?,
        top_p: members.number("top_p")?,
        stop: members.texts("stop")?,
        n: members.count("n")?,
        seed: members.integer("seed")?,
        presence_penalty: members.number("presence_penalty")?,
        frequency_penalty: members.number("frequency_penalty")?,
        logit_bias: members.take("logit_bias"),
        user: members.text("user")?,
        ..Settings::default()
    })
}

pub(crate) fn write(settings: &Settings, cap_field: &str, body: &mut Map<String, Value>) {
    set(body, cap_field, settings.max_output);
    set(body, "temperature", settings.temperature.clone().map(Value::Number));
    set(body, "top_p", settings.top_p.clone().map(Value::Number));
    set(body, "stop", (!settings.stop.is_empty()).then(|| json!(settings.stop)));
    set(body, "n", settings.n);
    set(body, "seed", settings.seed);
    set(body, "presence_penalty", settings.presence_penalty.clone().map(Value::Number));
    set(body, "frequency_penalty", settings.frequency_penalty.clone().map(Value::Number));
    set(body, "logit_bias", settings.logit_bias.clone());
    set(body, "user", settings.user.clone());
}

/// A member, where there is something to say.
pub(crate) fn set(body: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value.into());
    }
}

//! `GET /v1/models` in Anthropic's shape.

use serde_json::{Value, json};

/// A model as a caller may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What requests say.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// Unix seconds; 0: unknown.
    pub created_at: u64,
    /// Most prompt tokens.
    pub window: Option<u64>,
    /// Most answer tokens.
    pub max_output: Option<u64>,
}

/// The whole list, as one page.
#[must_use]
pub fn list(models: &[Model]) -> Vec<u8> {
    let id = |model: Option<&Model>| model.map(|model| model.id.clone());
    let data: Vec<Value> = models.iter().map(value).collect();
    let (first, last) = (id(models.first()), id(models.last()));
    json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
        .to_string()
        .into_bytes()
}

/// One model (`GET /v1/models/{id}`).
#[must_use]
pub fn one(model: &Model) -> Vec<u8> {
    value(model).to_string().into_bytes()
}

fn value(model: &Model) -> Value {
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": date(model.created_at),
        "lifecycle": "active",
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
    })
}

/// RFC 3339 of Unix seconds, by Howard Hinnant's civil-from-days.
fn date(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    let shifted = days + 719_468; // days from 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members that SDKs parse, the date included.
    #[test]
    fn the_list_is_anthropics() {
        let model = Model {
            id: "a".into(),
            display_name: "A".into(),
            created_at: 1_709_251_199,
            window: Some(200_000),
            max_output: None,
        };
        let listed: Value = serde_json::from_slice(&list(std::slice::from_ref(&model))).unwrap();
        let expected = json!({
            "type": "model", "id": "a", "display_name": "A", "created_at": "2024-02-29T23:59:59Z",
            "lifecycle": "active", "max_input_tokens": 200_000, "max_tokens": null,
        });
        assert_eq!(listed["data"][0], expected);
        assert_eq!((&listed["first_id"], &listed["has_more"]), (&json!("a"), &json!(false)));
        assert_eq!(serde_json::from_slice::<Value>(&one(&model)).unwrap(), expected);
        let none: Value = serde_json::from_slice(&list(&[])).unwrap();
        assert_eq!(none, json!({"data": [], "has_more": false, "first_id": null, "last_id": null}));
    }

    /// Dates at the edges of years and of the epoch.
    #[test]
    fn dates_are_right() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}

//! `GET /v1beta/models` and `GET /v1beta/models/{m}`.

use serde_json::{Map, Value, json};

/// A model as Google's SDKs list it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// As callers name it, without `models/`.
    pub name: String,
    /// For people; empty: the name.
    pub display_name: String,
    /// Tokens that it reads at most, where known.
    pub input_limit: Option<u64>,
    /// Tokens that it writes at most, where known.
    pub output_limit: Option<u64>,
    /// It makes vectors, not answers.
    pub embeds: bool,
}

/// The list, in one page.
#[must_use]
pub fn list(models: &[Model]) -> Vec<u8> {
    let models: Vec<Value> = models.iter().map(entry).collect();
    json!({"models": models}).to_string().into_bytes()
}

/// One model.
#[must_use]
pub fn one(model: &Model) -> Vec<u8> {
    entry(model).to_string().into_bytes()
}

fn entry(model: &Model) -> Value {
    let shown = Some(&model.display_name).filter(|name| !name.is_empty()).unwrap_or(&model.name);
    let methods = match model.embeds {
        true => json!(["embedContent", "batchEmbedContents"]),
        false => json!(["generateContent", "streamGenerateContent", "countTokens"]),
    };
    let mut entry = Map::new();
    entry.insert("name".into(), format!("models/{}", model.name).into());
    entry.insert("displayName".into(), shown.as_str().into());
    let limits = [("inputTokenLimit", model.input_limit), ("outputTokenLimit", model.output_limit)];
    for (key, limit) in limits {
        if let Some(limit) = limit {
            entry.insert(key.into(), limit.into());
        }
    }
    entry.insert("supportedGenerationMethods".into(), methods);
    entry.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// google-genai strips nothing: names carry `models/`, unknown limits are left out.
    #[test]
    fn models_have_googles_shape() {
        let chat = Model { name: "auto".into(), input_limit: Some(10), ..Model::default() };
        let display_name = "Vectors".to_owned();
        let vectors = Model { name: "v".into(), display_name, embeds: true, ..Model::default() };
        let expected = json!({"models": [
            {"name": "models/auto", "displayName": "auto", "inputTokenLimit": 10,
             "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"]},
            {"name": "models/v", "displayName": "Vectors",
             "supportedGenerationMethods": ["embedContent", "batchEmbedContents"]},
        ]});
        let list: Value = serde_json::from_slice(&list(&[chat, vectors.clone()])).unwrap();
        assert_eq!(list, expected);
        let one: Value = serde_json::from_slice(&one(&vectors)).unwrap();
        assert_eq!(one, expected["models"][1]);
    }
}

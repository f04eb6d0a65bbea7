//! Validates a table before it becomes a Plan: the reader's half of the pair of assertions (the
//! compiler is the writer's). A table with a problem is refused whole; the last good one stays.

use sha2::{Digest, Sha256};

use crate::limits;
use crate::table::{Credential, DefaultKind, ProviderType, READER_VERSION, Route, RouteTable};

/// Why a table is refused.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Larger than the bound.
    #[error("the table has {0} bytes, more than {max}", max = limits::TABLE_BYTES)]
    TooLarge(usize),
    /// No JSON, or a field has the wrong type.
    #[error("the table cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written for a newer reader.
    #[error(
        "the table needs reader {needs}, this sidecar is reader {READER_VERSION}: upgrade the sidecar image"
    )]
    Outdated {
        /// `minReader` of the table.
        needs: u32,
    },
    /// Something in it does not hold.
    #[error("{path}: {message}")]
    Invalid {
        /// Field path.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl Rejected {
    /// The reason as a label.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "TooLarge",
            Self::Malformed(_) => "Malformed",
            Self::Outdated { .. } => "SidecarOutdated",
            Self::Invalid { .. } => "Invalid",
        }
    }

    pub(crate) fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), message: message.into() }
    }
}

/// `sha256:` and the hex digest of a table's bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads and validates a table.
///
/// # Errors
/// See [`Rejected`]; the first problem found is named with its field path.
pub fn read(bytes: &[u8]) -> Result<RouteTable, Rejected> {
    if bytes.len() > limits::TABLE_BYTES {
        return Err(Rejected::TooLarge(bytes.len()));
    }
    /// What every version of the format has had and will have.
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        min_reader: u32,
    }
    let Version { min_reader } = serde_json::from_slice(bytes)?;
    if min_reader > READER_VERSION {
        return Err(Rejected::Outdated { needs: min_reader });
    }
    let mut table: RouteTable = serde_json::from_slice(bytes)?;
    for model in &mut table.models {
        model.pricing = model.pricing.at(model.provider.kind);
        let kind = model.provider.kind;
        if let Some(credential) = &mut model.provider.credential {
            credential.cloud = kind.cloud();
        }
    }
    validate(&table)?;
    Ok(table)
}

fn validate(table: &RouteTable) -> Result<(), Rejected> {
    bounded("models", table.models.len(), limits::MODELS)?;
    bounded("rules", table.rules.len(), limits::RULES)?;
    bounded("signals", table.signals.len(), limits::SIGNALS)?;
    for (index, model) in table.models.iter().enumerate() {
        if table.models[..index].iter().any(|other| other.name == model.name) {
            return Err(Rejected::at(
                format!("models[{index}].name"),
                format!("`{}` stands twice", model.name),
            ));
        }
        if model.provider.endpoints.is_some() && model.provider.kind != ProviderType::SelfHosted {
            return Err(Rejected::at(
                format!("models[{index}].provider.endpoints"),
                "belongs to type SelfHosted, and only to it",
            ));
        }
        if let Some(message) = model.provider.credential.as_ref().and_then(Credential::fault) {
            return Err(Rejected::at(format!("models[{index}].provider.credential"), message));
        }
        if !model.is_at_home() {
            return Err(Rejected::at(
                format!("models[{index}].region"),
                format!(
                    "`{}` is in region {}, which its pool or policy forbids",
                    model.name,
                    model.region.as_deref().unwrap_or("(none)")
                ),
            ));
        }
    }
    for (index, rule) in table.rules.iter().enumerate() {
        route(table, &rule.route, &format!("rules[{index}].route"))?;
    }
    match (&table.default.action, &table.default.route) {
        (DefaultKind::Route, Some(default)) => route(table, default, "default.route"),
        (DefaultKind::Route, None) => Err(Rejected::at("default.route", "is missing")),
        (DefaultKind::PassThrough, _) if table.models.is_empty() => {
            Err(Rejected::at("default", "PassThrough needs a model whose provider takes the call"))
        }
        // It would reach models that nobody gave a region.
        (DefaultKind::PassThrough, _)
            if table.models.iter().any(|it| it.allowed_regions.is_some()) =>
        {
            Err(Rejected::at("default", "PassThrough and regions exclude each other"))
        }
        _ => Ok(()),
    }
}

fn route(table: &RouteTable, route: &Route, path: &str) -> Result<(), Rejected> {
    bounded(&format!("{path}.candidates"), route.candidates.len(), limits::CANDIDATES)?;
    if route.retries.max_attempts == 0 {
        return Err(Rejected::at(format!("{path}.retries.maxAttempts"), "must be at least 1"));
    }
    if route.hold_back.is_some_and(|hold| hold.tokens.is_none() && hold.ms.is_none()) {
        return Err(Rejected::at(format!("{path}.holdBack"), "names neither tokens nor ms"));
    }
    for (index, candidate) in route.candidates.iter().enumerate() {
        if !table.models.iter().any(|model| model.name == candidate.model) {
            let path = format!("{path}.candidates[{index}].model");
            return Err(Rejected::at(
                path,
                format!("no model `{}` in this table", candidate.model),
            ));
        }
    }
    Ok(())
}

fn bounded(path: &str, count: usize, most: usize) -> Result<(), Rejected> {
    if count <= most {
        Ok(())
    } else {
        Err(Rejected::at(path, format!("has {count} entries, at most {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_a_newer_reader_is_refused_even_when_its_shape_is_unknown() {
        let error = read(br#"{"minReader": 9, "rules": "something new"}"#).unwrap_err();
        assert_eq!(error.reason(), "SidecarOutdated");
        assert!(error.to_string().contains("upgrade the sidecar"));
    }

    #[test]
    fn unknown_fields_are_ignored_and_broken_references_named() {
        let text = r#"{"version":1,"minReader":1,"future":true,"policy":{"namespace":"a","name":"b"},
            "models":[],"default":{"action":"Deny"},
            "rules":[{"name":"r","route":{"strategy":"Failover","candidates":[{"model":"p/m"}]}}]}"#;
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("rules[0].route.candidates[0].model: no model `p/m`"), "{error}");
    }

    /// A compiler that leaves such a model in must not be believed: not by a rule, a name, an alias, an
    /// overflow or a fallback, at a sidecar or a gateway, because no such table takes force.
    #[test]
    fn a_model_outside_its_regions_makes_no_table() {
        let table = |regions: &str, default: &str| {
            let text = format!(
                r#"{{"version":1,"minReader":1,"policy":{{"namespace":"a","name":"b"}},"models":[{{
                "name":"p/m","pool":{{"namespace":"a","name":"p"}},"capabilities":["chat"],
                "contextWindow":1,"maxOutputTokens":1,"pricing":{{"input":1,"output":1}},
                "provider":{{"type":"OpenAI","label":"x","model":"m","baseURL":"http://x/v1"}}{regions}}}],
                "default":{{"action":"{default}"}}}}"#
            );
            read(text.as_bytes()).map(drop).map_err(|error| error.to_string())
        };
        let of = |region, allowed| format!(r#","region":"{region}","allowedRegions":{allowed}"#);
        assert_eq!(table("", "PassThrough"), Ok(()));
        assert_eq!(table(&of("eu", r#"["eu","us"]"#), "Deny"), Ok(()));
        for regions in [of("us", r#"["eu"]"#), of("eu", "[]"), r#","allowedRegions":["eu"]"#.into()]
        {
            let why = table(&regions, "Deny").unwrap_err();
            assert!(why.starts_with("models[0].region: `p/m` is in region"), "{why}");
        }
        let why = table(&of("eu", r#"["eu"]"#), "PassThrough").unwrap_err();
        assert!(why.starts_with("default: PassThrough"), "{why}");
    }

    #[test]
    fn the_digest_is_sha256_of_the_bytes() {
        assert!(digest(b"").starts_with("sha256:e3b0c44298fc1c149afb"));
    }
}

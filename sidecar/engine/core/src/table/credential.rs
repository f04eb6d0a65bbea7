//! How a provider knows us; never the key itself.

use serde::Deserialize;

/// A key's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct Credential {
    /// Secret's name.
    #[serde(default)]
    pub secret: String,
    /// Entry in the Secret.
    #[serde(default)]
    pub key: String,
    /// The provider's usual variable (file mode only).
    #[serde(default)]
    pub env: String,
    /// The pod's own identity at its cloud, in place of a Secret.
    #[serde(default)]
    pub workload: bool,
    /// What its provider's type takes beside plain keys.
    #[serde(skip)]
    pub cloud: Option<Cloud>,
}

/// Clouds that know their callers by more than a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// Amazon's: requests are signed.
    Aws,
    /// Google's: access tokens.
    Google,
    /// Microsoft's: Entra's tokens.
    Azure,
}

impl Credential {
    /// What is wrong with it, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        match (self.workload, self.cloud) {
            (false, _) if self.secret.is_empty() || self.key.is_empty() => {
                Some("needs `secret` and `key`, or `workload`")
            }
            (true, _) if !self.secret.is_empty() => Some("is a Secret's or the workload's own"),
            (true, None) => Some("`workload` belongs to types Bedrock, Vertex and AzureOpenAI"),
            _ => None,
        }
    }

    /// As state and reports name it: `SECRET/KEY`, or `workload-identity/CLOUD`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.cloud.filter(|_| self.workload) {
            None => format!("{}/{}", self.secret, self.key),
            Some(Cloud::Aws) => "workload-identity/aws".to_owned(),
            Some(Cloud::Google) => "workload-identity/google".to_owned(),
            Some(Cloud::Azure) => "workload-identity/azure".to_owned(),
        }
    }
}

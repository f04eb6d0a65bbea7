//! The provider's configuration file (docs/contracts.md section 7). Unknown fields are refused:
//! a misspelt script must not pass as a provider without faults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::behaviour::Rule;
use super::identity::Known;
use super::quota::Limits;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Address to serve on; port 0 picks a free one.
    pub(crate) listen: String,
    /// Where to write the addresses and the process id once it serves.
    pub(crate) announce: Option<PathBuf>,
    /// Serve TLS with a certificate made at start.
    pub(crate) tls: Option<Tls>,
    /// The bill (JSON lines).
    pub(crate) bill: Option<PathBuf>,
    /// Folder that receives every request's head and body.
    pub(crate) capture: Option<PathBuf>,
    /// Prices by upstream model.
    #[serde(default)]
    pub(crate) prices: BTreeMap<String, Price>,
    /// Recorded answers (gzip JSON).
    pub(crate) replay: Option<PathBuf>,
    /// Seed of everything that is made up.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Models served; empty serves every name.
    #[serde(default)]
    pub(crate) models: Vec<String>,
    /// Judge chat requests as OpenAI itself does, not as most servers of its format.
    #[serde(default)]
    pub(crate) strict: bool,
    /// The script, first match wins.
    #[serde(default)]
    pub(crate) behaviour: Vec<Rule>,
    /// Who may ask, where that is computed: signatures.
    #[serde(default)]
    pub(crate) identity: Known,
    /// What all callers of a model may do together.
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, Limits>,
    /// Pace of streams where a script says nothing.
    pub(crate) pace: Option<Pace>,
}

/// Where the certificate goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Tls {
    /// PEM file to write.
    pub(crate) cert_out: PathBuf,
}

/// Picodollars per token.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Price {
    /// An input token.
    pub(crate) input: u64,
    /// An input token read from the cache; default: as `input`.
    pub(crate) cached_input: Option<u64>,
    /// An input token written to the cache; default: as `input`.
    pub(crate) cache_write: Option<u64>,
    /// One that is written for long; default: as `cache_write`.
    pub(crate) cache_write_long: Option<u64>,
    /// An output token.
    pub(crate) output: u64,
    /// An input token of sound or images; default: as `input`.
    pub(crate) media_input: Option<u64>,
    /// An output token of them; default: as `output`.
    pub(crate) media_output: Option<u64>,
    /// A second, a character or an image, where those are billed.
    pub(crate) unit: Option<u64>,
}

/// How fast answers come.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Pace {
    /// Delay before the first content, in milliseconds.
    pub(crate) first_token_ms: u64,
    /// Output tokens a second; 0 is as fast as the socket takes them.
    pub(crate) tokens_per_second: u64,
    /// Tokens in one stream event.
    pub(crate) delta_tokens: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first_token_ms: 0, tokens_per_second: 0, delta_tokens: 2 }
    }
}

impl Pace {
    /// The pace of replayed answers where the file gives none: what a hosted model shows.
    pub(crate) fn plausible() -> Self {
        Self { first_token_ms: 150, tokens_per_second: 120, delta_tokens: 2 }
    }
}

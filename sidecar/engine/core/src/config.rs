//! The engine's configuration: one JSON document (docs/contracts.md §2), read once.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::identity::Identity;
use crate::limits;

/// Everything that is fixed for the life of an engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where apps call.
    pub data: Listener,
    /// Present on a gateway: who may call, over TLS.
    pub gateway: Option<Gateway>,
    /// Where probes, metrics and debug pages are.
    pub admin: Admin,
    /// The ledger; absent: enforced Budgets refuse.
    pub hub: Option<Hub>,
    /// Directory of mounted Secrets.
    pub secrets_dir: Option<PathBuf>,
    /// File mode: fall back to the provider's usual variable.
    #[serde(default)]
    pub secrets_from_env: bool,
    /// Journal; absent: no lease, enforced Budgets refuse.
    pub state_dir: Option<PathBuf>,
    /// Whose sidecar this is.
    #[serde(default)]
    pub identity: Identity,
    /// More than one only for gateways.
    #[serde(default = "one")]
    pub data_threads: usize,
    /// Where spans go; absent: nowhere.
    pub tracing: Option<Tracing>,
    /// How long calls in flight may go on after SIGTERM.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u64,
    /// Where the process is killed for the memory it takes; absent: the injector's default.
    pub memory_limit_bytes: Option<u64>,
}

const fn one() -> usize {
    1
}

const fn drain_seconds() -> u64 {
    20
}

/// The data port.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// `address:port`; port 0 takes a free one.
    pub address: SocketAddr,
}

/// What a gateway lets in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// How its callers are told apart.
    pub callers: Callers,
    /// Whom tickets must be for: `NAMESPACE/POOL`.
    #[serde(default)]
    pub audience: String,
    /// No TLS, on a loopback address only: `pointsman up`.
    #[serde(default)]
    pub plain: bool,
}

/// Kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Callers {
    /// Pods of other namespaces, by tickets of the hub.
    Tickets,
    /// Callers from outside pods, by the keys in `secretsDir/pointsman-api-keys`.
    ApiKeys,
}

/// The admin ports.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Admin {
    /// Probes and metrics.
    pub address: SocketAddr,
    /// Debug and decisions; loopback.
    pub debug_address: SocketAddr,
}

/// How the hub is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hub {
    /// `http(s)://host:port`.
    pub url: String,
    /// Bearer token, read at each connect.
    pub token_file: PathBuf,
    /// Private CA in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Span export.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tracing {
    /// `http(s)://host:port`; `/v1/traces` is appended.
    pub otlp_endpoint: String,
    /// Of a hundred calls that bring no `traceparent`, how many are traced; those that do say it.
    #[serde(default = "all")]
    pub sample_percent: u8,
}

impl Config {
    /// Reads the document.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("engine configuration: {error}"))?;
        if !config.admin.debug_address.ip().is_loopback() {
            return Err(
                "engine configuration: admin.debugAddress must be a loopback address".to_owned()
            );
        }
        let tickets = |it: &Gateway| it.callers == Callers::Tickets && it.audience.is_empty();
        if config.gateway.as_ref().is_some_and(tickets) {
            return Err("engine configuration: gateway.audience is needed for Tickets".to_owned());
        }
        let keys = |it: &Gateway| it.callers == Callers::ApiKeys;
        if config.gateway.as_ref().is_some_and(keys) && config.secrets_dir.is_none() {
            return Err("engine configuration: secretsDir is needed for ApiKeys".to_owned());
        }
        let open = !config.data.address.ip().is_loopback();
        if config.gateway.as_ref().is_some_and(|it| it.plain && open) {
            return Err(
                "engine configuration: gateway.plain is for loopback addresses only".to_owned()
            );
        }
        if !(1..=64).contains(&config.data_threads) {
            return Err("engine configuration: dataThreads must be 1 to 64".to_owned());
        }
        if config.tracing.as_ref().is_some_and(|tracing| tracing.sample_percent > 100) {
            return Err("engine configuration: tracing.samplePercent must be 0 to 100".to_owned());
        }
        Ok(config)
    }

    /// Where the process is killed for the memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_limit_bytes.unwrap_or(limits::DEFAULT_MEMORY_BYTES)
    }
}

const fn all() -> u8 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"{"data":{"address":"127.0.0.1:0"},"admin":{"address":"127.0.0.1:0",
        "debugAddress":"127.0.0.1:0"},"stateDir":"/tmp/x"}"#;

    #[test]
    fn defaults_fill_what_is_absent() {
        let config = Config::read(LEAST.as_bytes()).unwrap();
        assert_eq!(
            (config.data_threads, config.drain_seconds, config.secrets_from_env),
            (1, 20, false)
        );
    }

    #[test]
    fn memory_is_what_is_told_and_else_the_injectors_default() {
        let mib = |text: &str| Config::read(text.as_bytes()).unwrap().memory_bytes() >> 20;
        assert_eq!(mib(LEAST), 256);
        assert_eq!(
            mib(&LEAST.replace("\"stateDir\"", "\"memoryLimitBytes\":67108864,\"stateDir\"")),
            64
        );
    }

    #[test]
    fn unknown_fields_and_open_debug_ports_are_refused() {
        assert!(Config::read(LEAST.replace("stateDir", "stateDri").as_bytes()).is_err());
        let open =
            LEAST.replace(r#""debugAddress":"127.0.0.1:0""#, r#""debugAddress":"0.0.0.0:0""#);
        assert!(Config::read(open.as_bytes()).unwrap_err().contains("debugAddress"));
    }
}

//! Who may call a gateway, decided before anything of a call is read. One module a kind of caller; a
//! sidecar has none of this: it serves its own pod.

mod api_key;
mod key_ring;
mod pace;
pub mod ticket;

use std::path::Path;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::clock::{Clock, SharedClock};
use crate::config::{Callers, Config, Gateway as Settings};
use crate::engine::EngineError;
use crate::error::Refusal;
use crate::plan::Plan;
use crate::tls::Certificate;
use api_key::Admitted;
use ticket::{Known, Verifier};

pub use api_key::{ApiKey, Fault, is_well_formed};
pub use key_ring::KeyRing;
pub use pace::Pace;

/// The Secret of API keys, a folder of `secretsDir`.
const API_KEYS: &str = "pointsman-api-keys";

/// What makes an engine a gateway: TLS on its data port, and callers that it tells apart.
#[derive(Debug)]
pub struct Gateway {
    /// Its certificate and key.
    pub certificate: Certificate,
    /// On loopback, where nobody listens in: no TLS.
    pub plain: bool,
    callers: Door,
}

/// A kind of caller.
#[derive(Debug)]
enum Door {
    Tickets(Verifier),
    ApiKeys(KeyRing),
}

/// A caller that was let in.
#[derive(Debug)]
pub enum Guest {
    /// A pod of another namespace, by its sidecar.
    Pod(Arc<ticket::Ticket>),
    /// Somebody outside, by an API key; holds one of its places in flight.
    Key(KeyHolder),
}

/// Who showed an API key.
#[derive(Debug)]
pub struct KeyHolder(Admitted);

impl Gateway {
    /// A gateway with what an earlier start of its container kept in `stateDir`; with nothing there it
    /// has no certificate and, but for API keys, knows no caller yet.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new(
        settings: &Settings,
        config: &Config,
        clock: SharedClock,
    ) -> Result<Self, EngineError> {
        let callers = match settings.callers {
            Callers::Tickets => Door::Tickets(Verifier::new(settings.audience.clone())),
            Callers::ApiKeys => {
                let secrets = config.secrets_dir.as_deref().unwrap_or(Path::new(""));
                Door::ApiKeys(KeyRing::read(&secrets.join(API_KEYS)))
            }
        };
        let folder = config.state_dir.as_deref().filter(|_| !settings.plain);
        let certificate = Certificate::new(folder, clock)
            .map_err(|error| EngineError::Runtime(format!("TLS of the gateway: {error}")))?;
        Ok(Self { certificate, plain: settings.plain, callers })
    }

    /// Takes an `admission` document (docs/contracts-kubernetes.md 6).
    ///
    /// # Errors
    /// It is no such document; what was known before stays.
    pub fn inform(&self, document: &[u8]) -> Result<(), String> {
        match &self.callers {
            Door::Tickets(verifier) => verifier.inform(Known::read(document)?),
            // Its callers are told apart by the mount, whatever the hub says.
            Door::ApiKeys(_) => {}
        }
        Ok(())
    }

    /// Looks whether what the mounts hold of callers has changed.
    pub fn look(&self) {
        if let Door::ApiKeys(ring) = &self.callers {
            ring.look();
        }
    }

    /// What is known of callers, for `Engine::state`; no more than counts and names of entries.
    /// `served`: whether there is a table.
    #[must_use]
    pub fn state(&self, served: bool) -> Value {
        let lacks = self.lacks(served);
        let kept = self.certificate.kept_trouble().filter(|_| !self.plain);
        let mut state = json!({
            "ready": lacks.is_empty(),
            "lacks": lacks,
            "certificateKept": kept.unwrap_or_else(|| "ok".to_owned()),
        });
        match &self.callers {
            Door::Tickets(_) => state["callers"] = json!("Tickets"),
            Door::ApiKeys(ring) => {
                state["callers"] = json!("ApiKeys");
                state["apiKeys"] = ring.state();
            }
        }
        state
    }

    /// What it cannot serve without and the hub has not brought yet; empty: it is ready.
    #[must_use]
    pub fn lacks(&self, served: bool) -> Vec<&'static str> {
        let informed = match &self.callers {
            Door::Tickets(verifier) => verifier.is_informed(),
            Door::ApiKeys(_) => true,
        };
        let certificate = if self.plain { None } else { self.certificate.lacks() };
        [
            (!served).then_some("a table"),
            certificate,
            (!informed).then_some("the public keys of tickets"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Lets a caller in, by its headers alone. An API key is taken out of them, and what it proves
    /// replaces the attribution that they claim.
    ///
    /// # Errors
    /// One answer for all without a good ticket; without a good API key, what is wrong with it.
    pub fn admit(&self, headers: &mut HeaderMap, clock: &dyn Clock) -> Result<Guest, Refusal> {
        match &self.callers {
            Door::Tickets(verifier) => {
                let ticket = verifier.verify(headers, clock.wall_ms());
                ticket.map(Guest::Pod).ok_or(Refusal::InvalidTicket)
            }
            Door::ApiKeys(ring) => {
                let admitted = ring.admit(headers, clock).map_err(Refusal::Caller)?;
                Ok(Guest::Key(KeyHolder(admitted)))
            }
        }
    }
}

impl Guest {
    /// Whether what the gateway serves now is open to the caller.
    ///
    /// # Errors
    /// As `Gateway::admit`: a closed pool looks like a ticket for another one.
    pub fn check(&self, plan: &Plan) -> Result<(), Refusal> {
        match self {
            Self::Pod(ticket) if plan.table.admits(&ticket.namespace) => Ok(()),
            Self::Pod(_) => Err(Refusal::InvalidTicket),
            Self::Key(_) => Ok(()),
        }
    }

    /// Under which workload its calls are booked; `None`: the gateway's own.
    #[must_use]
    pub fn workload(&self) -> Option<&str> {
        match self {
            Self::Pod(ticket) => Some(&ticket.label),
            Self::Key(_) => None,
        }
    }

    /// Whether it may ask for a model of this name.
    #[must_use]
    pub fn may_ask(&self, model: &str) -> bool {
        match self {
            Self::Pod(_) => true,
            Self::Key(holder) => holder.0.may_ask(model),
        }
    }

    /// Whether it is a sidecar of ours, which says under which id it knows its call.
    #[must_use]
    pub const fn is_sidecar(&self) -> bool {
        matches!(self, Self::Pod(_))
    }
}

//! Who may call a gateway, decided before anything of a call is read. One module a kind of caller; a
//! sidecar has none of this: it serves its own pod.

pub mod ticket;

use std::sync::Arc;

use http::HeaderMap;

use crate::config::{Callers, Gateway as Settings};
use crate::engine::EngineError;
use crate::error::Refusal;
use crate::plan::Plan;
use crate::tls::Certificate;
use ticket::{Known, Verifier};

/// What makes an engine a gateway: TLS on its data port, and callers that it tells apart.
#[derive(Debug)]
pub struct Gateway {
    /// Its certificate and key.
    pub certificate: Certificate,
    callers: Door,
}

/// A kind of caller.
#[derive(Debug)]
enum Door {
    Tickets(Verifier),
}

/// A caller that was let in.
#[derive(Debug)]
pub enum Guest {
    /// A pod of another namespace, by its sidecar.
    Pod(Arc<ticket::Ticket>),
}

impl Gateway {
    /// A gateway that knows no caller yet and has no certificate.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new(settings: &Settings) -> Result<Self, EngineError> {
        let callers = match settings.callers {
            Callers::Tickets => Door::Tickets(Verifier::new(settings.audience.clone())),
        };
        let certificate = Certificate::new()
            .map_err(|error| EngineError::Runtime(format!("TLS of the gateway: {error}")))?;
        Ok(Self { certificate, callers })
    }

    /// Takes an `admission` document (docs/contracts-kubernetes.md 6).
    ///
    /// # Errors
    /// It is no such document; what was known before stays.
    pub fn inform(&self, document: &[u8]) -> Result<(), String> {
        match &self.callers {
            Door::Tickets(verifier) => verifier.inform(Known::read(document)?),
        }
        Ok(())
    }

    /// Whether it can serve: it has a certificate and can tell callers apart.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let informed = match &self.callers {
            Door::Tickets(verifier) => verifier.is_informed(),
        };
        informed && self.certificate.is_there()
    }

    /// Lets a caller in, by its headers alone.
    ///
    /// # Errors
    /// One answer for all who are not let in.
    pub fn admit(&self, headers: &HeaderMap, wall_ms: i64) -> Result<Guest, Refusal> {
        match &self.callers {
            Door::Tickets(verifier) => {
                verifier.verify(headers, wall_ms).map(Guest::Pod).ok_or(Refusal::InvalidTicket)
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
        }
    }

    /// Under which workload its calls are booked.
    #[must_use]
    pub fn workload(&self) -> &str {
        match self {
            Self::Pod(ticket) => &ticket.label,
        }
    }
}

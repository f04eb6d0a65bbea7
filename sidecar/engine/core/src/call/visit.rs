//! At a gateway: who calls, and what it may ask for.

use super::{Call, Visit, callers_id};
use crate::admission::Guest;

impl Call {
    /// At a gateway: whose call it is, under the id that the caller's sidecar gave it.
    pub fn welcome(&mut self, guest: Guest, head: &http::HeaderMap) {
        let mut attempt = 0;
        if let Some((id, number)) = callers_id(head).filter(|_| guest.is_sidecar()) {
            self.id = id;
            attempt = number;
        }
        self.guest = Some(Visit { guest, attempt });
    }

    /// The workload that is served: of this pod, at a gateway the caller's.
    #[must_use]
    pub fn workload(&self) -> &str {
        let own = &self.worker.shared.config.identity.workload;
        self.guest.as_ref().and_then(|visit| visit.guest.workload()).unwrap_or(own)
    }

    /// Whether the caller may ask for the model that it asks for.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        self.may_ask_for(self.requested())
    }

    /// Whether a gateway is asked, by one of many callers that it serves.
    #[must_use]
    pub const fn is_guests(&self) -> bool {
        self.guest.is_some()
    }

    /// Whether the caller may ask for this model.
    #[must_use]
    pub fn may_ask_for(&self, model: &str) -> bool {
        self.guest.as_ref().is_none_or(|visit| visit.guest.may_ask(model))
    }
}

//! Tickets that this pod's sidecar shows to gateways of other namespaces: minted by the hub, brought
//! by Python, replaced long before they expire.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use http::HeaderValue;

/// The newest tickets, by audience.
#[derive(Debug, Default)]
pub struct Tickets(ArcSwap<HashMap<String, HeaderValue>>);

impl Tickets {
    /// Takes `{AUDIENCE: JWS}`, all there are.
    ///
    /// # Errors
    /// It is no such document; the tickets before stay.
    pub fn replace(&self, document: &[u8]) -> Result<(), String> {
        let read: HashMap<String, String> = serde_json::from_slice(document)
            .map_err(|error| format!("no tickets document: {error}"))?;
        let mut tickets = HashMap::with_capacity(read.len());
        for (audience, ticket) in read {
            let value = HeaderValue::from_str(&ticket);
            let mut value = value.map_err(|_| format!("the ticket for {audience} is no header"))?;
            value.set_sensitive(true);
            tickets.insert(audience, value);
        }
        self.0.store(tickets.into());
        Ok(())
    }

    /// The ticket for a gateway.
    #[must_use]
    pub fn of(&self, audience: &str) -> Option<HeaderValue> {
        self.0.load().get(audience).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_tickets_are_shown_and_never_printed() {
        let tickets = Tickets::default();
        tickets.replace(br#"{"a/main":"one.two.three"}"#).unwrap();
        assert!(tickets.replace(b"[]").is_err(), "what is no document changes nothing");
        assert_eq!(tickets.of("a/main").unwrap(), "one.two.three");
        assert!(!format!("{tickets:?}").contains("one.two"), "I7");
        tickets.replace(b"{}").unwrap();
        assert_eq!(tickets.of("a/main"), None);
    }
}

//! Tickets: the hub's word that a pod may use a pool of another namespace, verified offline. JWS in
//! compact form, Ed25519; `docs/contracts-kubernetes.md` 6 has the claims. Every reason to refuse one
//! gives the same answer, so that nobody learns what is behind it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use parking_lot::Mutex;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use crate::headers::TICKET;
use crate::limits;

/// A good ticket.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    /// UID of the pod that it was minted for.
    pub pod: String,
    /// Namespace of that pod.
    pub namespace: String,
    /// `namespace/workload`, as usage and records name the caller.
    pub label: String,
    expires_s: i64,
}

/// What the hub last said of tickets.
#[derive(Debug)]
pub struct Known {
    keys: HashMap<String, UnparsedPublicKey<Vec<u8>>>,
    revoked: HashSet<String>,
    /// Tickets whose signature was checked, by their bytes: a pod shows one for an hour.
    verified: Mutex<HashMap<Vec<u8>, Arc<Ticket>>>,
}

/// Checks tickets for one audience.
#[derive(Debug)]
pub struct Verifier {
    audience: String,
    known: ArcSwapOption<Known>,
}

#[derive(Deserialize)]
struct Head<'a> {
    alg: &'a str,
    kid: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    ns: String,
    wl: String,
    exp: i64,
}

impl Known {
    /// Reads `{"keys": {KID: base64}, "revoked": [UID]}`.
    ///
    /// # Errors
    /// A sentence that says what it is instead.
    pub fn read(document: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: HashMap<String, String>,
            #[serde(default)]
            revoked: HashSet<String>,
        }
        let read: Document = serde_json::from_slice(document)
            .map_err(|error| format!("no admission document: {error}"))?;
        let mut keys = HashMap::with_capacity(read.keys.len());
        for (kid, text) in read.keys {
            let raw = STANDARD.decode(text).map_err(|error| format!("key {kid}: {error}"))?;
            keys.insert(kid, UnparsedPublicKey::new(&ED25519, raw));
        }
        Ok(Self { keys, revoked: read.revoked, verified: Mutex::default() })
    }

    /// The ticket in these bytes if the hub has signed it, from memory where it was checked before.
    fn signed(&self, bytes: &[u8], audience: &str) -> Option<Arc<Ticket>> {
        if let Some(ticket) = self.verified.lock().get(bytes) {
            return Some(ticket.clone());
        }
        let ticket = Arc::new(self.check(bytes, audience)?);
        let mut verified = self.verified.lock();
        if verified.len() >= limits::TICKETS_VERIFIED {
            verified.clear();
        }
        verified.insert(bytes.to_vec(), ticket.clone());
        Some(ticket)
    }

    fn check(&self, bytes: &[u8], audience: &str) -> Option<Ticket> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (signed, signature) = text.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let head = URL_SAFE_NO_PAD.decode(head).ok()?;
        let head: Head<'_> = serde_json::from_slice(&head).ok()?;
        if head.alg != "EdDSA" {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.keys.get(head.kid)?.verify(signed.as_bytes(), &signature).ok()?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (claims.aud == audience).then(|| Ticket {
            pod: claims.sub,
            label: format!("{}/{}", claims.ns, claims.wl),
            namespace: claims.ns,
            expires_s: claims.exp,
        })
    }
}

impl Verifier {
    /// A verifier that knows no key yet.
    #[must_use]
    pub fn new(audience: String) -> Self {
        Self { audience, known: ArcSwapOption::empty() }
    }

    /// Takes what the hub says now, in place of what it said before.
    pub fn inform(&self, known: Known) {
        self.known.store(Some(Arc::new(known)));
    }

    /// Whether the hub has said anything.
    #[must_use]
    pub fn is_informed(&self) -> bool {
        self.known.load().is_some()
    }

    /// The caller's ticket, if it is good now.
    #[must_use]
    pub fn verify(&self, headers: &HeaderMap, wall_ms: i64) -> Option<Arc<Ticket>> {
        let known = self.known.load();
        let known = known.as_ref()?;
        let mut shown = headers.get_all(TICKET).iter();
        let bytes = shown.next()?.as_bytes();
        if bytes.len() > limits::TICKET_BYTES || shown.next().is_some() {
            return None;
        }
        let ticket = known.signed(bytes, &self.audience)?;
        let expired = wall_ms / 1_000 >= ticket.expires_s + limits::TICKET_SKEW_S;
        (!expired && !known.revoked.contains(&ticket.pod)).then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn minted(key: &Ed25519KeyPair, head: &str, claims: &str) -> HeaderMap {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert(TICKET, format!("{signed}.{signature}").parse().unwrap());
        headers
    }

    fn claims(audience: &str, expires_s: i64) -> String {
        format!(
            r#"{{"aud":"{audience}","sub":"uid-1","ns":"b","wl":"support","iat":1,"exp":{expires_s}}}"#
        )
    }

    fn verifier(revoked: &str) -> Verifier {
        let public = STANDARD.encode(key(1).public_key().as_ref());
        let document = format!(r#"{{"keys":{{"one":"{public}"}},"revoked":[{revoked}]}}"#);
        let verifier = Verifier::new("a/main".to_owned());
        verifier.inform(Known::read(document.as_bytes()).unwrap());
        verifier
    }

    const HEAD: &str = r#"{"alg":"EdDSA","kid":"one"}"#;
    const LATER_S: i64 = NOW_MS / 1_000 + 60;

    #[test]
    fn a_good_ticket_names_its_pod_and_is_known_again() {
        let (verifier, headers) = (verifier(""), minted(&key(1), HEAD, &claims("a/main", LATER_S)));
        let ticket = verifier.verify(&headers, NOW_MS).unwrap();
        assert_eq!((ticket.namespace.as_str(), ticket.label.as_str()), ("b", "b/support"));
        assert!(Arc::ptr_eq(&ticket, &verifier.verify(&headers, NOW_MS).unwrap()));
        let over_ms = (LATER_S + limits::TICKET_SKEW_S) * 1_000;
        assert!(verifier.verify(&headers, over_ms - 1).is_some());
        assert!(verifier.verify(&headers, over_ms).is_none(), "expired, though it was known");
    }

    #[test]
    fn expired_foreign_forged_unsigned_and_revoked_tickets_are_all_none() {
        let refused = |headers: &HeaderMap| verifier("").verify(headers, NOW_MS).is_none();
        let good = claims("a/main", LATER_S);
        assert!(refused(&HeaderMap::new()), "no ticket");
        assert!(refused(&minted(&key(1), HEAD, &claims("a/main", 1))), "expired");
        assert!(refused(&minted(&key(1), HEAD, &claims("a/other", LATER_S))), "another audience");
        assert!(refused(&minted(&key(2), HEAD, &good)), "signed by somebody else");
        assert!(refused(&minted(&key(1), r#"{"alg":"EdDSA","kid":"two"}"#, &good)), "unknown key");
        assert!(refused(&minted(&key(1), r#"{"alg":"none","kid":"one"}"#, &good)), "no algorithm");
        let mut bent = minted(&key(1), HEAD, &good);
        let text = bent[TICKET].to_str().unwrap().to_owned();
        bent.insert(TICKET, text[..text.len() - 2].parse().unwrap());
        assert!(refused(&bent), "a broken signature");
        let mut two = minted(&key(1), HEAD, &good);
        two.append(TICKET, text.parse().unwrap());
        assert!(refused(&two), "two tickets");
        let revoked = verifier(r#""uid-1""#);
        assert!(revoked.verify(&minted(&key(1), HEAD, &good), NOW_MS).is_none(), "revoked");
    }

    #[test]
    fn what_is_no_admission_document_says_so_and_nobody_enters_before_one_came() {
        assert!(Known::read(b"{}").unwrap_err().contains("admission"));
        assert!(Known::read(br#"{"keys":{"one":"*"}}"#).unwrap_err().contains("one"));
        let headers = minted(&key(1), HEAD, &claims("a/main", LATER_S));
        assert!(Verifier::new("a/main".to_owned()).verify(&headers, NOW_MS).is_none());
    }
}

//! Who may ask: credentials that are computed, judged before the request is read, and the endpoints that
//! give tokens for proofs. All clouds' at once, each on its own paths.

mod aws;
mod google;
mod grants;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use self::aws::{Aws, Pair};
use self::google::Google;
use super::converse;
use super::failure::Refused;
use super::stats::unix_time_ns;

pub(super) use self::aws::is_signed;
pub(super) use self::grants::Given;

/// What the configuration says of it; without it any key will do, and no signature.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Known {
    /// Whose signatures are good.
    aws: Option<Aws>,
    /// Whose assertions are good.
    google: Option<Google>,
    /// Whose secret and federated token are good.
    entra: Option<Entra>,
    /// This provider's clock is so many seconds ahead.
    clock_ahead_s: i64,
    /// How long tokens last, seconds; 0: an hour.
    token_s: i64,
}

/// An application at Microsoft Entra.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entra {
    tenant: String,
    client: String,
    secret: String,
    /// The cluster's token that it trusts.
    assertion: String,
}

/// The judge.
#[derive(Debug)]
pub(crate) struct Identity {
    known: Known,
    issued: Mutex<Issued>,
}

/// What was given, and for whom it is.
#[derive(Debug, Default)]
struct Issued {
    /// Token, cloud, end in Unix seconds.
    tokens: Vec<(String, &'static str, i64)>,
    keys: Vec<Pair>,
}

impl Identity {
    /// With what is known at the start.
    pub(crate) fn new(known: Known) -> Self {
        Self { known, issued: Mutex::default() }
    }

    /// Unix seconds by this provider's clock.
    pub(crate) fn now_s(&self) -> i64 {
        let here_s = i64::try_from(unix_time_ns() / 1_000_000_000).unwrap_or_default();
        here_s + self.known.clock_ahead_s
    }

    /// Whether answers must say what time it is here.
    pub(crate) fn has_own_clock(&self) -> bool {
        self.known.clock_ahead_s != 0
    }

    /// Nothing that was given holds any longer.
    pub(crate) fn revoke(&self) {
        *self.issued.lock() = Issued::default();
    }

    /// Judges what is computed; keys that are sent as they are, their dialects look at.
    ///
    /// # Errors
    /// In the provider's own words.
    pub(crate) fn judge(&self, head: &Parts, body: &[u8]) -> Result<(), Refused> {
        if is_signed(head) {
            let issued = self.issued.lock();
            return match &self.known.aws {
                Some(aws) => aws.judge((head, body), &issued.keys, self.now_s()),
                None => {
                    let message = "The security token included in the request is invalid.";
                    Err(converse::denied("UnrecognizedClientException", message))
                }
            };
        }
        let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
            return Ok(());
        };
        let path = head.uri.path();
        if self.known.entra.is_some() && path.contains("/openai/") {
            return self.holds(token, "azure").then_some(()).ok_or_else(|| {
                let message = "Unauthorized. Access token is missing, invalid, audience is incorrect \
                               (https://cognitiveservices.azure.com), or have expired.";
                Refused::new(401, json!({"error": {"code": "401", "message": message}}))
            });
        }
        if self.known.google.is_some() && path.contains("/models/") {
            return self.holds(token, "google").then_some(()).ok_or_else(|| {
                let message = "Request had invalid authentication credentials. Expected OAuth 2 \
                               access token, login cookie or other valid authentication credential.";
                let error = json!({"code": 401, "message": message, "status": "UNAUTHENTICATED"});
                Refused::new(401, json!({"error": error}))
            });
        }
        Ok(())
    }

    fn holds(&self, token: &str, cloud: &str) -> bool {
        let now_s = self.now_s();
        let issued = self.issued.lock();
        issued
            .tokens
            .iter()
            .any(|(known, of, end_s)| known == token && *of == cloud && now_s < *end_s)
    }

    /// A new token for who has proved itself at this cloud.
    fn issue(&self, cloud: &'static str) -> String {
        let random = URL_SAFE_NO_PAD.encode(fastrand::u128(..).to_be_bytes());
        let token = format!("sim.{cloud}.{random}");
        let end_s = self.now_s() + self.token_s();
        self.issued.lock().tokens.push((token.clone(), cloud, end_s));
        token
    }

    /// New keys for who has proved itself at AWS.
    fn issue_keys(&self) -> Pair {
        let random = || URL_SAFE_NO_PAD.encode(fastrand::u128(..).to_be_bytes());
        let pair = Pair {
            access_key: format!("ASIA{:016X}", fastrand::u64(..)),
            secret_key: random(),
            session_token: Some(format!("{}/+=", random())),
            expires_s: Some(self.now_s() + self.token_s()),
        };
        self.issued.lock().keys.push(pair.clone());
        pair
    }

    fn token_s(&self) -> i64 {
        if self.known.token_s == 0 { 3_600 } else { self.known.token_s }
    }
}

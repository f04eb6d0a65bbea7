//! Judges service accounts' assertions as Google does.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// Who is known at Google.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Google {
    /// Service accounts' public keys by e-mail: base64 of PKCS#1 in DER.
    #[serde(default)]
    accounts: BTreeMap<String, String>,
    /// Another provider's token that is trusted.
    pub(super) subject_token: Option<String>,
}

const TIMES: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                     timeframe. Check your iat and exp values in the JWT claim.";
/// What clocks may differ by, seconds.
const SKEW_S: i64 = 300;

impl Google {
    /// Judges an assertion at this host.
    pub(super) fn judge(
        &self,
        assertion: &str,
        host: &str,
        now_s: i64,
    ) -> Result<(), (&'static str, &'static str)> {
        let malformed = ("invalid_grant", "Invalid JWT.");
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let json = |text: &str| serde_json::from_slice::<Value>(&decoded(text)?).ok();
        let (signed, signature) = assertion.rsplit_once('.').ok_or(malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(malformed)?;
        let (head, claims) = json(head).zip(json(claims)).ok_or(malformed)?;
        let signature = decoded(signature).ok_or(malformed)?;
        if head["alg"] != "RS256" {
            return Err(malformed);
        }
        let account = claims["iss"].as_str().and_then(|email| self.accounts.get(email));
        let key = account.ok_or(("invalid_grant", "Invalid grant: account not found"))?;
        let key = STANDARD.decode(key).map_err(|_| malformed)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| ("invalid_grant", "Invalid JWT Signature."))?;
        let audience = claims["aud"].as_str().unwrap_or_default();
        if audience.split_once("://").map(|it| it.1) != Some(&*format!("{host}/token")) {
            return Err(("invalid_grant", "Invalid JWT: aud is not this endpoint."));
        }
        let times = claims["iat"].as_i64().zip(claims["exp"].as_i64());
        let (begins_s, ends_s) = times.ok_or(("invalid_grant", TIMES))?;
        if begins_s > now_s + SKEW_S || ends_s < now_s - SKEW_S || ends_s - begins_s > 3_600 {
            return Err(("invalid_grant", TIMES));
        }
        match claims["scope"].as_str() {
            Some("https://www.googleapis.com/auth/cloud-platform") => Ok(()),
            _ => Err(("invalid_scope", "Invalid OAuth scope or ID token audience provided.")),
        }
    }
}

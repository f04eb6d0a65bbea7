//! Google's service accounts: a signed assertion of who asks, which Google's token endpoint exchanges for
//! an access token (RFC 7523). The exchange itself is its caller's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use crate::limits;

/// What every call to Google's models may be asked for with.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

/// The key of a service account. Never shown.
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    token_uri: String,
    project: Option<String>,
    key: RsaKeyPair,
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServiceAccount(…)")
    }
}

/// Why a Secret's content is no service account's key; says nothing of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAccount {
    /// No JSON object with texts for `client_email` and `private_key`.
    #[error("the key is not the JSON of a Google service account: download it anew")]
    Shape,
    /// Another kind of credentials, such as a user's own.
    #[error("the key's type is not service_account: create a key of a service account")]
    Kind,
    /// `private_key` is no RSA key in PEM.
    #[error("the service account's private_key is not an RSA key in PEM: download it anew")]
    Key,
    /// `token_uri` is no address that a key may prove itself to.
    #[error("the service account's token_uri does not begin with https://")]
    TokenUri,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
}

impl ServiceAccount {
    /// Reads the JSON that Google's console gives.
    ///
    /// # Errors
    /// [`NotAnAccount`].
    pub fn read(json: &[u8]) -> Result<Self, NotAnAccount> {
        let file: File = serde_json::from_slice(json).map_err(|_| NotAnAccount::Shape)?;
        if file.kind.is_some_and(|kind| kind != "service_account") {
            return Err(NotAnAccount::Kind);
        }
        let token_uri = file.token_uri.unwrap_or_else(|| TOKEN_URI.to_owned());
        // This machine needs no TLS to itself.
        if !["https://", "http://127.0.0.1:"].iter().any(|it| token_uri.starts_with(it)) {
            return Err(NotAnAccount::TokenUri);
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| NotAnAccount::Key)?;
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| NotAnAccount::Key)?;
        let (email, key_id, project) = (file.client_email, file.private_key_id, file.project_id);
        Ok(Self { email, key_id, token_uri, project, key })
    }

    /// Where the assertion is exchanged.
    #[must_use]
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The project that the account belongs to, where the key says it.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The form to send to [`Self::token_uri`] (`application/x-www-form-urlencoded`). `now_s`: Unix
    /// seconds. `None`: the system gives no random bytes.
    #[must_use]
    pub fn exchange(&self, scope: &str, now_s: u64) -> Option<String> {
        let assertion = self.assertion(scope, now_s)?;
        Some(["grant_type=", GRANT, "&assertion=", &assertion].concat())
    }

    /// A JSON Web Token, signed with RS256, that holds for [`limits::GOOGLE_ASSERTION_S`].
    fn assertion(&self, scope: &str, now_s: u64) -> Option<String> {
        let mut head = json!({"alg": "RS256", "typ": "JWT"});
        if let (Some(members), Some(id)) = (head.as_object_mut(), &self.key_id) {
            members.insert("kid".to_owned(), id.as_str().into());
        }
        let claims = json!({
            "iss": self.email,
            "scope": scope,
            "aud": self.token_uri,
            "iat": now_s,
            "exp": now_s.saturating_add(limits::GOOGLE_ASSERTION_S),
        });
        let mut token = URL_SAFE_NO_PAD.encode(head.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// Unix seconds from which it should be replaced: [`limits::TOKEN_MARGIN_S`] before its end, or
    /// halfway where it does not last that long.
    pub renew_s: u64,
    /// Unix seconds of its end.
    pub expires_s: u64,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// The endpoint refuses, and in which word: `invalid_grant`, `unauthorized_client`.
    #[error("the token endpoint refuses: {0}")]
    Refused(String),
    /// No answer of a token endpoint.
    #[error("the token endpoint's answer is malformed")]
    Malformed,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Reads a token endpoint's answer (Google's, and any other of OAuth 2.0, Entra's too). `now_s`: Unix
/// seconds when it was asked.
///
/// # Errors
/// [`NoToken`].
pub fn read_token(body: &[u8], now_s: u64) -> Result<Token, NoToken> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NoToken::Malformed)?;
    if let Some(error) = answer.error {
        // Entra says with a number of its own what is wrong; all others with a word of RFC 6749. Nothing that
        // could be a key's.
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let number = answer.error_description.filter(|it| it.starts_with("AADSTS"));
        let word = number.unwrap_or(error);
        return Err(NoToken::Refused(
            word.chars().take_while(plain).take(limits::ECHO_CHARS).collect(),
        ));
    }
    let is_bearer = answer.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let token = answer.access_token.filter(|token| is_bearer && !token.is_empty());
    let token = token.ok_or(NoToken::Malformed)?;
    let mut authorization =
        HeaderValue::try_from(["Bearer ", &token].concat()).map_err(|_| NoToken::Malformed)?;
    authorization.set_sensitive(true);
    // RFC 6749 lets the endpoint leave it out; then nothing is known, and the next call asks again.
    let lasts_s = answer.expires_in.unwrap_or(0);
    let margin_s = limits::TOKEN_MARGIN_S.min(lasts_s / 2);
    let expires_s = now_s.saturating_add(lasts_s);
    Ok(Token { authorization, renew_s: expires_s.saturating_sub(margin_s), expires_s })
}

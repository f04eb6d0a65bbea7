//! Google: access tokens by a service account's key, by a federation, by a user's own refresh token, and
//! from the metadata server, which knows the pod's service account.

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entra::bearer;
use super::http::{Ask, Http, form, token_in};
use super::recipe::{Identity, NoRecipe, may_ask};
use super::{Fetched, Grant, Trouble};
use crate::limits;
use crate::sign::google::{CLOUD_PLATFORM, NotAnAccount, ServiceAccount};

const METADATA: &str = "metadata.google.internal";
const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");
const HOSTS: [&str; 4] = [
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "accounts.google.com",
];
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Who asks Google.
#[derive(Debug)]
pub enum GoogleIdentity {
    /// A service account's key.
    Account(ServiceAccount),
    /// A user, as `gcloud auth application-default login` leaves it.
    User(User),
    /// Another identity provider's token, which Google trusts.
    Federation(Federation),
    /// The machine says it; its metadata server's address.
    Metadata(String),
}

/// A user's own refresh token. Never shown.
#[derive(Deserialize)]
pub struct User {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    #[serde(default = "token_uri")]
    token_uri: String,
}

/// A federation with a token in a file.
#[derive(Debug, Deserialize)]
pub struct Federation {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: FileSource,
}

#[derive(Debug, Deserialize)]
struct FileSource {
    file: String,
    format: Option<Format>,
}

#[derive(Debug, Deserialize)]
struct Format {
    subject_token_field_name: Option<String>,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("User(…)")
    }
}

impl GoogleIdentity {
    pub(super) fn read(text: &str, allowed: &[String]) -> Result<Self, NoRecipe> {
        let document: Value = serde_json::from_str(text).map_err(|_| NoRecipe::Malformed)?;
        let wrong = |_| NoRecipe::Malformed;
        match document["type"].as_str() {
            Some("authorized_user") => {
                let user: User = serde_json::from_value(document).map_err(wrong)?;
                may_ask(&user.token_uri, &HOSTS, allowed)?;
                Ok(Self::User(user))
            }
            Some("external_account") => {
                let federation: Federation = serde_json::from_value(document).map_err(wrong)?;
                may_ask(&federation.token_url, &HOSTS, allowed)?;
                if let Some(url) = &federation.service_account_impersonation_url {
                    may_ask(url, &HOSTS, allowed)?;
                }
                Ok(Self::Federation(federation))
            }
            _ => {
                let account = ServiceAccount::read(text.as_bytes()).map_err(|why| match why {
                    NotAnAccount::TokenUri => NoRecipe::Host,
                    _ => NoRecipe::Malformed,
                })?;
                may_ask(account.token_uri(), &HOSTS, allowed)?;
                Ok(Self::Account(account))
            }
        }
    }

    pub(super) async fn fetch(&self, http: &Http, now_s: u64) -> Result<Fetched, Trouble> {
        match self {
            Self::Account(account) => {
                let form = account.exchange(CLOUD_PLATFORM, now_s).ok_or(Trouble::NoIdentity)?;
                bearer(http, Ask::post(account.token_uri(), "", form)).await
            }
            Self::User(user) => {
                let form = form(&[
                    ("grant_type", "refresh_token"),
                    ("client_id", &user.client_id),
                    ("client_secret", &user.client_secret),
                    ("refresh_token", &user.refresh_token),
                ]);
                bearer(http, Ask::post(&user.token_uri, "", form)).await
            }
            Self::Federation(federation) => federation.fetch(http).await,
            Self::Metadata(url) => {
                let mut ask = Ask::of_node(url, TOKEN);
                ask.headers.insert(FLAVOR, HeaderValue::from_static("Google"));
                bearer(http, ask).await
            }
        }
    }
}

impl Federation {
    async fn fetch(&self, http: &Http) -> Result<Fetched, Trouble> {
        let text = token_in(&self.credential_source.file)?;
        let field = self.credential_source.format.as_ref();
        let token = match field.and_then(|it| it.subject_token_field_name.as_deref()) {
            None => text,
            Some(name) => {
                let document: Value = serde_json::from_str(&text).unwrap_or_default();
                document[name].as_str().ok_or(Trouble::NoIdentity)?.to_owned()
            }
        };
        let form = form(&[
            ("grant_type", EXCHANGE),
            ("audience", &self.audience),
            ("scope", CLOUD_PLATFORM),
            ("requested_token_type", ACCESS),
            ("subject_token_type", &self.subject_token_type),
            ("subject_token", &token),
        ]);
        let fetched = bearer(http, Ask::post(&self.token_url, "", form)).await?;
        match (&self.service_account_impersonation_url, &fetched.grant) {
            (Some(url), Grant::Bearer(federated)) => impersonate(http, url, federated).await,
            _ => Ok(fetched),
        }
    }
}

/// The service account's token, for who may act as it.
async fn impersonate(http: &Http, url: &str, federated: &HeaderValue) -> Result<Fetched, Trouble> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        access_token: String,
    }
    let body =
        json!({"scope": [CLOUD_PLATFORM], "lifetime": format!("{}s", limits::GRANT_S)}).to_string();
    let mut ask = Ask::post(url, "", body);
    ask.headers.insert(http::header::AUTHORIZATION, federated.clone());
    let json = HeaderValue::from_static("application/json");
    ask.headers.insert(http::header::CONTENT_TYPE, json);
    let told = http.ask(ask).await?;
    if !told.ok {
        return Err(Trouble::Refused("impersonation".to_owned()));
    }
    let answer: Answer = serde_json::from_slice(&told.body).map_err(|_| Trouble::Unreachable)?;
    let value = HeaderValue::try_from(["Bearer ", &answer.access_token].concat());
    let mut value = value.map_err(|_| Trouble::Unreachable)?;
    value.set_sensitive(true);
    Ok(Fetched::lasting(Grant::Bearer(value), limits::GRANT_S))
}

/// A federation's document where one is named, else the metadata server of the node.
pub(super) fn of_workload(around: &Identity<'_>) -> Result<GoogleIdentity, NoRecipe> {
    if let Some(path) = (around.variable)("GOOGLE_APPLICATION_CREDENTIALS") {
        let text = (around.file)(path.into()).ok_or(NoRecipe::NoIdentity)?;
        return GoogleIdentity::read(&text, &[]);
    }
    let host = (around.variable)("GCE_METADATA_HOST").unwrap_or_else(|| METADATA.to_owned());
    Ok(GoogleIdentity::Metadata(["http://", &host].concat()))
}

//! Microsoft Entra: an application's token for Azure's AI services, by its secret or by a token of the
//! cluster that the application trusts.

use super::http::{Ask, Http, form, token_in};
use super::recipe::{Identity, NoRecipe, may_ask, may_tell};
use super::{Fetched, Grant, Trouble};
use crate::sign::google::{NoToken, read_token};

const AUTHORITY: &str = "https://login.microsoftonline.com";
const HOSTS: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application. Never shown.
pub struct EntraClient {
    authority: String,
    target: String,
    client: String,
    proof: Proof,
}

enum Proof {
    Secret(String),
    /// A file that holds a token of the cluster's.
    Federated(String),
}

impl std::fmt::Debug for EntraClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EntraClient(…)")
    }
}

impl EntraClient {
    pub(super) fn with_secret(
        [tenant, client, secret]: [&str; 3],
        authority: Option<&str>,
        allowed: &[String],
    ) -> Result<Self, NoRecipe> {
        let authority = authority.unwrap_or(AUTHORITY);
        may_ask(authority, &HOSTS, allowed)?;
        Self::new(authority, tenant, client, Proof::Secret(secret.to_owned()))
    }

    fn new(authority: &str, tenant: &str, client: &str, proof: Proof) -> Result<Self, NoRecipe> {
        // Both are words: a tenant's may be a domain.
        let plain = |text: &str| {
            let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !text.is_empty() && text.bytes().all(ok)
        };
        if !plain(tenant) || !plain(client) {
            return Err(NoRecipe::Malformed);
        }
        let authority = authority.trim_end_matches('/').to_owned();
        let target = ["/", tenant, "/oauth2/v2.0/token"].concat();
        Ok(Self { authority, target, client: client.to_owned(), proof })
    }

    pub(super) async fn fetch(&self, http: &Http) -> Result<Fetched, Trouble> {
        let (client, grant) = (("client_id", &*self.client), ("grant_type", "client_credentials"));
        let body = match &self.proof {
            Proof::Secret(secret) => {
                form(&[client, ("scope", SCOPE), grant, ("client_secret", secret)])
            }
            Proof::Federated(file) => {
                let token = token_in(file)?;
                let kind = ("client_assertion_type", ASSERTION);
                form(&[client, ("scope", SCOPE), grant, kind, ("client_assertion", &token)])
            }
        };
        bearer(http, Ask::post(&self.authority, &self.target, body)).await
    }
}

/// What Azure's webhook puts into pods whose service account names an application.
pub(super) fn of_workload(around: &Identity<'_>) -> Result<EntraClient, NoRecipe> {
    let given = |name: &str| (around.variable)(name).ok_or(NoRecipe::NoIdentity);
    let file = given("AZURE_FEDERATED_TOKEN_FILE")?;
    let (tenant, client) = (given("AZURE_TENANT_ID")?, given("AZURE_CLIENT_ID")?);
    let authority = given("AZURE_AUTHORITY_HOST").unwrap_or_else(|_| AUTHORITY.to_owned());
    may_tell(&authority, &[])?;
    EntraClient::new(&authority, &tenant, &client, Proof::Federated(file))
}

/// Asks an endpoint of OAuth's, and reads the token that it gives.
pub(super) async fn bearer(http: &Http, ask: Ask<'_>) -> Result<Fetched, Trouble> {
    let told = http.ask(ask).await?;
    // From zero, for what counts is how long it lasts.
    match read_token(&told.body, 0) {
        Ok(token) if told.ok => {
            Ok(Fetched::lasting(Grant::Bearer(token.authorization), token.expires_s))
        }
        Err(NoToken::Refused(word)) => Err(Trouble::Refused(word)),
        _ if told.ok => Err(Trouble::Unreachable),
        _ => Err(Trouble::Refused(String::new())),
    }
}

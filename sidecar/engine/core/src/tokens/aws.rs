//! AWS: temporary keys of a role, by a token of the cluster's (IRSA) or from the agent on the node (EKS
//! Pod Identity, and ECS's).

use aws_smithy_types::date_time::{DateTime, Format};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::http::{Ask, Http, form, token_in, word};
use super::recipe::{Identity, NoRecipe, may_tell};
use super::{Fetched, Grant, Trouble};
use crate::limits;
use crate::sign::sigv4::AwsKey;

/// Hosts of agents that are asked without TLS, beside this machine: ECS's, and EKS's two.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// Whose keys they are.
#[derive(Debug)]
pub enum AwsIdentity {
    /// A role that trusts the cluster's tokens.
    WebIdentity(WebIdentity),
    /// What the agent says.
    Agent(Agent),
}

/// A role, and the file of the token that it trusts.
#[derive(Debug)]
pub struct WebIdentity {
    endpoint: String,
    role: String,
    session: String,
    file: String,
}

/// An agent's address.
#[derive(Debug)]
pub struct Agent {
    url: String,
    /// A file with what to show it.
    token_file: Option<String>,
    token: Option<String>,
}

impl AwsIdentity {
    pub(super) async fn fetch(&self, http: &Http, now_s: u64) -> Result<Fetched, Trouble> {
        match self {
            Self::WebIdentity(identity) => identity.fetch(http, now_s).await,
            Self::Agent(agent) => agent.fetch(http, now_s).await,
        }
    }
}

impl WebIdentity {
    async fn fetch(&self, http: &Http, now_s: u64) -> Result<Fetched, Trouble> {
        let token = token_in(&self.file)?;
        let lasts = limits::GRANT_S.to_string();
        let form = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role),
            ("RoleSessionName", &self.session),
            ("DurationSeconds", &lasts),
            ("WebIdentityToken", &token),
        ]);
        let told = http.ask(Ask::post(&self.endpoint, "/", form)).await?;
        let text = std::str::from_utf8(&told.body).map_err(|_| Trouble::Unreachable)?;
        if !told.ok {
            return Err(Trouble::Refused(element(text, "Code").map(word).unwrap_or_default()));
        }
        let part = |name: &str| element(text, name).ok_or(Trouble::Unreachable);
        let (access, secret) = (part("AccessKeyId")?, part("SecretAccessKey")?);
        let key = AwsKey::new(access, secret, Some(part("SessionToken")?));
        Ok(Fetched::lasting(Grant::Aws(key), seconds_to(part("Expiration")?, now_s)?))
    }
}

impl Agent {
    async fn fetch(&self, http: &Http, now_s: u64) -> Result<Fetched, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            access_key_id: String,
            secret_access_key: String,
            token: String,
            expiration: String,
        }
        let mut ask = Ask::of_node(&self.url, "");
        let shown = match &self.token_file {
            Some(file) => Some(token_in(file)?),
            None => self.token.clone(),
        };
        if let Some(token) = shown {
            let mut value = HeaderValue::try_from(token).map_err(|_| Trouble::NoIdentity)?;
            value.set_sensitive(true);
            ask.headers.insert(AUTHORIZATION, value);
        }
        let told = http.ask(ask).await?;
        if !told.ok {
            let text = String::from_utf8_lossy(&told.body);
            return Err(Trouble::Refused(word(text.trim())));
        }
        let answer: Answer =
            serde_json::from_slice(&told.body).map_err(|_| Trouble::Unreachable)?;
        let lasts_s = seconds_to(&answer.expiration, now_s)?;
        let key =
            AwsKey::new(&answer.access_key_id, &answer.secret_access_key, Some(&answer.token));
        Ok(Fetched::lasting(Grant::Aws(key), lasts_s))
    }
}

/// What EKS puts into pods whose service account has a role, in the order in which AWS's own tools look.
pub(super) fn of_workload(around: &Identity<'_>) -> Result<AwsIdentity, NoRecipe> {
    let given = |name: &str| (around.variable)(name);
    if let (Some(file), Some(role)) = (given("AWS_WEB_IDENTITY_TOKEN_FILE"), given("AWS_ROLE_ARN"))
    {
        let region = given("AWS_REGION").or_else(|| given("AWS_DEFAULT_REGION"));
        let endpoint = given("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| sts(region.as_deref()));
        may_tell(&endpoint, &[])?;
        let session = given("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "pointsman".to_owned());
        return Ok(AwsIdentity::WebIdentity(WebIdentity { endpoint, role, session, file }));
    }
    let relative = || {
        Some(["http://169.254.170.2", &given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")?].concat())
    };
    let url = relative().or_else(|| given("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    let url = url.ok_or(NoRecipe::NoIdentity)?;
    may_tell(&url, &AGENTS)?;
    let token_file = given("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = given("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    Ok(AwsIdentity::Agent(Agent { url, token_file, token }))
}

/// STS near the region; without one the old address for all.
fn sts(region: Option<&str>) -> String {
    match region {
        None => "https://sts.amazonaws.com".to_owned(),
        Some(region) if region.starts_with("cn-") => {
            format!("https://sts.{region}.amazonaws.com.cn")
        }
        Some(region) => format!("https://sts.{region}.amazonaws.com"),
    }
}

/// How long it is until a time as AWS writes it.
fn seconds_to(end: &str, now_s: u64) -> Result<u64, Trouble> {
    let end = DateTime::from_str(end, Format::DateTime).map_err(|_| Trouble::Unreachable)?;
    Ok(u64::try_from(end.secs()).unwrap_or(0).saturating_sub(now_s))
}

/// The text of the first element of this name: STS's answers hold no attributes and nothing escaped where
/// we look.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&*["<", name, ">"].concat())?;
    let (text, _) = rest.split_once(&*["</", name, ">"].concat())?;
    Some(text.trim())
}

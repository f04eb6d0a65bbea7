//! The endpoints that give tokens for proofs, in each cloud's own form.

use std::collections::BTreeMap;

use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::json;

use super::Identity;
use super::aws::Pair;

/// What such an endpoint answers.
pub(in crate::provider) struct Given {
    pub(in crate::provider) status: u16,
    pub(in crate::provider) content_type: &'static str,
    pub(in crate::provider) body: String,
}

const FEDERATED: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

impl Identity {
    /// The answer of a token endpoint; none: the path is none of one that is configured.
    pub(in crate::provider) fn give(&self, head: &Parts, body: &[u8]) -> Option<Given> {
        let path = head.uri.path();
        let text = std::str::from_utf8(body).unwrap_or_default();
        match (&head.method, path) {
            (&Method::POST, "/") => self.role(&fields(text)),
            (&Method::GET, "/v1/credentials") => self.agent(&head.headers),
            (&Method::POST, "/token") => self.google(head, &fields(text)),
            (&Method::POST, "/v1/token") => self.federated(&fields(text)),
            (&Method::GET, "/computeMetadata/v1/instance/service-accounts/default/token") => {
                self.metadata(&head.headers)
            }
            (&Method::POST, _) if path.ends_with("/oauth2/v2.0/token") => {
                self.entra(path, &fields(text))
            }
            _ => None,
        }
    }

    /// STS.
    fn role(&self, fields: &BTreeMap<String, String>) -> Option<Given> {
        let aws = self.known.aws.as_ref()?;
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let known = field("Action") == "AssumeRoleWithWebIdentity"
            && field("Version") == "2011-06-15"
            && aws.roles.get(field("RoleArn")).is_some_and(|it| it == field("WebIdentityToken"));
        if !known {
            let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                        <Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform \
                        sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>";
            return Some(Given { status: 403, content_type: "text/xml", body: body.to_owned() });
        }
        let pair = self.issue_keys();
        let end = expiration(&pair);
        let token = pair.session_token.unwrap_or_default();
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
             <AssumeRoleWithWebIdentityResult><Credentials>\n<AccessKeyId>{}</AccessKeyId>\
             <SecretAccessKey>{}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials>\n\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
            pair.access_key, pair.secret_key
        );
        Some(Given { status: 200, content_type: "text/xml", body })
    }

    /// The agent on an EKS node.
    fn agent(&self, headers: &HeaderMap) -> Option<Given> {
        let wanted = self.known.aws.as_ref()?.agent_token.as_ref()?;
        if headers.get("authorization").is_none_or(|shown| shown != wanted) {
            let body = "AccessDeniedException".to_owned();
            return Some(Given { status: 400, content_type: "text/plain", body });
        }
        let pair = self.issue_keys();
        let expiration = expiration(&pair);
        Some(document(
            200,
            &json!({
                "AccessKeyId": pair.access_key, "SecretAccessKey": pair.secret_key,
                "Token": pair.session_token, "AccountId": "123456789012", "Expiration": expiration,
            }),
        ))
    }

    /// Google's token endpoint, for service accounts.
    fn google(&self, head: &Parts, fields: &BTreeMap<String, String>) -> Option<Given> {
        let google = self.known.google.as_ref()?;
        if fields.get("grant_type").map(String::as_str) != Some(JWT) {
            return Some(oauth_error("unsupported_grant_type", "Invalid grant_type"));
        }
        let assertion = fields.get("assertion").map(String::as_str).unwrap_or_default();
        let host = head.headers.get("host").and_then(|value| value.to_str().ok());
        Some(match google.judge(assertion, host.unwrap_or_default(), self.now_s()) {
            Ok(()) => self.token("google"),
            Err((error, description)) => oauth_error(error, description),
        })
    }

    /// Google's exchange of another provider's tokens.
    fn federated(&self, fields: &BTreeMap<String, String>) -> Option<Given> {
        let google = self.known.google.as_ref()?;
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if field("grant_type") != EXCHANGE || field("audience").is_empty() {
            return Some(oauth_error("invalid_request", "Invalid value for \"audience\"."));
        }
        Some(match google.subject_token.as_deref() == Some(field("subject_token")) {
            true => self.token("google"),
            false => oauth_error("invalid_grant", "The given credential is rejected."),
        })
    }

    /// The metadata server of a node at Google.
    fn metadata(&self, headers: &HeaderMap) -> Option<Given> {
        self.known.google.as_ref()?;
        if headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
            return Some(document(403, &json!({"error": "missing Metadata-Flavor:Google header"})));
        }
        Some(self.token("google"))
    }

    /// Microsoft's token endpoint.
    fn entra(&self, path: &str, fields: &BTreeMap<String, String>) -> Option<Given> {
        let entra = self.known.entra.as_ref()?;
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|it| it == value);
        let tenant = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if tenant != entra.tenant {
            return Some(oauth_error("invalid_request", "AADSTS90002: Tenant not found."));
        }
        if !is("client_id", &entra.client) || !is("grant_type", "client_credentials") {
            return Some(oauth_error(
                "unauthorized_client",
                "AADSTS700016: Application not found.",
            ));
        }
        if !is("scope", "https://cognitiveservices.azure.com/.default") {
            return Some(oauth_error("invalid_scope", "AADSTS70011: The scope is not valid."));
        }
        let proved = is("client_secret", &entra.secret)
            || (is("client_assertion_type", FEDERATED) && is("client_assertion", &entra.assertion));
        if !proved {
            let mut wrong = oauth_error(
                "invalid_client",
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the \
                 request is the client secret value, not the client secret ID.",
            );
            wrong.status = 401;
            return Some(wrong);
        }
        Some(self.token("azure"))
    }

    fn token(&self, cloud: &'static str) -> Given {
        let token = self.issue(cloud);
        let lasts_s = self.token_s();
        let body = json!({"access_token": token, "expires_in": lasts_s, "token_type": "Bearer"});
        document(200, &body)
    }
}

/// When keys end, as AWS's documents say it.
fn expiration(pair: &Pair) -> String {
    let end = super::aws::stamp(pair.expires_s.unwrap_or_default());
    let part = |from: usize, to: usize| end.get(from..to).unwrap_or_default();
    let (date, clock) = ([part(0, 4), part(4, 6), part(6, 8)], [part(9, 11), part(11, 13)]);
    format!("{}T{}:{}Z", date.join("-"), clock.join(":"), part(13, 15))
}

fn document(status: u16, body: &serde_json::Value) -> Given {
    Given { status, content_type: "application/json", body: body.to_string() }
}

fn oauth_error(error: &str, description: &str) -> Given {
    document(400, &json!({"error": error, "error_description": description}))
}

/// The fields of a form.
fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let plain = |text: &str| crate::provider::surface::decoded(&text.replace('+', " "));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

//! How a source comes to its grants: which proof it has, and where it shows it.

use std::path::PathBuf;

use super::aws::{self, AwsIdentity};
use super::entra::{self, EntraClient};
use super::google::{self, GoogleIdentity};
use super::http::Http;
use super::{Fetched, Trouble};
use crate::table::Cloud;

/// One way to grants.
#[derive(Debug)]
pub enum Recipe {
    /// AWS: temporary keys of a role.
    Aws(AwsIdentity),
    /// Microsoft Entra: an application's tokens.
    Entra(EntraClient),
    /// Google: an account's tokens.
    Google(Box<GoogleIdentity>),
}

/// Why there is no recipe; says nothing of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecipe {
    /// It is none of the documents that the cloud's tools write, or lacks a member.
    Malformed,
    /// Its token endpoint is no host that proofs may go to.
    Host,
    /// The cloud has put nothing into this pod.
    NoIdentity,
}

/// What a process finds around itself.
pub struct Identity<'a> {
    /// Its environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Small files.
    pub file: &'a dyn Fn(PathBuf) -> Option<String>,
}

impl std::fmt::Debug for Identity<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}

impl Recipe {
    /// A document of Google's: a service account's key, a federation, a user's own.
    ///
    /// # Errors
    /// [`NoRecipe`].
    pub fn google(json: &str, allowed: &[String]) -> Result<Self, NoRecipe> {
        GoogleIdentity::read(json, allowed).map(|it| Self::Google(Box::new(it)))
    }

    /// An application of Entra's: tenant, client and secret; `authority` where it is in another cloud
    /// than the public one.
    ///
    /// # Errors
    /// [`NoRecipe`].
    pub fn entra(
        parts: [&str; 3],
        authority: Option<&str>,
        allowed: &[String],
    ) -> Result<Self, NoRecipe> {
        EntraClient::with_secret(parts, authority, allowed).map(Self::Entra)
    }

    /// What a cloud gives to the pod itself.
    ///
    /// # Errors
    /// [`NoRecipe::NoIdentity`]: there is no trace of it.
    pub fn workload(cloud: Cloud, around: &Identity<'_>) -> Result<Self, NoRecipe> {
        match cloud {
            Cloud::Aws => aws::of_workload(around).map(Self::Aws),
            Cloud::Azure => entra::of_workload(around).map(Self::Entra),
            Cloud::Google => google::of_workload(around).map(|it| Self::Google(Box::new(it))),
        }
    }

    /// Shows the proof. `now_s`: Unix seconds by the endpoint's clock.
    pub(super) async fn fetch(&self, http: &Http, now_s: u64) -> Result<Fetched, Trouble> {
        match self {
            Self::Aws(identity) => identity.fetch(http, now_s).await,
            Self::Entra(client) => client.fetch(http).await,
            Self::Google(identity) => identity.fetch(http, now_s).await,
        }
    }
}

/// Whether a Secret's proof may be shown at this address: one of the hosts, and as [`may_tell`].
pub(super) fn may_ask(url: &str, own: &[&str], allowed: &[String]) -> Result<(), NoRecipe> {
    may_tell(url, &[])?;
    let uri: http::Uri = url.parse().map_err(|_| NoRecipe::Malformed)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let known = own.contains(&host) || allowed.iter().any(|it| it.eq_ignore_ascii_case(host));
    if known { Ok(()) } else { Err(NoRecipe::Host) }
}

/// Whether nobody can listen on the way there: TLS, this machine, or one of these hosts on its link.
pub(super) fn may_tell(url: &str, near: &[&str]) -> Result<(), NoRecipe> {
    let uri: http::Uri = url.parse().map_err(|_| NoRecipe::Malformed)?;
    let host = uri.host().ok_or(NoRecipe::Malformed)?.trim_matches(['[', ']']);
    let here = host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
    if uri.scheme_str() == Some("https") || here || near.contains(&host) {
        Ok(())
    } else {
        Err(NoRecipe::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(cloud: Cloud, given: &[(&str, &str)]) -> Result<Recipe, NoRecipe> {
        let variable = |name: &str| {
            let mut found = given.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        Recipe::workload(cloud, &Identity { variable: &variable, file: &|_| None })
    }

    #[test]
    fn a_proof_goes_to_its_clouds_hosts_and_those_that_the_secret_allows_over_tls() {
        let own = ["oauth2.googleapis.com"];
        let allowed = ["proxy.example".to_owned(), "127.0.0.1".to_owned()];
        for (url, expected) in [
            ("https://oauth2.googleapis.com/token", Ok(())),
            ("https://PROXY.example/token", Ok(())),
            ("http://127.0.0.1:1/token", Ok(())),
            ("http://oauth2.googleapis.com/token", Err(NoRecipe::Host)),
            ("http://proxy.example/token", Err(NoRecipe::Host)),
            ("https://oauth2.googleapis.com.evil.example/token", Err(NoRecipe::Host)),
            ("https://evil.example/token", Err(NoRecipe::Host)),
            ("", Err(NoRecipe::Malformed)),
        ] {
            assert_eq!(may_ask(url, &own, &allowed), expected, "{url}");
        }
        assert_eq!(may_ask("http://127.0.0.1:1/", &own, &[]), Err(NoRecipe::Host));
    }

    #[test]
    fn what_the_clouds_put_into_a_pod_is_found_and_nothing_listens_on_the_way() {
        let role = ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
        let file = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        let agent = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        for (cloud, given, expected) in [
            (Cloud::Aws, vec![], Some(NoRecipe::NoIdentity)),
            (Cloud::Aws, vec![role], Some(NoRecipe::NoIdentity)),
            (Cloud::Aws, vec![role, file], None),
            (
                Cloud::Aws,
                vec![role, file, ("AWS_ENDPOINT_URL_STS", "http://sts")],
                Some(NoRecipe::Host),
            ),
            (Cloud::Aws, vec![(agent, "http://169.254.170.23/v1/credentials")], None),
            (Cloud::Aws, vec![(agent, "http://[fd00:ec2::23]/v1/credentials")], None),
            (Cloud::Aws, vec![(agent, "http://10.0.0.1/")], Some(NoRecipe::Host)),
            (Cloud::Azure, vec![("AZURE_CLIENT_ID", "c")], Some(NoRecipe::NoIdentity)),
            (Cloud::Google, vec![], None),
            (
                Cloud::Google,
                vec![("GOOGLE_APPLICATION_CREDENTIALS", "/gone")],
                Some(NoRecipe::NoIdentity),
            ),
        ] {
            assert_eq!(workload(cloud, &given).err(), expected, "{cloud:?} {given:?}");
        }
    }

    #[test]
    fn a_tenant_is_a_word_and_no_path() {
        for (tenant, ok) in [("acme.onmicrosoft.com", true), ("a/../b", false), ("", false)] {
            assert_eq!(Recipe::entra([tenant, "c", "s"], None, &[]).is_ok(), ok, "{tenant}");
        }
        let elsewhere = Recipe::entra(["t", "c", "s"], Some("https://evil.example"), &[]);
        assert_eq!(elsewhere.err(), Some(NoRecipe::Host));
        assert!(
            !format!("{:?}", Recipe::entra(["t", "c", "canary"], None, &[])).contains("canary")
        );
    }
}

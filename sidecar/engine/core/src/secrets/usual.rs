//! File mode: the variables and files in which a provider's users keep their keys anyway.

use std::env;
use std::path::PathBuf;

use super::Missing;
use super::content::{Content, Found, aws_profile};
use crate::limits;
use crate::table::{Cloud, Credential};
use crate::tokens::Identity;

/// This process and its files.
pub(super) const AROUND: Identity<'static> = Identity { variable: &variable, file: &small };

/// The provider's own variable first, then where its cloud's tools look.
///
/// # Errors
/// There is nothing, or half of it.
pub(super) fn read(credential: &Credential) -> Result<Content, Missing> {
    let own = Some(&credential.env).filter(|name| !name.is_empty());
    if let Some(text) = own.and_then(|name| variable(name)) {
        let found = Found { text, name: "", beside: &|_| None };
        return Content::read(credential.cloud, found);
    }
    match credential.cloud {
        Some(Cloud::Aws) => aws(),
        Some(Cloud::Google) => google(),
        Some(Cloud::Azure) => entra(),
        None => Err(Missing::NotFound),
    }
}

fn google() -> Result<Content, Missing> {
    let named = variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
    let own = || Some(home()?.join(".config/gcloud/application_default_credentials.json"));
    let text = named.or_else(own).and_then(small);
    text.filter(|text| !text.is_empty()).map(Content::Google).ok_or(Missing::NotFound)
}

fn entra() -> Result<Content, Missing> {
    let given = |name: &str| variable(name).ok_or(Missing::NotFound);
    let secret = given("AZURE_CLIENT_SECRET")?;
    let (tenant, client) = (given("AZURE_TENANT_ID")?, given("AZURE_CLIENT_ID")?);
    let authority = variable("AZURE_AUTHORITY_HOST");
    Ok(Content::Entra { tenant, client, secret, authority })
}

fn aws() -> Result<Content, Missing> {
    if let (Some(access_key), Some(secret_key)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        let session_token = variable("AWS_SESSION_TOKEN");
        return Ok(Content::Aws { access_key, secret_key, session_token });
    }
    let named = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let file = named.or_else(|| Some(home()?.join(".aws/credentials")));
    let text = file.and_then(small).ok_or(Missing::NotFound)?;
    aws_profile(&text, variable("AWS_PROFILE").as_deref())
}

/// A variable that holds something.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The user's own folder.
pub(super) fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

/// A file that could be a key.
pub(super) fn small(path: PathBuf) -> Option<String> {
    let size = std::fs::metadata(&path).ok()?.len();
    if size > limits::KEY_BYTES as u64 {
        return None;
    }
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

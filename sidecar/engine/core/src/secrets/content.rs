//! What an entry of a Secret holds: a key that is sent as it is, or what a cloud's own tools write.

use serde_json::Value;

use super::Missing;
use crate::table::Cloud;

/// Read, and not yet used. Hashed to tell one content from another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Content {
    /// Goes into a header.
    Plain(String),
    /// Signs.
    Aws {
        /// `AKIA…`, or `ASIA…` with a token.
        access_key: String,
        /// Its secret half.
        secret_key: String,
        /// Of temporary keys.
        session_token: Option<String>,
    },
    /// A document of Google's tools, exchanged for tokens.
    Google(String),
    /// An application of Microsoft Entra's, exchanged for tokens.
    Entra {
        /// A directory's id or domain.
        tenant: String,
        /// The application's id.
        client: String,
        /// Its secret.
        secret: String,
        /// Where it proves itself; none: the public cloud.
        authority: Option<String>,
    },
    /// What the cloud gives to the pod itself, exchanged for tokens.
    Workload(Cloud),
}

/// Where an entry was found.
pub(super) struct Found<'a> {
    /// Its text, trimmed and not empty.
    pub(super) text: String,
    /// Its name.
    pub(super) name: &'a str,
    /// The other entries of its Secret.
    pub(super) beside: &'a dyn Fn(&str) -> Option<String>,
}

impl Content {
    /// Reads an entry as the tools of this cloud write it.
    ///
    /// # Errors
    /// [`Missing::Malformed`]: half of it is not there.
    pub(super) fn read(cloud: Option<Cloud>, found: Found<'_>) -> Result<Self, Missing> {
        match cloud {
            Some(Cloud::Aws) => aws(found),
            Some(Cloud::Azure) => entra(found),
            Some(Cloud::Google) if found.text.starts_with('{') => Ok(Self::Google(found.text)),
            _ => Ok(Self::Plain(found.text)),
        }
    }
}

/// The names of AWS's own tools, in lower case.
const AWS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// A pair of keys in three spellings: entries of these names, a credentials file or lines for a shell, the
/// JSON of `aws sts` and `aws iam`. Anything else is a Bedrock API key.
fn aws(found: Found<'_>) -> Result<Content, Missing> {
    let Found { text, name, beside } = found;
    for spell in [str::to_owned, str::to_uppercase] as [fn(&str) -> String; 2] {
        let [id, secret, token] = AWS.map(spell);
        if let Some(prefix) = name.strip_suffix(&id) {
            let other = |name: &str| beside(&[prefix, name].concat()).filter(|it| !it.is_empty());
            return pair(Some(text), other(&secret), other(&token));
        }
    }
    if text.starts_with('{') {
        let document: Value = serde_json::from_str(&text).map_err(|_| Missing::Malformed)?;
        let keys = ["Credentials", "AccessKey"].iter().find_map(|it| document.get(it));
        let keys = keys.unwrap_or(&document);
        let member = |name: &str| keys.get(name).and_then(Value::as_str).map(str::to_owned);
        return pair(member("AccessKeyId"), member("SecretAccessKey"), member("SessionToken"));
    }
    if text.to_lowercase().contains(AWS[0]) {
        return aws_profile(&text, None);
    }
    Ok(Content::Plain(text))
}

/// The names of Azure's own tools: tenant, application, secret, and where they are shown.
const AZURE: [&str; 4] =
    ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"];

/// An application in three spellings: entries of these names, lines for a shell, the JSON of `az ad sp`.
/// Anything else is a resource's key, or a token that something else renews.
fn entra(found: Found<'_>) -> Result<Content, Missing> {
    let Found { text, name, beside } = found;
    if let Some(prefix) = AZURE.iter().find_map(|it| name.strip_suffix(it)) {
        let entry = |name: &str| beside(&[prefix, name].concat()).filter(|it| !it.is_empty());
        return application(AZURE.map(entry));
    }
    if text.starts_with('{') {
        let document: Value = serde_json::from_str(&text).map_err(|_| Missing::Malformed)?;
        let member = |names: [&str; 3]| {
            names.iter().find_map(|it| document.get(it)?.as_str().map(str::to_owned))
        };
        return application([
            member(["tenant", "tenantId", "tenant_id"]),
            member(["appId", "clientId", "client_id"]),
            member(["password", "clientSecret", "client_secret"]),
            member(["authority", "activeDirectoryEndpointUrl", "authority_host"]),
        ]);
    }
    if text.contains(AZURE[1]) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        return application(AZURE.map(|name| assigned(&lines, name)));
    }
    Ok(Content::Plain(text))
}

fn application(parts: [Option<String>; 4]) -> Result<Content, Missing> {
    match parts {
        [Some(tenant), Some(client), Some(secret), authority] => {
            Ok(Content::Entra { tenant, client, secret, authority })
        }
        _ => Err(Missing::Malformed),
    }
}

/// A profile of a credentials file; without a name `default`, else the first one.
pub(super) fn aws_profile(text: &str, profile: Option<&str>) -> Result<Content, Missing> {
    let mut sections: Vec<(&str, Vec<&str>)> = vec![("", Vec::new())];
    for line in text.lines().map(str::trim) {
        match line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(name) => sections.push((name.trim(), Vec::new())),
            None => sections.last_mut().into_iter().for_each(|(_, lines)| lines.push(line)),
        }
    }
    let keys = |(_, lines): &(&str, Vec<&str>)| AWS.map(|name| assigned(lines, name));
    let named = |wanted: &str| sections.iter().find(|(name, _)| *name == wanted);
    let first = || sections.iter().find(|it| keys(it)[0].is_some());
    let found = match profile {
        Some(profile) => named(profile),
        None => named("default").or_else(first),
    };
    let [id, secret, token] = found.map(keys).unwrap_or_default();
    pair(id, secret, token)
}

fn pair(
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
) -> Result<Content, Missing> {
    match (access_key, secret_key) {
        (Some(access_key), Some(secret_key)) => {
            Ok(Content::Aws { access_key, secret_key, session_token })
        }
        _ => Err(Missing::Malformed),
    }
}

/// The value that a line gives to this name, in any case: `name = value`, `export NAME="value"`.
pub(super) fn assigned(lines: &[&str], name: &str) -> Option<String> {
    lines.iter().find_map(|line| {
        let (given, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (given.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: (&str, &str) = ("AKIA1", "s/e+c=ret");

    fn read(cloud: Cloud, name: &str, entries: &[(&str, &str)]) -> Result<Content, Missing> {
        let find = |name: &str| {
            let mut found = entries.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, text)| (*text).to_owned())
        };
        let text = find(name).unwrap();
        Content::read(Some(cloud), Found { text, name, beside: &find })
    }

    fn keys(content: Result<Content, Missing>) -> (String, String, Option<String>) {
        match content {
            Ok(Content::Aws { access_key, secret_key, session_token }) => {
                (access_key, secret_key, session_token)
            }
            _ => panic!("no keys"),
        }
    }

    #[test]
    fn keys_are_read_as_aws_tools_write_them() {
        let (id, secret) = PAIR;
        let lines =
            format!("export AWS_ACCESS_KEY_ID=\"{id}\"\nexport AWS_SECRET_ACCESS_KEY={secret}");
        let json =
            format!(r#"{{"AccessKey":{{"AccessKeyId":"{id}","SecretAccessKey":"{secret}"}}}}"#);
        for text in [lines, json] {
            let (one, two, token) = keys(read(Cloud::Aws, "k", &[("k", &text)]));
            assert_eq!((&*one, &*two, token), (id, secret, None), "{text}");
        }
        let entries = [
            ("a.aws_access_key_id", id),
            ("a.aws_secret_access_key", secret),
            ("a.aws_session_token", "t"),
        ];
        let (one, two, token) = keys(read(Cloud::Aws, "a.aws_access_key_id", &entries));
        assert_eq!((&*one, &*two, token.as_deref()), (id, secret, Some("t")));
    }

    #[test]
    fn a_profile_keeps_to_its_own_lines() {
        let text = "[work]\naws_access_key_id = W\naws_secret_access_key = ws\naws_session_token = wt\n\
                    [default]\naws_access_key_id = D\naws_secret_access_key = ds\n";
        assert_eq!(keys(aws_profile(text, None)), ("D".into(), "ds".into(), None));
        let work = ("W".into(), "ws".into(), Some("wt".into()));
        assert_eq!(keys(aws_profile(text, Some("work"))), work);
        assert!(aws_profile(text, Some("gone")).is_err());
        let first = text.replace("default", "other");
        assert_eq!(keys(aws_profile(&first, None)), work);
    }

    #[test]
    fn half_a_credential_is_none_and_a_plain_key_stays_plain() {
        let halves = [
            (Cloud::Aws, "aws_access_key_id=A"),
            (Cloud::Aws, r#"{"AccessKeyId":"A"}"#),
            (Cloud::Aws, "{"),
            (Cloud::Azure, r#"{"tenant":"t","appId":"a"}"#),
            (Cloud::Azure, "AZURE_CLIENT_ID=a"),
        ];
        for (cloud, text) in halves {
            let found = read(cloud, "k", &[("k", text)]).err();
            assert_eq!(found, Some(Missing::Malformed), "{text}");
        }
        let lonely = read(Cloud::Aws, "AWS_ACCESS_KEY_ID", &[("AWS_ACCESS_KEY_ID", "A")]);
        assert_eq!(lonely.err(), Some(Missing::Malformed));
        for cloud in [Cloud::Aws, Cloud::Google, Cloud::Azure] {
            let plain = read(cloud, "k", &[("k", "ABSKQmVkcm9jaw==")]);
            assert!(matches!(plain, Ok(Content::Plain(_))), "{cloud:?}");
        }
    }

    #[test]
    fn an_application_is_read_as_azures_tools_write_it() {
        let lines = "AZURE_TENANT_ID=t\nAZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=s";
        let sdk = r#"{"tenantId":"t","clientId":"c","clientSecret":"s"}"#;
        let cli = r#"{"tenant":"t","appId":"c","password":"s","displayName":"x"}"#;
        for text in [lines, sdk, cli] {
            let Ok(Content::Entra { tenant, client, secret, authority }) =
                read(Cloud::Azure, "k", &[("k", text)])
            else {
                panic!("{text}")
            };
            assert_eq!((&*tenant, &*client, &*secret, authority), ("t", "c", "s", None));
        }
        let entries =
            [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
        assert!(read(Cloud::Azure, "AZURE_CLIENT_SECRET", &entries).is_ok());
    }
}

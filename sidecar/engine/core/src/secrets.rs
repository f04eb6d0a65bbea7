//! Provider keys: read from mounted files (or, in file mode, from the environment), held only as
//! sensitive header values, sent only to allowed hosts, never shown (I7).

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;

use crate::limits;
use crate::table::Credential;

/// A key ready to be sent, and where it may go beyond its provider's own hosts.
#[derive(Debug)]
pub struct Key {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// The key alone, marked sensitive.
    pub bare: HeaderValue,
    /// Tells this content from another within the process; salted, never 0.
    pub fingerprint: u64,
    allowed_hosts: Vec<String>,
}

impl Key {
    /// Whether the Secret's own `allowed-hosts` entry names `host`.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// Why a key cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No file and no variable.
    NotFound,
    /// The file holds what cannot be a header value.
    Malformed,
    /// It may not be sent to that host.
    Host,
}

type Cached = (u64, Result<Arc<Key>, Missing>);

/// Reads and caches keys.
#[derive(Debug)]
pub struct Secrets {
    directory: Option<PathBuf>,
    from_environment: bool,
    cache: Mutex<HashMap<Credential, Cached>>,
    salt: RandomState,
}

impl Secrets {
    /// `directory/SECRET/KEY`, then, if allowed, the credential's variable.
    #[must_use]
    pub fn new(directory: Option<PathBuf>, from_environment: bool) -> Self {
        Self { directory, from_environment, cache: Mutex::default(), salt: RandomState::new() }
    }

    /// The key for `credential`, at most two seconds old.
    ///
    /// # Errors
    /// The key is nowhere, or is no header value.
    pub fn resolve(&self, credential: &Credential, now_ms: u64) -> Result<Arc<Key>, Missing> {
        let mut cache = self.cache.lock();
        if let Some((read_ms, key)) = cache.get(credential)
            && now_ms.saturating_sub(*read_ms) < limits::KEY_REREAD_MS
        {
            return key.clone();
        }
        let key = self.read(credential);
        keep(&mut cache, credential, now_ms, key.clone());
        key
    }

    /// The key for a target at `host`; `hosts`: those that its provider's type may be sent to anyway.
    ///
    /// # Errors
    /// As `resolve`, and where neither these nor the Secret name the host.
    pub fn resolve_for(
        &self,
        credential: &Credential,
        host: &str,
        hosts: &[String],
        now_ms: u64,
    ) -> Result<Arc<Key>, Missing> {
        let key = self.resolve(credential, now_ms)?;
        let allowed = hosts.iter().any(|allowed| allowed == host) || key.allows(host);
        if allowed { Ok(key) } else { Err(Missing::Host) }
    }

    /// What the mounts hold of each target's credential (its host, the hosts of its provider's type):
    /// `ok`, `missing` or `host_not_allowed`, by `secret/key`; the worst where several targets share one.
    pub fn survey<'a>(
        &self,
        targets: impl Iterator<Item = (&'a Credential, &'a str, &'a [String])>,
        now_ms: u64,
    ) -> BTreeMap<String, &'static str> {
        let mut found = BTreeMap::new();
        for (credential, host, hosts) in targets {
            let state = match self.resolve_for(credential, host, hosts, now_ms) {
                Ok(_) => "ok",
                Err(Missing::Host) => "host_not_allowed",
                Err(Missing::NotFound | Missing::Malformed) => "missing",
            };
            let known = found.entry(format!("{}/{}", credential.secret, credential.key));
            let worst = known.or_insert(state);
            if *worst == "ok" {
                *worst = state;
            }
        }
        found
    }

    /// Reads the key again whatever its age, for calls from now on; its fingerprint, 0 without one.
    pub fn read_again(&self, credential: &Credential, now_ms: u64) -> u64 {
        let key = self.read(credential);
        let fingerprint = key.as_ref().map_or(0, |key| key.fingerprint);
        keep(&mut self.cache.lock(), credential, now_ms, key);
        fingerprint
    }

    fn read(&self, credential: &Credential) -> Result<Arc<Key>, Missing> {
        let secret = self.directory.as_deref().map(|directory| directory.join(&credential.secret));
        let from_file = secret.as_deref().and_then(|secret| read_entry(secret, &credential.key));
        let from_environment = || {
            let wanted = self.from_environment && !credential.env.is_empty();
            wanted.then(|| std::env::var(&credential.env).ok()).flatten()
        };
        let text = from_file.or_else(from_environment).ok_or(Missing::NotFound)?;
        if text.is_empty() {
            return Err(Missing::NotFound);
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| Missing::Malformed)?;
        authorization.set_sensitive(true);
        let mut bare = HeaderValue::from_str(&text).map_err(|_| Missing::Malformed)?;
        bare.set_sensitive(true);
        let fingerprint = self.salt.hash_one(&text).max(1);
        let allowed_hosts = secret
            .as_deref()
            .and_then(|secret| read_entry(secret, "allowed-hosts"))
            .map(|hosts| {
                hosts
                    .split([',', '\n', ' '])
                    .filter(|host| !host.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        Ok(Arc::new(Key { authorization, bare, fingerprint, allowed_hosts }))
    }
}

fn keep(
    cache: &mut HashMap<Credential, Cached>,
    credential: &Credential,
    now_ms: u64,
    key: Result<Arc<Key>, Missing>,
) {
    if cache.len() >= limits::MODELS {
        cache.clear(); // of tables long gone
    }
    cache.insert(credential.clone(), (now_ms, key));
}

fn read_entry(secret: &Path, entry: &str) -> Option<String> {
    // Names come from a table: they must stay one path segment each.
    let plain = |name: &std::ffi::OsStr| {
        name.to_str()
            .is_some_and(|name| !name.is_empty() && !name.starts_with("..") && !name.contains('/'))
    };
    if !plain(secret.file_name()?) || !plain(entry.as_ref()) {
        return None;
    }
    let path = secret.join(entry);
    let size = std::fs::metadata(&path).ok()?.len();
    if size > limits::KEY_BYTES as u64 {
        return None;
    }
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("pointsman-secrets-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("openai")).unwrap();
        path
    }

    fn credential(secret: &str) -> Credential {
        Credential { secret: secret.into(), key: "api-key".into(), env: String::new() }
    }

    #[test]
    fn a_rotated_key_is_used_within_two_seconds_and_never_printed() {
        let directory = directory("rotate");
        std::fs::write(directory.join("openai/api-key"), "sk-first\n").unwrap();
        std::fs::write(directory.join("openai/allowed-hosts"), "a.example, b.example").unwrap();
        let secrets = Secrets::new(Some(directory.clone()), false);
        let key = secrets.resolve(&credential("openai"), 0).unwrap();
        assert_eq!(key.authorization, "Bearer sk-first");
        assert!(key.allows("B.example") && !key.allows("c.example"));
        assert!(!format!("{secrets:?}").contains("sk-first"), "I7");
        std::fs::write(directory.join("openai/api-key"), "sk-second").unwrap();
        assert_eq!(
            secrets.resolve(&credential("openai"), 1_999).unwrap().authorization,
            "Bearer sk-first"
        );
        assert_eq!(
            secrets.resolve(&credential("openai"), 2_000).unwrap().authorization,
            "Bearer sk-second"
        );
    }

    #[test]
    fn what_the_mounts_lack_is_told_by_name_and_never_by_content() {
        let directory = directory("survey");
        std::fs::write(directory.join("openai/api-key"), "sk-first").unwrap();
        let secrets = Secrets::new(Some(directory), false);
        let (there, absent) = (credential("openai"), credential("other"));
        let own = vec!["api.openai.com".to_owned()];
        let targets = [
            (&there, "api.openai.com", own.as_slice()),
            (&absent, "api.openai.com", own.as_slice()),
        ];
        let found = secrets.survey(targets.into_iter(), 0);
        assert_eq!(found["openai/api-key"], "ok");
        assert_eq!(found["other/api-key"], "missing");
        let elsewhere = (&there, "evil.example", own.as_slice());
        let found = secrets.survey(targets.into_iter().chain([elsewhere]), 0);
        assert_eq!(found["openai/api-key"], "host_not_allowed");
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        let directory = directory("escape");
        std::fs::write(directory.join("api-key"), "outside").unwrap();
        let secrets = Secrets::new(Some(directory.join("openai")), false);
        assert_eq!(secrets.resolve(&credential(".."), 0).unwrap_err(), Missing::NotFound);
        assert_eq!(secrets.resolve(&credential("../openai"), 0).unwrap_err(), Missing::NotFound);
    }
}

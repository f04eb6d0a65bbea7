//! Provider keys: read from mounted files (or, in file mode, from the environment), held only as
//! sensitive header values and as what signs, sent only to allowed hosts, never shown (I7).

mod content;
mod usual;

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;

use self::content::{Content, Found};
use crate::limits;
use crate::sign::sigv4::AwsKey;
use crate::table::Credential;
use crate::tokens::{Desk, Held, NoRecipe, Recipe, Source};

/// A key ready to be used, and where it may go beyond its provider's own hosts.
#[derive(Debug)]
pub struct Key {
    /// What proves who asks.
    pub means: Means,
    /// Tells this content from another within the process; salted, never 0.
    content: u64,
    allowed_hosts: Vec<String>,
}

/// How a key is shown.
#[derive(Debug)]
pub enum Means {
    /// As it is.
    Plain {
        /// `Bearer …`, marked sensitive.
        authorization: HeaderValue,
        /// The key alone, marked sensitive.
        bare: HeaderValue,
    },
    /// By signatures.
    Aws(AwsKey),
    /// By what it is exchanged for.
    Source(Arc<Source>),
}

impl Means {
    fn of(content: Content, allowed: &[String]) -> Result<Self, Missing> {
        let recipe = match content {
            Content::Plain(text) => {
                let sensitive = |text: &str| {
                    let mut value = HeaderValue::from_str(text).map_err(|_| Missing::Malformed)?;
                    value.set_sensitive(true);
                    Ok::<_, Missing>(value)
                };
                let authorization = sensitive(&["Bearer ", &text].concat())?;
                return Ok(Self::Plain { authorization, bare: sensitive(&text)? });
            }
            Content::Aws { access_key, secret_key, session_token } => {
                let key = AwsKey::new(&access_key, &secret_key, session_token.as_deref());
                return Ok(Self::Aws(key));
            }
            Content::Google(json) => Recipe::google(&json, allowed),
            Content::Entra { tenant, client, secret, authority } => {
                Recipe::entra([&tenant, &client, &secret], authority.as_deref(), allowed)
            }
            Content::Workload(cloud) => Recipe::workload(cloud, &usual::AROUND),
        };
        Ok(Self::Source(Arc::new(Source::new(recipe?))))
    }
}

impl From<NoRecipe> for Missing {
    fn from(why: NoRecipe) -> Self {
        match why {
            NoRecipe::Malformed => Self::Malformed,
            NoRecipe::Host => Self::Host,
            NoRecipe::NoIdentity => Self::NoIdentity,
        }
    }
}

impl Key {
    /// Tells what would be shown now from anything else within the process; 0: nothing.
    #[must_use]
    pub fn fingerprint(&self, now_ms: u64) -> u64 {
        match &self.means {
            Means::Source(source) => source.held(now_ms).map_or(0, |it| self.fingerprint_of(&it)),
            _ => self.content,
        }
    }

    /// The same of what is shown of a source.
    #[must_use]
    pub fn fingerprint_of(&self, shown: &Held) -> u64 {
        self.content.wrapping_add(shown.generation).max(1)
    }

    /// A provider did not take what has this fingerprint: true once there is something else to show, which
    /// there never is of a key that is sent as it is.
    pub async fn renewed(&self, refused: u64, now_ms: u64) -> bool {
        match &self.means {
            Means::Source(source) => {
                source.renewed(refused.wrapping_sub(self.content), now_ms).await
            }
            Means::Plain { .. } | Means::Aws(_) => false,
        }
    }

    /// What is to be said of it where nothing is lacking here.
    fn told(&self, now_ms: u64) -> Cow<'static, str> {
        match &self.means {
            Means::Source(source) if source.held(now_ms).is_none() => {
                source.trouble().map_or("ok".into(), |trouble| trouble.told().into())
            }
            _ => "ok".into(),
        }
    }

    /// Has what was shown replaced, as a provider did not take it.
    fn reject(&self, refused: u64) {
        if let Means::Source(source) = &self.means {
            source.reject(refused.wrapping_sub(self.content));
        }
    }

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
    /// The entry holds half of what it should, or what cannot be a header value.
    Malformed,
    /// It may not be sent to that host, or shown to its token endpoint's.
    Host,
    /// The pod has no identity at the cloud.
    NoIdentity,
}

type Cached = (u64, Result<Arc<Key>, Missing>);

/// Reads and caches keys.
#[derive(Debug)]
pub struct Secrets {
    directory: Option<PathBuf>,
    from_environment: bool,
    cache: Mutex<HashMap<Credential, Cached>>,
    salt: RandomState,
    /// Where the background thread finds what must be exchanged.
    pub desk: Arc<Desk>,
}

impl Secrets {
    /// `directory/SECRET/KEY`, then, if allowed, the credential's variable.
    #[must_use]
    pub fn new(directory: Option<PathBuf>, from_environment: bool) -> Self {
        let (cache, desk) = (Mutex::default(), Arc::default());
        Self { directory, from_environment, cache, salt: RandomState::new(), desk }
    }

    /// The key for `credential`, at most two seconds old.
    ///
    /// # Errors
    /// The key is nowhere, or is no header value.
    pub fn resolve(&self, credential: &Credential, now_ms: u64) -> Result<Arc<Key>, Missing> {
        let mut cache = self.cache.lock();
        let known = cache.get(credential);
        if let Some((read_ms, key)) = known
            && now_ms.saturating_sub(*read_ms) < limits::KEY_REREAD_MS
        {
            return key.clone();
        }
        let key = self.read(credential, known.and_then(|(_, key)| key.as_ref().ok()));
        if let Ok(Key { means: Means::Source(source), .. }) = key.as_deref() {
            source.touch(now_ms);
        }
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
    /// `ok`, `missing`, `malformed`, `host_not_allowed`, `no_identity` or what its token endpoint says, by name; the worst where several targets share one.
    pub fn survey<'a>(
        &self,
        targets: impl Iterator<Item = (&'a Credential, &'a str, &'a [String])>,
        now_ms: u64,
    ) -> BTreeMap<String, Cow<'static, str>> {
        let mut found = BTreeMap::new();
        for (credential, host, hosts) in targets {
            let state: Cow<'static, str> = match self.resolve_for(credential, host, hosts, now_ms) {
                Ok(key) => key.told(now_ms),
                Err(Missing::Host) => "host_not_allowed".into(),
                Err(Missing::NotFound) => "missing".into(),
                Err(Missing::Malformed) => "malformed".into(),
                Err(Missing::NoIdentity) => "no_identity".into(),
            };
            let known = found.entry(credential.name());
            let worst = known.or_insert_with(|| state.clone());
            if *worst == "ok" {
                *worst = state;
            }
        }
        found
    }

    /// Reads the key again whatever its age, for calls from now on; its fingerprint, 0 without one. What
    /// is exchanged for tokens gets another one where `refused` is the one that it has.
    pub fn read_again(&self, credential: &Credential, refused: u64, now_ms: u64) -> u64 {
        let mut cache = self.cache.lock();
        let known = cache.get(credential).and_then(|(_, key)| key.as_ref().ok());
        let key = self.read(credential, known);
        let fingerprint = key.as_ref().map_or(0, |key| key.fingerprint(now_ms));
        if let (Ok(key), true) = (&key, refused != 0 && fingerprint == refused) {
            key.reject(refused);
        }
        keep(&mut cache, credential, now_ms, key);
        fingerprint
    }

    /// `known`: what was read before, which stays where it is still the same.
    fn read(&self, credential: &Credential, known: Option<&Arc<Key>>) -> Result<Arc<Key>, Missing> {
        let secret = self.directory.as_deref().map(|directory| directory.join(&credential.secret));
        let beside = |entry: &str| secret.as_deref().and_then(|secret| read_entry(secret, entry));
        let own = credential.cloud.filter(|_| credential.workload);
        let entry = || beside(&credential.key).filter(|text| !text.is_empty());
        let content = match own.ok_or_else(entry) {
            Ok(cloud) => Content::Workload(cloud),
            Err(Some(text)) => {
                let found = Found { text, name: &credential.key, beside: &beside };
                Content::read(credential.cloud, found)?
            }
            Err(None) if self.from_environment => usual::read(credential)?,
            Err(None) => return Err(Missing::NotFound),
        };
        let fresh = self.salt.hash_one(&content).max(1);
        let allowed_hosts: Vec<String> = beside("allowed-hosts")
            .iter()
            .flat_map(|hosts| hosts.split([',', '\n', ' ']))
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect();
        let same =
            |known: &&Arc<Key>| known.content == fresh && known.allowed_hosts == allowed_hosts;
        if let Some(known) = known.filter(same) {
            return Ok(known.clone());
        }
        let means = Means::of(content, &allowed_hosts)?;
        if let Means::Source(source) = &means {
            self.desk.enter(source.clone());
        }
        Ok(Arc::new(Key { means, content: fresh, allowed_hosts }))
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
        Credential { secret: secret.into(), key: "api-key".into(), ..Credential::default() }
    }

    fn bearer(key: &Key) -> &HeaderValue {
        match &key.means {
            Means::Plain { authorization, .. } => authorization,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rotated_key_is_used_within_two_seconds_and_never_printed() {
        let directory = directory("rotate");
        std::fs::write(directory.join("openai/api-key"), "sk-first\n").unwrap();
        std::fs::write(directory.join("openai/allowed-hosts"), "a.example, b.example").unwrap();
        let secrets = Secrets::new(Some(directory.clone()), false);
        let key = secrets.resolve(&credential("openai"), 0).unwrap();
        assert_eq!(bearer(&key), "Bearer sk-first");
        assert!(key.allows("B.example") && !key.allows("c.example"));
        assert!(!format!("{secrets:?}").contains("sk-first"), "I7");
        std::fs::write(directory.join("openai/api-key"), "sk-second").unwrap();
        let at = |now_ms: u64| secrets.resolve(&credential("openai"), now_ms).unwrap();
        assert_eq!(bearer(&at(1_999)), "Bearer sk-first");
        assert_eq!(bearer(&at(2_000)), "Bearer sk-second");
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

//! Health of credentials: a key that its provider refuses, or whose quota is gone, rests for every
//! target that uses it, until the Secret holds other bytes. A slow probe stands behind that.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::breaker::{Breaker, State};
use crate::error::Class;
use crate::limits;
use crate::secrets::Secrets;
use crate::table::Credential;

/// One credential, shared by all targets that name it, over all threads and tables.
#[derive(Debug)]
pub struct CredentialHealth {
    credential: Credential,
    /// Open while the credential rests.
    pub breaker: Breaker,
    /// Fingerprint of the key that was refused; 0: there was none.
    refused: AtomicU64,
    /// Whether it was the key that was refused, and not the account behind it.
    barred: AtomicBool,
    /// How far the provider's clock is ahead of ours, seconds; 0 while no signature was refused for it.
    clock_off_s: AtomicI64,
    /// Since when that is reckoned with, boot clock.
    clock_noted_ms: AtomicU64,
}

impl CredentialHealth {
    fn new(credential: Credential) -> Self {
        Self {
            credential,
            breaker: Breaker::default(),
            refused: AtomicU64::new(0),
            barred: AtomicBool::new(false),
            clock_off_s: AtomicI64::new(0),
            clock_noted_ms: AtomicU64::new(0),
        }
    }

    /// The key of this fingerprint was refused: no target uses the credential for `pause_ms`.
    pub fn rest(&self, class: Class, refused: u64, now_ms: u64, pause_ms: u64) {
        self.barred.store(class == Class::Auth && refused != 0, Relaxed);
        self.refused.store(refused, Relaxed);
        self.breaker.cool_for(class, now_ms, pause_ms);
    }

    /// How far the provider's clock is ahead of ours, seconds, as far as it matters.
    #[must_use]
    pub fn clock_off_s(&self) -> i64 {
        self.clock_off_s.load(Relaxed)
    }

    /// Whether what was sent at `began_ms` was refused because our clock is `off_s` behind the
    /// provider's; what is signed from now on reckons with it.
    pub fn was_off(&self, off_s: i64, began_ms: u64, now_ms: u64) -> bool {
        let matters = |off_s: i64| off_s.unsigned_abs() >= limits::CLOCK_SKEW_S;
        if matters(off_s.saturating_sub(self.clock_off_s())) {
            self.clock_off_s.store(off_s, Relaxed);
            self.clock_noted_ms.store(now_ms, Relaxed);
            return true;
        }
        // Signed before another call's answer told us.
        matters(off_s) && began_ms <= self.clock_noted_ms.load(Relaxed)
    }

    /// What is wrong beside what its Secret holds.
    fn trouble(&self, now_ms: u64) -> Option<&'static str> {
        if self.barred.load(Relaxed) && self.breaker.state(now_ms) != State::Closed {
            return Some("refused");
        }
        (self.clock_off_s().unsigned_abs() >= limits::CLOCK_SKEW_S).then_some("clock_off")
    }

    /// Ends the rest where the Secret holds another key than the one that was refused.
    fn look(&self, secrets: &Secrets, now_ms: u64) {
        if self.breaker.is_closed() {
            return;
        }
        let refused = self.refused.load(Relaxed);
        if secrets.read_again(&self.credential, refused, now_ms) != refused {
            self.breaker.close();
        }
    }
}

/// The credentials of the tables that are in use.
#[derive(Debug, Default)]
pub struct Credentials(Mutex<HashMap<Credential, Arc<CredentialHealth>>>);

impl Credentials {
    /// The health of a credential; the same for all who name it alike.
    #[must_use]
    pub fn of(&self, credential: &Credential) -> Arc<CredentialHealth> {
        let mut known = self.0.lock();
        if let Some(health) = known.get(credential) {
            return health.clone();
        }
        let health = Arc::new(CredentialHealth::new(credential.clone()));
        known.insert(credential.clone(), health.clone());
        health
    }

    /// Forgets credentials that no table names any more.
    pub fn retain_used(&self) {
        self.0.lock().retain(|_, health| Arc::strong_count(health) > 1);
    }

    /// What is to be said of each target's credential, by name: what `Secrets::survey` finds, else
    /// `refused` where its provider does not take it, or `clock_off` where our clock is off by so much
    /// that signatures are made for theirs.
    pub fn survey<'a>(
        &self,
        secrets: &Secrets,
        targets: impl Iterator<Item = (&'a Credential, &'a str, &'a [String])>,
        now_ms: u64,
    ) -> BTreeMap<String, Cow<'static, str>> {
        let mut found = secrets.survey(targets, now_ms);
        for health in self.0.lock().values() {
            let state = found.get_mut(&health.credential.name()).filter(|state| **state == "ok");
            if let (Some(state), Some(trouble)) = (state, health.trouble(now_ms)) {
                *state = trouble.into();
            }
        }
        found
    }

    /// Looks whether the keys of resting credentials have been replaced.
    pub fn look(&self, secrets: &Secrets, now_ms: u64) {
        let all: Vec<_> = self.0.lock().values().cloned().collect();
        for health in all {
            health.look(secrets, now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::secrets::{Key, Means};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir()
            .join(format!("pointsman-credentials-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("openai")).unwrap();
        path
    }

    fn credential(secret: &str) -> Credential {
        Credential { secret: secret.into(), key: "api-key".into(), ..Credential::default() }
    }

    fn bearer(key: &Key) -> &str {
        match &key.means {
            Means::Plain { authorization, .. } => authorization.to_str().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rest_ends_when_the_secret_holds_another_key_and_not_before() {
        let folder = folder("rest");
        std::fs::write(folder.join("openai/api-key"), "sk-bad").unwrap();
        let secrets = Secrets::new(Some(folder.clone()), false);
        let credentials = Credentials::default();
        let health = credentials.of(&credential("openai"));
        let used = secrets.resolve(&credential("openai"), 0).unwrap().fingerprint(0);
        health.rest(Class::Auth, used, 0, 60_000);
        credentials.look(&secrets, 10);
        assert_eq!(health.breaker.state(10), State::Open, "the same key rests");
        std::fs::write(folder.join("openai/api-key"), "sk-good").unwrap();
        credentials.look(&secrets, 20);
        assert_eq!(health.breaker.state(20), State::Closed);
        let now = secrets.resolve(&credential("openai"), 21).unwrap();
        assert_eq!(bearer(&now), "Bearer sk-good", "the new key is the one that is sent");
    }

    #[test]
    fn a_clock_that_is_off_is_reckoned_with_and_told() {
        let credentials = Credentials::default();
        let health = credentials.of(&credential("openai"));
        assert!(!health.was_off(239, 0, 5), "AWS takes that");
        assert!(health.was_off(-600, 0, 5));
        assert_eq!(health.clock_off_s(), -600);
        assert!(health.was_off(-601, 4, 6), "it was on its way when we learnt that");
        assert!(!health.was_off(-601, 6, 7), "signed by their clock: the key is wrong");
        let folder = folder("clock");
        std::fs::write(folder.join("openai/api-key"), "sk-good").unwrap();
        let secrets = Secrets::new(Some(folder), false);
        let (key, hosts) = (credential("openai"), ["here".to_owned()]);
        let told = || credentials.survey(&secrets, [(&key, "here", &hosts[..])].into_iter(), 7);
        assert_eq!(told()["openai/api-key"], "clock_off");
        health.rest(Class::Quota, 1, 7, 60_000);
        assert_eq!(told()["openai/api-key"], "clock_off");
        health.rest(Class::Auth, 1, 7, 60_000);
        assert_eq!(told()["openai/api-key"], "refused");
    }

    #[test]
    fn a_key_that_was_missing_ends_the_rest_when_it_comes_and_a_projected_volume_swaps_it() {
        let folder = folder("swap");
        let secrets = Secrets::new(Some(folder.clone()), false);
        let credentials = Credentials::default();
        let health = credentials.of(&credential("projected"));
        health.rest(Class::Auth, 0, 0, 60_000);
        credentials.look(&secrets, 1);
        assert_eq!(health.breaker.state(1), State::Open);
        let secret = folder.join("projected");
        for (turn, key) in ["sk-one", "sk-two"].into_iter().enumerate() {
            // As the kubelet does it: a new folder, then the link `..data` is renamed over the old.
            let version = secret.join(format!("..version-{turn}"));
            std::fs::create_dir_all(&version).unwrap();
            std::fs::write(version.join("api-key"), key).unwrap();
            let fresh = secret.join("..data_tmp");
            std::os::unix::fs::symlink(&version, &fresh).unwrap();
            std::fs::rename(&fresh, secret.join("..data")).unwrap();
            if turn == 0 {
                std::os::unix::fs::symlink("..data/api-key", secret.join("api-key")).unwrap();
            }
            credentials.look(&secrets, 2);
            assert_eq!(health.breaker.state(2), State::Closed, "{key}");
            let used = secrets.resolve(&credential("projected"), 3).unwrap();
            assert_eq!(bearer(&used), &format!("Bearer {key}"));
            health.rest(Class::Auth, used.fingerprint(3), 3, 60_000);
        }
    }

    #[test]
    fn a_credential_is_one_for_all_who_name_it_and_forgotten_with_its_table() {
        let credentials = Credentials::default();
        let one = credentials.of(&credential("openai"));
        assert!(Arc::ptr_eq(&one, &credentials.of(&credential("openai"))));
        assert!(!Arc::ptr_eq(&one, &credentials.of(&credential("other"))));
        credentials.retain_used();
        assert_eq!(credentials.0.lock().len(), 1);
        drop(one);
        credentials.retain_used();
        assert_eq!(credentials.0.lock().len(), 0);
    }
}

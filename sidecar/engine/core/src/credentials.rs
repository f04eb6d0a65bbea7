//! Health of credentials: a key that its provider refuses, or whose quota is gone, rests for every
//! target that uses it, until the Secret holds other bytes. A slow probe stands behind that.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::breaker::Breaker;
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
}

impl CredentialHealth {
    fn new(credential: Credential) -> Self {
        Self { credential, breaker: Breaker::default(), refused: AtomicU64::new(0) }
    }

    /// The key of this fingerprint was refused: no target uses the credential for `pause_ms`.
    pub fn rest(&self, refused: u64, now_ms: u64, pause_ms: u64) {
        self.refused.store(refused, Relaxed);
        self.breaker.cool_for(now_ms, pause_ms);
    }

    /// Ends the rest where the Secret holds another key than the one that was refused.
    fn look(&self, secrets: &Secrets, now_ms: u64) {
        if self.breaker.is_closed() {
            return;
        }
        if secrets.read_again(&self.credential, now_ms) != self.refused.load(Relaxed) {
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
    use crate::breaker::State;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir()
            .join(format!("pointsman-credentials-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("openai")).unwrap();
        path
    }

    fn credential(secret: &str) -> Credential {
        Credential { secret: secret.into(), key: "api-key".into(), env: String::new() }
    }

    #[test]
    fn a_rest_ends_when_the_secret_holds_another_key_and_not_before() {
        let folder = folder("rest");
        std::fs::write(folder.join("openai/api-key"), "sk-bad").unwrap();
        let secrets = Secrets::new(Some(folder.clone()), false);
        let credentials = Credentials::default();
        let health = credentials.of(&credential("openai"));
        let used = secrets.resolve(&credential("openai"), 0).unwrap().fingerprint;
        health.rest(used, 0, 60_000);
        credentials.look(&secrets, 10);
        assert_eq!(health.breaker.state(10), State::Open, "the same key rests");
        std::fs::write(folder.join("openai/api-key"), "sk-good").unwrap();
        credentials.look(&secrets, 20);
        assert_eq!(health.breaker.state(20), State::Closed);
        let now = secrets.resolve(&credential("openai"), 21).unwrap();
        assert_eq!(now.authorization, "Bearer sk-good", "the new key is the one that is sent");
    }

    #[test]
    fn a_key_that_was_missing_ends_the_rest_when_it_comes_and_a_projected_volume_swaps_it() {
        let folder = folder("swap");
        let secrets = Secrets::new(Some(folder.clone()), false);
        let credentials = Credentials::default();
        let health = credentials.of(&credential("projected"));
        health.rest(0, 0, 60_000);
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
            assert_eq!(used.authorization, format!("Bearer {key}"));
            health.rest(used.fingerprint, 3, 60_000);
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

//! A gateway's certificate. Its key is made here and leaves the process for the pod's memory alone
//! (`kept`); the controller signs what it asks for, and every new connection takes the newest certificate.

mod kept;
mod validity;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::clock::SharedClock;
use kept::Kept;

/// Key, certificate, and how connections are taken with them.
pub struct Certificate {
    key: Mutex<Option<KeyPair>>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    kept: Kept,
}

/// What handshakes are answered with, as long as it has not expired.
#[derive(Debug)]
struct Current {
    held: ArcSwapOption<Held>,
    clock: SharedClock,
}

#[derive(Debug)]
struct Held {
    certified: Arc<CertifiedKey>,
    ends_ms: i64,
}

impl Current {
    fn is_over(&self, ends_ms: i64) -> bool {
        ends_ms <= self.clock.wall_ms()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let held = self.held.load();
        held.as_ref().filter(|held| !self.is_over(held.ends_ms)).map(|held| held.certified.clone())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("lacks", &self.lacks()).finish_non_exhaustive()
    }
}

impl Certificate {
    /// That of an earlier start, kept in this folder; without one handshakes fail until there is one.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new(folder: Option<&Path>, clock: SharedClock) -> Result<Self, rustls::Error> {
        let current = Arc::new(Current { held: ArcSwapOption::empty(), clock });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let kept = Kept::within(folder);
        let made = Self { key: Mutex::default(), current, config: Arc::new(config), kept };
        made.restore();
        Ok(made)
    }

    /// What the hub has to bring before connections are taken; `None`: nothing.
    #[must_use]
    pub fn lacks(&self) -> Option<&'static str> {
        match self.current.held.load().as_ref() {
            None => Some("a certificate"),
            Some(held) if self.current.is_over(held.ends_ms) => {
                Some("a certificate in place of the one that has expired")
            }
            Some(_) => None,
        }
    }

    /// Why the next start of this container will have to wait for the hub; `None`: it will not.
    #[must_use]
    pub fn kept_trouble(&self) -> Option<String> {
        let held = self.current.held.load();
        let over = held.as_ref().is_some_and(|held| self.current.is_over(held.ends_ms));
        self.kept.trouble().or_else(|| over.then(|| "what is kept has expired".to_owned()))
    }

    /// A request for a certificate, PEM; who signs it knows the names. The key is the same for the
    /// process's life, and where it is kept for the pod's.
    ///
    /// # Errors
    /// No key can be made.
    pub fn request(&self) -> Result<String, String> {
        let wrong = |error: rcgen::Error| format!("no certificate request: {error}");
        let params = CertificateParams::new(Vec::new()).map_err(wrong)?;
        let mut key = self.key.lock();
        let key = match &mut *key {
            Some(key) => key,
            none => none.insert(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(wrong)?),
        };
        params.serialize_request(key).and_then(|request| request.pem()).map_err(wrong)
    }

    /// Takes the certificate that answers the request, the leaf first, PEM.
    ///
    /// # Errors
    /// It is none, of another key, or has expired; the one before stays.
    pub fn install(&self, chain: &[u8]) -> Result<(), String> {
        let key = self.key.lock();
        let key = key.as_ref().ok_or_else(|| wrong(&"none was asked for"))?;
        let held = Self::held(key, chain)?;
        if self.current.is_over(held.ends_ms) {
            return Err(wrong(&"it has expired, or the clock is wrong"));
        }
        self.current.held.store(Some(Arc::new(held)));
        self.kept.write(&key.serialize_pem(), chain);
        Ok(())
    }

    fn held(key: &KeyPair, chain: &[u8]) -> Result<Held, String> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&error))?;
        let ends_ms = chain.first().and_then(validity::ends_ms);
        let ends_ms = ends_ms.ok_or_else(|| wrong(&"it does not say when it ends"))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider);
        let certified = Arc::new(certified.map_err(|error| wrong(&error))?);
        Ok(Held { certified, ends_ms })
    }

    /// Goes on with what an earlier start kept, if it has not expired; what cannot be used is as if it
    /// were not there.
    fn restore(&self) {
        let Some(found) = self.kept.read() else { return };
        let restored = PrivatePkcs8KeyDer::from_pem_slice(&found)
            .map_err(|error| wrong(&error))
            .and_then(|der| {
                KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
                    .map_err(|error| wrong(&error))
            })
            .and_then(|key| Self::held(&key, &found).map(|held| (key, held)));
        match restored {
            Ok((key, held)) => {
                self.current.held.store(Some(Arc::new(held)));
                *self.key.lock() = Some(key);
            }
            Err(why) => self.kept.note(format!("what was kept cannot be used: {why}")),
        }
    }

    /// Takes connections with the newest certificate.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}

fn wrong(error: &dyn std::fmt::Display) -> String {
    format!("no certificate of ours: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rcgen::{Issuer, date_time_ymd};

    use super::*;
    use crate::clock::ManualClock;

    /// 2026-11-22, in milliseconds.
    const NOW_MS: i64 = 1_795_305_600_000;
    const DAY_MS: u64 = 86_400_000;

    fn made(folder: Option<&Path>) -> Certificate {
        at(&clock(), folder)
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(NOW_MS))
    }

    fn at(clock: &Arc<ManualClock>, folder: Option<&Path>) -> Certificate {
        Certificate::new(folder, clock.clone()).unwrap()
    }

    /// Until 2027-02-20, ninety days later.
    fn signed(certificate: &Certificate) -> String {
        certificate.request().unwrap();
        let root = CertificateParams::new(vec!["root".to_owned()]).unwrap();
        let issuer = Issuer::new(root, KeyPair::generate().unwrap());
        let key = certificate.key.lock();
        let mut leaf = CertificateParams::new(vec!["gateway.a.svc".to_owned()]).unwrap();
        leaf.not_after = date_time_ymd(2027, 2, 20);
        leaf.signed_by(key.as_ref().unwrap(), &issuer).unwrap().pem()
    }

    #[test]
    fn a_certificate_answers_its_own_request_and_no_other() {
        let (one, other) = (made(None), made(None));
        assert!(one.install(signed(&other).as_bytes()).is_err(), "nothing was asked for");
        let own = signed(&one);
        assert!(one.install(signed(&other).as_bytes()).is_err() && one.lacks().is_some());
        one.install(own.as_bytes()).unwrap();
        assert_eq!(one.lacks(), None);
        assert!(one.install(b"garbage").is_err() && one.lacks().is_none(), "the one before stays");
    }

    #[test]
    fn the_key_is_never_shown() {
        let one = made(None);
        let request = one.request().unwrap();
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        assert!(!format!("{one:?}").contains("key"), "I7");
    }

    #[test]
    fn another_start_has_the_same_key_and_certificate_and_a_broken_file_none() {
        let folder = PathBuf::from(format!("/dev/shm/pointsman-tls-{}", fastrand::u64(..)));
        let first = made(Some(&folder));
        assert!(first.lacks().is_some() && first.kept_trouble().is_none());
        let own = signed(&first);
        assert!(!folder.join("certificate.pem").exists(), "a key alone is worth nothing");
        first.install(own.as_bytes()).unwrap();
        let second = made(Some(&folder));
        assert_eq!(second.lacks(), None);
        second.install(own.as_bytes()).unwrap();
        for broken in [own.as_bytes(), b"garbage"] {
            fs::write(folder.join("certificate.pem"), broken).unwrap();
            let third = made(Some(&folder));
            assert!(third.lacks().is_some() && third.kept_trouble().is_some());
            third.install(signed(&third).as_bytes()).unwrap();
            assert!(third.kept_trouble().is_none() && made(Some(&folder)).lacks().is_none());
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_expired_certificate_is_served_to_nobody_kept_or_not() {
        let folder = PathBuf::from(format!("/dev/shm/pointsman-tls-{}", fastrand::u64(..)));
        let clock = clock();
        let first = at(&clock, Some(&folder));
        let own = signed(&first);
        first.install(own.as_bytes()).unwrap();
        clock.advance_ms(90 * DAY_MS);
        assert_eq!((first.lacks(), shown(&first)), (None, true), "its last day");
        clock.advance_ms(DAY_MS);
        let second = at(&clock, Some(&folder));
        for expired in [&first, &second] {
            assert!(expired.lacks().unwrap().contains("expired") && !shown(expired));
            assert!(expired.kept_trouble().unwrap().contains("expired"));
        }
        assert!(second.install(own.as_bytes()).unwrap_err().contains("expired"));
        clock.set_wall_ms(NOW_MS);
        second.install(own.as_bytes()).unwrap();
        assert_eq!((second.lacks(), second.kept_trouble(), shown(&second)), (None, None, true));
        fs::remove_dir_all(folder).unwrap();
    }

    /// Whether a handshake would be answered with it.
    fn shown(certificate: &Certificate) -> bool {
        let roots = rustls::RootCertStore::empty();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "gateway.a.svc".try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = rustls::ServerConnection::new(certificate.config.clone()).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        server.read_tls(&mut &hello[..]).unwrap();
        server.process_new_packets().is_ok()
    }
}

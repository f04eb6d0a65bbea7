//! A gateway's certificate. Its key is made here and leaves the process for the pod's memory alone
//! (`kept`); the controller signs what it asks for, and every new connection takes the newest certificate.

mod kept;

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

use kept::Kept;

/// Key, certificate, and how connections are taken with them.
pub struct Certificate {
    key: Mutex<Option<KeyPair>>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    kept: Kept,
}

#[derive(Debug, Default)]
struct Current(ArcSwapOption<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("there", &self.is_there()).finish_non_exhaustive()
    }
}

impl Certificate {
    /// That of an earlier start, kept in this folder; without one handshakes fail until there is one.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new(folder: Option<&Path>) -> Result<Self, rustls::Error> {
        let current = Arc::new(Current::default());
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

    /// Whether there is a certificate.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.current.0.load().is_some()
    }

    /// Why the next start of this container will have to wait for the hub; `None`: it will not.
    #[must_use]
    pub fn kept_trouble(&self) -> Option<String> {
        self.kept.trouble()
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
    /// It is none, or of another key; the one before stays.
    pub fn install(&self, chain: &[u8]) -> Result<(), String> {
        let key = self.key.lock();
        let key = key.as_ref().ok_or_else(|| wrong(&"none was asked for"))?;
        self.serve_with(key, chain)?;
        self.kept.write(&key.serialize_pem(), chain);
        Ok(())
    }

    fn serve_with(&self, key: &KeyPair, chain: &[u8]) -> Result<(), String> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider);
        let certified = certified.map_err(|error| wrong(&error))?;
        self.current.0.store(Some(Arc::new(certified)));
        Ok(())
    }

    /// Goes on with what an earlier start kept; what cannot be used is as if it were not there.
    fn restore(&self) {
        let Some(found) = self.kept.read() else { return };
        let restored = PrivatePkcs8KeyDer::from_pem_slice(&found)
            .map_err(|error| wrong(&error))
            .and_then(|der| {
                KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
                    .map_err(|error| wrong(&error))
            })
            .and_then(|key| self.serve_with(&key, &found).map(|()| key));
        match restored {
            Ok(key) => *self.key.lock() = Some(key),
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

    use rcgen::Issuer;

    use super::*;

    fn made(folder: Option<&Path>) -> Certificate {
        Certificate::new(folder).unwrap()
    }

    fn signed(certificate: &Certificate) -> String {
        certificate.request().unwrap();
        let root = CertificateParams::new(vec!["root".to_owned()]).unwrap();
        let issuer = Issuer::new(root, KeyPair::generate().unwrap());
        let key = certificate.key.lock();
        let leaf = CertificateParams::new(vec!["gateway.a.svc".to_owned()]).unwrap();
        leaf.signed_by(key.as_ref().unwrap(), &issuer).unwrap().pem()
    }

    #[test]
    fn a_certificate_answers_its_own_request_and_no_other() {
        let (one, other) = (made(None), made(None));
        assert!(one.install(signed(&other).as_bytes()).is_err(), "nothing was asked for");
        let own = signed(&one);
        assert!(one.install(signed(&other).as_bytes()).is_err() && !one.is_there());
        one.install(own.as_bytes()).unwrap();
        assert!(one.is_there());
        assert!(one.install(b"garbage").is_err() && one.is_there(), "the one before stays");
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
        assert!(!first.is_there() && first.kept_trouble().is_none());
        let own = signed(&first);
        assert!(!folder.join("certificate.pem").exists(), "a key alone is worth nothing");
        first.install(own.as_bytes()).unwrap();
        let second = made(Some(&folder));
        assert!(second.is_there());
        second.install(own.as_bytes()).unwrap();
        for broken in [own.as_bytes(), b"garbage"] {
            fs::write(folder.join("certificate.pem"), broken).unwrap();
            let third = made(Some(&folder));
            assert!(!third.is_there() && third.kept_trouble().is_some());
            third.install(signed(&third).as_bytes()).unwrap();
            assert!(third.kept_trouble().is_none() && made(Some(&folder)).is_there());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

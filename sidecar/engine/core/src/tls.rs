//! A gateway's certificate. Its key is made here and never leaves; the controller signs what it asks
//! for, and every new connection takes the newest certificate.

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

/// Key, certificate, and how connections are taken with them.
pub struct Certificate {
    key: Mutex<Option<KeyPair>>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
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
    /// None yet: handshakes fail until there is one.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new() -> Result<Self, rustls::Error> {
        let current = Arc::new(Current::default());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { key: Mutex::default(), current, config: Arc::new(config) })
    }

    /// Whether there is a certificate.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.current.0.load().is_some()
    }

    /// A request for a certificate, PEM; who signs it knows the names. The key is the same for the
    /// process's life.
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
        let wrong = |error: &dyn std::fmt::Display| format!("no certificate of ours: {error}");
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&error))?;
        let key = self.key.lock();
        let key = key.as_ref().ok_or_else(|| wrong(&"none was asked for"))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider);
        let certified = certified.map_err(|error| wrong(&error))?;
        self.current.0.store(Some(Arc::new(certified)));
        Ok(())
    }

    /// Takes connections with the newest certificate.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::Issuer;

    use super::*;

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
        let (one, other) = (Certificate::new().unwrap(), Certificate::new().unwrap());
        assert!(one.install(signed(&other).as_bytes()).is_err(), "nothing was asked for");
        let own = signed(&one);
        assert!(one.install(signed(&other).as_bytes()).is_err() && !one.is_there());
        one.install(own.as_bytes()).unwrap();
        assert!(one.is_there());
        assert!(one.install(b"garbage").is_err() && one.is_there(), "the one before stays");
    }

    #[test]
    fn the_key_is_never_shown() {
        let one = Certificate::new().unwrap();
        let request = one.request().unwrap();
        assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        assert!(!format!("{one:?}").contains("key"), "I7");
    }
}

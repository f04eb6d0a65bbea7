//! TCP, an egress proxy's tunnel where the environment names one, and TLS with system roots.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::barred::is_barred;
use super::unreached::{of_handshake, of_lookup};
use super::{Origin, Trust, Unreached};
use crate::error::Hopeless;
use crate::limits;

/// Client TLS: the system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured), ALPN h2 and http/1.1;
/// for gateways the hub's own authority alone, read again where its file has changed.
#[derive(Clone)]
pub struct TlsRoots {
    system: Arc<ClientConfig>,
    hub: Option<PathBuf>,
    of_hub: Arc<Mutex<Option<FromFile>>>,
}

/// A file's content and the configuration that was made of it.
type FromFile = (Vec<u8>, Arc<ClientConfig>);

impl std::fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsRoots")
    }
}

impl TlsRoots {
    /// Loads the system's roots; `hub` is the PEM bundle of the hub's authority. Certificates that
    /// cannot be read are left out; a missing root shows as a failed handshake with its target's name.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn load(hub: Option<PathBuf>) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let system = Arc::new(trusting(roots)?);
        Ok(Self { system, hub, of_hub: Arc::default() })
    }

    fn of(&self, trust: Trust) -> Result<Arc<ClientConfig>, String> {
        match (trust, &self.hub) {
            (Trust::System | Trust::Node, _) => Ok(self.system.clone()),
            (Trust::Hub, Some(path)) => self.of_hub(path),
            (Trust::Hub, None) => Err("the hub's authority is not known".to_owned()),
        }
    }

    fn of_hub(&self, path: &Path) -> Result<Arc<ClientConfig>, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        let mut known = self.of_hub.lock();
        if let Some((_, config)) = known.as_ref().filter(|(read, _)| *read == pem) {
            return Ok(config.clone());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        let config = Arc::new(trusting(roots).map_err(|error| wrong(&error))?);
        *known = Some((pem, config.clone()));
        Ok(config)
    }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A connected byte stream and whether the peer chose HTTP/2.
pub(super) struct Connected {
    pub io: Box<dyn Stream>,
    pub http2: bool,
}

/// What hyper needs of a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Connects to `origin`. Errors are sentences without user data.
pub(super) async fn connect(
    origin: &Origin,
    roots: &TlsRoots,
    proxies: &Matcher,
) -> Result<Connected, Unreached> {
    let tcp = match proxy_for(origin, proxies) {
        Some((proxy, authorization)) => tunnel(origin, &proxy, authorization).await?,
        None if origin.trust == Trust::Node => dial(&origin.host, origin.port).await?,
        None => call(origin).await?,
    };
    if !origin.tls {
        return Ok(Connected { io: Box::new(tcp), http2: false });
    }
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|_| format!("`{}` is no TLS server name", origin.host))?;
    let tls = TlsConnector::from(roots.of(origin.trust)?)
        .connect(name, tcp)
        .await
        .map_err(|error| no_handshake(origin, &error))?;
    let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Connected { io: Box::new(tls), http2 })
}

/// A gateway's certificate is made anew, and its authority's bundle with it: that may be over in a moment.
fn no_handshake(origin: &Origin, error: &std::io::Error) -> Unreached {
    let why = format!("TLS with {}: {error}", origin.host);
    let hopeless = of_handshake(error).filter(|_| origin.trust != Trust::Hub);
    Unreached { why, hopeless }
}

/// Connects to a provider by the first of its addresses that answers. What a name leads to is looked at
/// here and nowhere before: it may lead elsewhere by now.
async fn call(origin: &Origin) -> Result<TcpStream, Unreached> {
    let Origin { host, port, trust, .. } = origin;
    let port = *port;
    let unknown = |error: std::io::Error| Unreached {
        why: format!("connect to {host}:{port}: {error}"),
        // A gateway's name comes with its gateway.
        hopeless: of_lookup(&error).filter(|_| *trust != Trust::Hub),
    };
    let mut trouble = format!("connect to {host}:{port}: no address");
    let (mut barred, mut open) = (false, false);
    for address in tokio::net::lookup_host((host.as_str(), port)).await.map_err(unknown)? {
        if is_barred(address.ip()) {
            trouble = format!("connect to {host}:{port}: no provider may be at {}", address.ip());
            barred = true;
            continue;
        }
        open = true;
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                tcp.set_nodelay(true).map_err(|error| format!("{host}: {error}"))?;
                return Ok(tcp);
            }
            Err(error) => trouble = format!("connect to {host}:{port}: {error}"),
        }
    }
    Err(Unreached { why: trouble, hopeless: (barred && !open).then_some(Hopeless::Barred) })
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, String> {
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("connect to {host}:{port}: {error}"))?;
    tcp.set_nodelay(true).map_err(|error| format!("{host}: {error}"))?;
    Ok(tcp)
}

type ProxyTarget = (Uri, Option<http::HeaderValue>);

fn proxy_for(origin: &Origin, proxies: &Matcher) -> Option<ProxyTarget> {
    if origin.trust != Trust::System {
        return None;
    }
    let scheme = if origin.tls { "https" } else { "http" };
    let host =
        if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
    let target: Uri = format!("{scheme}://{host}:{}/", origin.port).parse().ok()?;
    let intercept = proxies.intercept(&target)?;
    Some((intercept.uri().clone(), intercept.basic_auth().cloned()))
}

async fn tunnel(
    origin: &Origin,
    proxy: &Uri,
    authorization: Option<http::HeaderValue>,
) -> Result<TcpStream, String> {
    let host = proxy.host().ok_or("the egress proxy's URL names no host")?;
    let mut tcp = dial(host, proxy.port_u16().unwrap_or(3128)).await?;
    let target = format!("{}:{}", origin.host, origin.port);
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(authorization.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let failed = |error: std::io::Error| format!("egress proxy {host}: {error}");
    tcp.write_all(&head).await.map_err(failed)?;
    let mut answer = Vec::with_capacity(512);
    // One byte at a time: what follows the head belongs to the target.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= limits::TUNNEL_HEAD_BYTES {
            return Err(format!("egress proxy {host}: its answer has no end"));
        }
        answer.push(tcp.read_u8().await.map_err(failed)?);
    }
    let granted = answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200");
    if granted { Ok(tcp) } else { Err(format!("egress proxy {host} refused the tunnel")) }
}

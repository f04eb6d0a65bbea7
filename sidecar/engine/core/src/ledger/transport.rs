//! How a sync gets to the hub and back: one HTTP/1.1 connection, kept between syncs and made anew
//! when it is gone. A sync may be repeated at will, so a dead connection costs a try, not a failure.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::limits::{SYNC_ANSWER_BYTES, SYNC_TIMEOUT_MS};

const PATH: &str = "/v1/ledger/sync";

/// Why a sync failed. Names no token.
#[derive(Debug, Error)]
pub enum SyncError {
    /// The hub's address is none.
    #[error("the hub's address {0} is not http://host[:port] or https://host[:port]")]
    Address(String),
    /// A file that the connection needs.
    #[error("{path} cannot be read: {source}")]
    File {
        /// Token or CA bundle.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The token or the CA bundle holds something else.
    #[error("{path} {problem}")]
    Content {
        /// Token or CA bundle.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// No connection.
    #[error("the hub cannot be reached: {0}")]
    Connect(#[from] io::Error),
    /// TLS could not be set up.
    #[error("TLS to the hub: {0}")]
    Tls(#[from] rustls::Error),
    /// The connection broke.
    #[error("the connection to the hub broke: {0}")]
    Broken(#[from] hyper::Error),
    /// No answer in time.
    #[error("the hub did not answer within {SYNC_TIMEOUT_MS} ms")]
    Timeout,
    /// Another status than 200.
    #[error("the hub answered {0}")]
    Status(StatusCode),
    /// The body was too long or broke off.
    #[error("the hub's answer could not be read")]
    Body,
    /// Not an answer.
    #[error("the hub's answer is not understood: {0}")]
    Answer(String),
}

/// Carries one document to the ledger and its answer back.
pub trait Transport: Send + Sync {
    /// Posts a request's bytes and returns the answer's.
    fn post(&self, body: Bytes) -> impl Future<Output = Result<Bytes, SyncError>> + Send;
}

/// The hub over HTTP/1.1, in TLS where its address says so.
#[derive(Debug)]
pub struct HttpTransport {
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// As it was when the connection was made; read again for the next.
    authorization: Option<HeaderValue>,
}

impl HttpTransport {
    /// A transport to `url` (`http` or `https`, an optional path before `/v1`). The token and the CA
    /// bundle are read at each connect, so that rotated ones are taken up; without a bundle the
    /// system's roots are trusted.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(
        url: &str,
        token_file: Option<PathBuf>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, SyncError> {
        Self::to(PATH, url, token_file, ca_file)
    }

    /// As `new`, to another of the hub's paths.
    ///
    /// # Errors
    /// As `new`.
    pub fn to(
        path: &str,
        url: &str,
        token_file: Option<PathBuf>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, SyncError> {
        let wrong = || SyncError::Address(url.to_owned());
        let parts = url.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let known = |it: &Scheme| *it == Scheme::HTTP || *it == Scheme::HTTPS;
        let scheme = parts.scheme.filter(known).ok_or_else(wrong)?;
        let authority = parts.authority.ok_or_else(wrong)?;
        let prefix = parts.path_and_query.as_ref().map_or("", |it| it.path().trim_end_matches('/'));
        let path = format!("{prefix}{path}").parse().map_err(|_| wrong())?;
        let connection = Mutex::new(None);
        Ok(Self { scheme, authority, path, token_file, ca_file, connection })
    }

    async fn exchange(&self, body: Bytes) -> Result<Bytes, SyncError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.take() {
            match self.send(&mut kept, connection, body.clone()).await {
                // The hub has closed it meanwhile, or no longer takes its token: a new one decides.
                Err(SyncError::Broken(_) | SyncError::Status(StatusCode::UNAUTHORIZED)) => {}
                decided => return decided,
            }
        }
        let connection = self.connect().await?;
        self.send(&mut kept, connection, body).await
    }

    /// Sends on a connection and keeps it where it can serve again.
    async fn send(
        &self,
        kept: &mut Option<Connection>,
        mut connection: Connection,
        body: Bytes,
    ) -> Result<Bytes, SyncError> {
        connection.sender.ready().await?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.path.clone());
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(self.authority.as_str());
        headers.insert(HOST, host.map_err(|_| SyncError::Address(self.authority.to_string()))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &connection.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let answer = connection.sender.send_request(request).await?;
        let status = answer.status();
        if status != StatusCode::OK {
            // A refused token is read again with the next connection.
            return Err(SyncError::Status(status));
        }
        let body = Limited::new(answer.into_body(), SYNC_ANSWER_BYTES);
        let bytes = body.collect().await.map_err(|_| SyncError::Body)?.to_bytes();
        *kept = Some(connection);
        Ok(bytes)
    }

    async fn connect(&self) -> Result<Connection, SyncError> {
        let authorization = self.authorization().await?;
        let tls = self.scheme == Scheme::HTTPS;
        let port = self.authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = self.authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let sender = if tls {
            let name = ServerName::try_from(host.to_owned());
            let name = name.map_err(|_| SyncError::Address(self.authority.to_string()))?;
            let connector = TlsConnector::from(Arc::new(self.tls().await?));
            handshake(connector.connect(name, stream).await?).await?
        } else {
            handshake(stream).await?
        };
        Ok(Connection { sender, authorization })
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, SyncError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let read = tokio::fs::read_to_string(path).await;
        let token = read.map_err(|source| SyncError::File { path: path.clone(), source })?;
        let problem = "holds no token";
        let wrong = || SyncError::Content { path: path.clone(), problem };
        let token = Some(token.trim()).filter(|it| !it.is_empty()).ok_or_else(wrong)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn tls(&self) -> Result<ClientConfig, SyncError> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(path) => {
                let read = tokio::fs::read(path).await;
                let pem = read.map_err(|source| SyncError::File { path: path.clone(), source })?;
                let found = CertificateDer::pem_slice_iter(&pem).flatten();
                if roots.add_parsable_certificates(found).0 == 0 {
                    let problem = "holds no certificate";
                    return Err(SyncError::Content { path: path.clone(), problem });
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs().certs;
                roots.add_parsable_certificates(found);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Transport for HttpTransport {
    async fn post(&self, body: Bytes) -> Result<Bytes, SyncError> {
        let limit = Duration::from_millis(SYNC_TIMEOUT_MS);
        tokio::time::timeout(limit, self.exchange(body)).await.map_err(|_| SyncError::Timeout)?
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, SyncError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; what went wrong on it the sender is told as well.
    tokio::spawn(connection);
    Ok(sender)
}

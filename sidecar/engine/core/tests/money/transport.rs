//! The ledger's HTTP transport over real sockets: plain and TLS, tokens, dead connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pointsman_core::ledger::{HttpTransport, SyncError, Transport};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Echoes `path|authorization|body` while the token is the one it knows.
#[derive(Default)]
struct Hub {
    token: Mutex<String>,
    connections: AtomicUsize,
    /// Requests that a connection serves before it is closed; 0: all.
    per_connection: usize,
    status: Mutex<Option<StatusCode>>,
}

impl Hub {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let sent = request.headers().get("authorization").map(|it| it.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let known = format!("Bearer {}", self.token.lock());
        let status = match *self.status.lock() {
            Some(status) => status,
            None if sent.as_ref() == Some(&known) => StatusCode::OK,
            None => StatusCode::UNAUTHORIZED,
        };
        let text = format!("{path}|{}", String::from_utf8_lossy(&body));
        Response::builder().status(status).body(Full::from(text)).unwrap()
    }
}

async fn serve(hub: Arc<Hub>, tls: Option<TlsAcceptor>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            hub.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve_one(hub.clone(), tls.clone(), stream));
        }
    });
    port
}

async fn serve_one(hub: Arc<Hub>, tls: Option<TlsAcceptor>, stream: TcpStream) {
    let left = Arc::new(AtomicUsize::new(hub.per_connection));
    let service = service_fn(move |request| {
        let (hub, left) = (hub.clone(), left.clone());
        async move {
            let mut answer = hub.answer(request).await;
            if hub.per_connection > 0 && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                answer.headers_mut().insert("connection", "close".parse().unwrap());
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let http = hyper::server::conn::http1::Builder::new();
    let _client_left = match tls {
        Some(tls) => {
            let Ok(stream) = tls.accept(stream).await else { return };
            http.serve_connection(TokioIo::new(stream), service).await
        }
        None => http.serve_connection(TokioIo::new(stream), service).await,
    };
}

fn file(name: &str, content: &str) -> PathBuf {
    let name = format!("{}-{name}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn hub(token: &str) -> Arc<Hub> {
    Arc::new(Hub { token: Mutex::new(token.to_owned()), ..Hub::default() })
}

#[tokio::test]
async fn syncs_share_a_connection_and_carry_the_token() {
    let hub = hub("one");
    let port = serve(hub.clone(), None).await;
    let token = file("token-a", "one\n");
    let url = format!("http://127.0.0.1:{port}/prefix/");
    let transport = HttpTransport::new(&url, Some(token), None).unwrap();
    for _ in 0..3 {
        let answer = transport.post(Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(answer, "/prefix/v1/ledger/sync|{}");
    }
    assert_eq!(hub.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_rotated_token_is_taken_up_within_one_sync() {
    let hub = hub("old");
    let port = serve(hub.clone(), None).await;
    let token = file("token-b", "old");
    let url = format!("http://127.0.0.1:{port}");
    let transport = HttpTransport::new(&url, Some(token.clone()), None).unwrap();
    transport.post(Bytes::new()).await.unwrap();
    *hub.token.lock() = "new".to_owned();
    let refused = transport.post(Bytes::new()).await.unwrap_err();
    assert!(matches!(refused, SyncError::Status(StatusCode::UNAUTHORIZED)));
    assert!(!format!("{refused} {refused:?}").contains("old"), "no token in errors");
    transport.post(Bytes::new()).await.unwrap_err();
    std::fs::write(&token, "new").unwrap();
    transport.post(Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_hub_closes_costs_no_sync() {
    let hub = Arc::new(Hub { per_connection: 2, ..Hub::default() });
    let port = serve(hub.clone(), None).await;
    *hub.status.lock() = Some(StatusCode::OK);
    let transport = HttpTransport::new(&format!("http://127.0.0.1:{port}"), None, None).unwrap();
    for _ in 0..6 {
        transport.post(Bytes::new()).await.unwrap();
    }
    assert_eq!(hub.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn tls_trusts_the_given_authority_and_no_other() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let hub = hub("t");
    let port = serve(hub, Some(TlsAcceptor::from(Arc::new(config)))).await;
    let url = format!("https://localhost:{port}");
    let token = Some(file("token-c", "t"));
    let ca = file("ca.pem", &made.cert.pem());
    let trusted = HttpTransport::new(&url, token.clone(), Some(ca)).unwrap();
    assert_eq!(trusted.post(Bytes::new()).await.unwrap(), "/v1/ledger/sync|");
    for wrong in [Some(file("other.pem", &other.cert.pem())), None] {
        let refused = HttpTransport::new(&url, token.clone(), wrong).unwrap();
        assert!(matches!(refused.post(Bytes::new()).await, Err(SyncError::Connect(_))));
    }
    let empty = Some(file("empty.pem", "nothing"));
    let refused = HttpTransport::new(&url, token, empty).unwrap().post(Bytes::new()).await;
    assert!(refused.unwrap_err().to_string().contains("holds no certificate"));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for url in ["", "hub", "ftp://hub", "http://"] {
        assert!(matches!(HttpTransport::new(url, None, None), Err(SyncError::Address(_))), "{url}");
    }
    let gone = PathBuf::from("/nowhere/token");
    let transport = HttpTransport::new("http://127.0.0.1:1", Some(gone), None).unwrap();
    let error = transport.post(Bytes::new()).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/token"), "{error}");
    let empty = Some(file("token-d", " \n"));
    let transport = HttpTransport::new("http://127.0.0.1:1", empty, None).unwrap();
    assert!(transport.post(Bytes::new()).await.unwrap_err().to_string().contains("holds no token"));
    let transport = HttpTransport::new("http://127.0.0.1:1", None, None).unwrap();
    assert!(matches!(transport.post(Bytes::new()).await, Err(SyncError::Connect(_))));
}

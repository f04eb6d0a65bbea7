//! The provider over TLS, HTTP/2 by ALPN.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::driver::{Provider, eventually, folder, provider};
use crate::surfaces::surfaces;

async fn connect(provider: &Provider, certificate: &[u8]) -> SendRequest<Full<Bytes>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate).unwrap()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(&provider.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(action: &str) -> http::Request<Full<Bytes>> {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    http::Request::post("https://localhost/v1/chat/completions")
        .header("x-sim-do", action)
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

/// Every provider streams over HTTP/2, and is cut there.
#[tokio::test]
async fn every_surface_streams_over_http2() {
    let certificate = folder().join("ca.pem");
    let provider = provider(&json!({"tls": {"certOut": certificate}}));
    let mut sender = connect(&provider, &fs::read(&certificate).unwrap()).await;
    for surface in surfaces() {
        for (action, whole) in [(r#"{"text":"hello"}"#, true), (r#"{"cutAtEvent":1}"#, false)] {
            let request = http::Request::post(format!("https://localhost{}", surface.streamed))
                .header("x-sim-do", action)
                .header("authorization", "Bearer k")
                .header("anthropic-version", "2026-10-21")
                .body(Full::new(Bytes::from(surface.stream_body().to_string())))
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 200, "{}", surface.streamed);
            assert_eq!(answer.into_body().collect().await.is_ok(), whole, "{}", surface.streamed);
        }
    }
    fs::remove_dir_all(certificate.parent().unwrap()).unwrap();
}

/// A healthy stream ends, a reset one is an error of its stream alone, and a dropped one is
/// noticed as cancelled.
#[tokio::test]
async fn streams_over_http2() {
    let certificate = folder().join("ca.pem");
    let provider = provider(&json!({"tls": {"certOut": certificate}}));
    let mut sender = connect(&provider, &fs::read(&certificate).unwrap()).await;
    let whole = sender.send_request(request(r#"{"text":"hello"}"#)).await.unwrap();
    assert_eq!(whole.version(), http::Version::HTTP_2);
    let body = whole.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    let cut = sender.send_request(request(r#"{"cutAtEvent":2}"#)).await.unwrap();
    assert!(cut.into_body().collect().await.is_err());
    let ended = sender.send_request(request(r#"{"cutAtEvent":2,"cut":"eof"}"#)).await.unwrap();
    let body = ended.into_body().collect().await.unwrap().to_bytes();
    assert!(!body.ends_with(b"[DONE]\n\n"));
    let stalled = sender.send_request(request(r#"{"stallAtEvent":2}"#)).await.unwrap();
    drop(stalled);
    tokio::task::spawn_blocking(move || {
        eventually("the cancellation", || (provider.stats()["cancelled"] == 1).then_some(()));
    })
    .await
    .unwrap();
    fs::remove_dir_all(certificate.parent().unwrap()).unwrap();
}

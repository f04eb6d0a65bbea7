//! The control port beside a simulator's data port: plain HTTP/1.1 that answers whatever the other does.

use std::error::Error;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers each request by `answer`, until the listener fails.
pub(crate) async fn serve<B>(
    listener: TcpListener,
    answer: impl Fn(&Parts, &Bytes) -> Response<B> + Clone + Send + 'static,
) where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    while let Ok((socket, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    Ok::<_, hyper::Error>(answer(&head, &body))
                }
            });
            let io = TokioIo::new(socket);
            let _gone =
                hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

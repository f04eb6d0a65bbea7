//! The bench's origin: reads a whole request, sends a canned answer. HTTP/1.1 is spoken by hand,
//! because load client and origin share one core and must cost less than the proxy between them;
//! TLS connections (for the HTTP/2 row) go through hyper.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::canned::{self, Events};
use super::message::{self, Message};
use crate::{Failure, output, runtime, tls};

/// Documents that differ, so that a mixed-up answer cannot hide.
const VARIANTS: u32 = 16;

/// A stream request's member that names its own number of content events and the milliseconds
/// between them: `"bench_stream":[100,50]`. One origin serves every row with it.
const PACE: &[u8] = br#""bench_stream":["#;

/// Only requests in Anthropic's format have their instructions beside the turns.
const INSTRUCTIONS: &[u8] = br#""system":"#;

/// Command line of the origin.
#[derive(Args)]
pub(crate) struct Options {
    /// Address to serve on
    #[arg(long)]
    listen: String,
    /// Bytes of an answer's content
    #[arg(long, default_value_t = 700)]
    bytes: usize,
    /// Content events of a stream, where the request does not say (`"bench_stream":[N,MS]`)
    #[arg(long, default_value_t = 100)]
    stream_chunks: usize,
    /// Milliseconds between two content events; 0: as fast as the socket takes them
    #[arg(long, default_value_t = 0)]
    chunk_interval_ms: u64,
    /// Serve TLS (HTTP/2 by ALPN) and write the certificate here
    #[arg(long)]
    tls_certificate: Option<PathBuf>,
}

struct Origin {
    documents: Vec<Bytes>,
    /// The same in Anthropic's format.
    messages: Vec<Bytes>,
    /// Content events and the time between them, by default.
    pace: (usize, Duration),
}

/// Serves until the process is killed.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let origin = Rc::new(Origin {
        documents: (0..VARIANTS).map(|variant| canned::document(options.bytes, variant)).collect(),
        messages: (0..VARIANTS).map(|variant| canned::message(options.bytes, variant)).collect(),
        pace: (options.stream_chunks, Duration::from_millis(options.chunk_interval_ms)),
    });
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime()?, async move {
        let acceptor = options.tls_certificate.map(|path| tls::acceptor(&path)).transpose()?;
        let listener = TcpListener::bind(&options.listen).await?;
        output::say(&listener.local_addr()?.to_string());
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let origin = Rc::clone(&origin);
            match acceptor.clone() {
                None => tokio::task::spawn_local(async move {
                    // A proxy that closes its connection ends the loop; nothing to report.
                    let _closed = plain(socket, &origin).await;
                }),
                Some(acceptor) => tokio::task::spawn_local(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        let service = service_fn(move |request| http2(Rc::clone(&origin), request));
                        let _closed = hyper::server::conn::http2::Builder::new(LocalExecutor)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                }),
            };
        }
    })
}

/// Runs hyper's HTTP/2 tasks on the same thread.
#[derive(Clone)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor
where
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

async fn http2(
    origin: Rc<Origin>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = http::Response::new(Full::new(pick(&origin.documents, body.len()).clone()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    Ok(response)
}

/// A document that depends on the request only.
fn pick(documents: &[Bytes], length: usize) -> &Bytes {
    &documents[length % documents.len()]
}

/// One HTTP/1.1 connection.
async fn plain(mut socket: TcpStream, origin: &Origin) -> std::io::Result<()> {
    let answers: Vec<Bytes> = origin.documents.iter().map(|body| with_head(body)).collect();
    let messages: Vec<Bytes> = origin.messages.iter().map(|body| with_head(body)).collect();
    let instructions = memchr::memmem::Finder::new(INSTRUCTIONS);
    let streaming = memchr::memmem::Finder::new(br#""stream":true"#);
    let usage = memchr::memmem::Finder::new(br#""include_usage":true"#);
    let mut message = Message::new();
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        while !message.read(&mut buffer).map_err(|_bad| std::io::ErrorKind::InvalidData)? {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body = message.body();
        if streaming.find(body).is_some() {
            let (chunks, interval) = pace(body).unwrap_or(origin.pace);
            let events = canned::events(usage.find(body).is_some(), chunks);
            stream(&mut socket, chunks, interval, &events).await?;
        } else {
            let translated = instructions.find(body).is_some();
            let known = if translated { &messages } else { &answers };
            socket.write_all(pick(known, body.len())).await?;
        }
    }
}

/// What the request says about its stream.
fn pace(body: &[u8]) -> Option<(usize, Duration)> {
    let rest = &body[memchr::memmem::find(body, PACE)? + PACE.len()..];
    let end = rest.iter().position(|byte| *byte == b']')?;
    let (chunks, interval_ms) = std::str::from_utf8(&rest[..end]).ok()?.split_once(',')?;
    Some((chunks.parse().ok()?, Duration::from_millis(interval_ms.parse().ok()?)))
}

async fn stream(
    socket: &mut TcpStream,
    chunks: usize,
    interval: Duration,
    events: &Events,
) -> std::io::Result<()> {
    let content = message::chunk(&events.content);
    let mut first = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    first.extend_from_slice(&message::chunk(&events.role));
    first.extend_from_slice(&content);
    socket.write_all(&first).await?;
    let period = interval.max(Duration::from_nanos(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 1..chunks {
        if !interval.is_zero() {
            ticks.tick().await;
        }
        socket.write_all(&content).await?;
    }
    let mut end = message::chunk(&events.end);
    end.extend_from_slice(b"0\r\n\r\n");
    socket.write_all(&end).await
}

fn with_head(body: &[u8]) -> Bytes {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

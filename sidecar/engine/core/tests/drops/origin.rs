//! A provider that hesitates before everything it sends and counts the calls that it has open.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What goes wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Every other request gets a 500.
    EveryOther,
    /// Every other stream ends before its end.
    EveryOtherCut,
}

/// The provider.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// Calls whose answer is not sent to its end.
    pub(crate) open: Rc<Cell<usize>>,
    fault: Fault,
    requests: Rc<Cell<usize>>,
}

impl Origin {
    pub(crate) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Self { address, open: Rc::default(), fault, requests: Rc::default() };
        let serving = origin.clone();
        tokio::task::spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let origin = serving.clone();
                let service = service_fn(move |request| answer(origin.clone(), request));
                let io = TokioIo::new(socket);
                tokio::task::spawn_local(async move {
                    drop(http1::Builder::new().serve_connection(io, service).await);
                });
            }
        });
        origin
    }
}

async fn answer(
    origin: Origin,
    request: Request<Incoming>,
) -> Result<Response<Dribble>, Infallible> {
    let open = Open::count(&origin.open);
    let asked = request.into_body().collect().await.unwrap_or_default().to_bytes();
    tokio::task::yield_now().await;
    origin.requests.set(origin.requests.get() + 1);
    let first = origin.requests.get() % 2 == 1;
    let failing = origin.fault == Fault::EveryOther && first;
    let (status, kind, text) = if failing {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "application/json",
            "{\"error\":{\"message\":\"x\"}}".to_owned(),
        )
    } else if memchr::memmem::find(&asked, b"\"stream\":true").is_some() {
        let (whole, cut) = (stream(), origin.fault == Fault::EveryOtherCut && first);
        let end = if cut { whole.rfind("data: {").unwrap_or_default() } else { whole.len() };
        (StatusCode::OK, "text/event-stream", whole[..end].to_owned())
    } else {
        (StatusCode::OK, "application/json", plain())
    };
    let pieces = text.as_bytes().chunks(40).map(Bytes::copy_from_slice).collect();
    let mut response = Response::new(Dribble { pieces, hesitating: true, _open: open });
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", kind.parse().unwrap());
    Ok(response)
}

fn plain() -> String {
    let usage = "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}";
    let message = "\"message\":{\"role\":\"assistant\",\"content\":\"hi\"}";
    format!(
        "{{\"id\":\"c\",\"choices\":[{{\"index\":0,{message},\"finish_reason\":\"stop\"}}],{usage}}}"
    )
}

fn stream() -> String {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let hi = chunk("{\"content\":\"hi\"}", "null");
    format!("{hi}{hi}{hi}{}data: [DONE]\n\n", chunk("{}", "\"stop\""))
}

#[derive(Debug)]
struct Open(Rc<Cell<usize>>);

impl Open {
    fn count(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A body in pieces, with a pause before each.
#[derive(Debug)]
struct Dribble {
    pieces: VecDeque<Bytes>,
    hesitating: bool,
    _open: Open,
}

impl Body for Dribble {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.hesitating = !self.hesitating;
        if self.hesitating {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

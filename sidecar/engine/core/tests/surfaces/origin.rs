//! A provider that answers what it is told to, byte for byte, and keeps what it was asked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer; `whole: false` breaks off without the body's end.
#[derive(Debug, Clone)]
pub(crate) struct Says {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
    /// More headers, each ending in CRLF.
    pub(crate) more: String,
    /// After so many bytes it waits until the caller has read them.
    pub(crate) pause_at: usize,
}

impl Says {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let kind = "application/json";
        Self { status, kind, body, whole: true, more: String::new(), pause_at: 0 }
    }

    pub(crate) fn stream(kind: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, kind, body, whole: true, more: String::new(), pause_at: 0 }
    }

    pub(crate) fn events(body: impl Into<Vec<u8>>) -> Self {
        Self::stream("text/event-stream", body.into())
    }
}

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The provider.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    says: Rc<RefCell<VecDeque<Says>>>,
    heard: Rc<RefCell<Vec<Heard>>>,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Self { address, says: Rc::default(), heard: Rc::default() };
        let serving = origin.clone();
        tokio::task::spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let origin = serving.clone();
                tokio::task::spawn_local(async move { origin.serve(socket).await });
            }
        });
        origin
    }

    pub(crate) fn say(&self, says: Says) {
        self.says.borrow_mut().push_back(says);
    }

    /// The only request since the last look.
    pub(crate) fn asked(&self) -> Heard {
        let mut heard = self.heard.borrow_mut();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.remove(0)
    }

    pub(crate) fn was_asked(&self) -> usize {
        self.heard.borrow().len()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut got = Vec::new();
        let (head, body) = loop {
            let mut piece = [0; 4096];
            let length = socket.read(&mut piece).await.unwrap();
            got.extend_from_slice(&piece[..length]);
            if length == 0 {
                return; // a connection that was opened for nothing
            }
            let Some(end) = got.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(got[..end].to_vec()).unwrap();
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length = length.map_or("0", |rest| rest.split("\r\n").next().unwrap());
            let length: usize = length.parse().unwrap();
            if got.len() >= end + 4 + length {
                break (head, got[end + 4..].to_vec());
            }
        };
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        // What is no JSON is kept as a text.
        let text = || Value::String(String::from_utf8(body.clone()).unwrap());
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        self.heard.borrow_mut().push(Heard { line, headers: headers.collect(), body });
        let says = self.says.borrow_mut().pop_front().expect("nothing to say");
        let length = says.body.len() + if says.whole { 0 } else { 10 };
        let head = format!(
            "HTTP/1.1 {} X\r\ncontent-type: {}\r\n{}content-length: {length}\r\nconnection: close\r\n\r\n",
            says.status, says.kind, says.more
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let (first, rest) = says.body.split_at(says.pause_at);
        socket.write_all(first).await.unwrap();
        if !first.is_empty() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        socket.write_all(rest).await.unwrap();
        socket.flush().await.unwrap();
    }
}

//! An engine whose models are at scripted providers, and a caller that reads raw HTTP.

use std::rc::Rc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pointsman_core::engine::Engine;
use pointsman_core::handle::{Worker, handle};
use pointsman_core::upstream::TlsRoots;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

use super::origin::Origin;

/// Runs one test on a thread of its own runtime.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

/// A model of this provider type at an origin; its key is `sk-TYPE`.
pub(crate) fn model(kind: &str, origin: &Origin) -> Value {
    json!({
        "name": format!("main/{}", kind.to_lowercase()),
        "pool": {"namespace": "demo", "name": "main"},
        "provider": {
            "type": kind, "label": kind.to_lowercase(), "model": format!("{kind}-upstream"),
            "baseURL": format!("http://{}/v1", origin.address),
            "credential": {"secret": kind, "key": "api-key"}, "allowedHosts": ["127.0.0.1"],
        },
        "pricing": {"input": 1_000, "cachedInput": 100, "output": 5_000},
        "capabilities": ["chat", "tools", "vision", "json"],
        "contextWindow": 100_000, "maxOutputTokens": 8_000,
    })
}

/// A table of one rule that tries these models in their order, with more members of its route.
pub(crate) fn table(models: &[Value], route: &Value) -> Value {
    let names = models.iter().enumerate();
    let candidates: Vec<Value> =
        names.map(|(place, model)| json!({"model": model["name"], "priority": place})).collect();
    let mut rule = json!({
        "strategy": "Failover", "candidates": candidates,
        "retries": {"maxAttempts": 3, "budgetPercent": 0, "minPerSecond": 0},
    });
    rule.as_object_mut().unwrap().extend(route.as_object().unwrap().clone());
    json!({
        "version": 1, "minReader": 3, "policy": {"namespace": "demo", "name": "p"},
        "models": models, "default": {"action": "Deny"},
        "rules": [{"name": "all", "route": rule}],
    })
}

/// The engine under test.
pub(crate) struct World {
    pub(crate) engine: Engine,
    worker: Rc<Worker>,
    _secrets: Folder,
}

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl World {
    /// One rule that tries these models in their order.
    pub(crate) fn new(models: &[Value]) -> Self {
        Self::with(models, &json!({}))
    }

    /// The same with more members of the route.
    pub(crate) fn with(models: &[Value], route: &Value) -> Self {
        let folder = format!("pointsman-surfaces-{}-{}", std::process::id(), fastrand::u64(..));
        let secrets = Folder(std::env::temp_dir().join(folder));
        for model in models {
            let kind = model["provider"]["type"].as_str().unwrap();
            std::fs::create_dir_all(secrets.0.join(kind)).unwrap();
            std::fs::write(secrets.0.join(kind).join("api-key"), format!("sk-{kind}")).unwrap();
        }
        let free = json!({"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"});
        let config = json!({
            "data": {"address": "127.0.0.1:0"}, "admin": free, "secretsDir": secrets.0,
        });
        let engine = Engine::new(config.to_string().as_bytes()).unwrap();
        engine.load(table(models, route).to_string().as_bytes()).unwrap();
        let worker = Worker::new(engine.shared().clone(), TlsRoots::load(None).unwrap());
        Self { engine, worker: Rc::new(worker), _secrets: secrets }
    }

    /// Posts a document.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(path, "", body).await
    }

    /// The same with more headers, each ending in CRLF.
    pub(crate) async fn send(&self, path: &str, headers: &str, body: &Value) -> Answer {
        let headers = format!("authorization: Bearer app\r\nx-api-key: app\r\n{headers}");
        self.request("POST", path, &headers, body.to_string().as_bytes()).await
    }

    /// Any request.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        let (mut caller, callee) = tokio::io::duplex(1 << 20);
        let worker = self.worker.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let worker = worker.clone();
            async move { Ok::<_, std::convert::Infallible>(handle(worker, request).await) }
        });
        let served = tokio::task::spawn_local(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(callee), service).await);
        });
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-length: {}\r\n\r\n",
            body.len()
        );
        caller.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), caller.read_to_end(&mut answer));
        read.await.unwrap().unwrap();
        served.await.unwrap();
        Answer::read(&answer)
    }

    /// The only record since the last look.
    pub(crate) async fn record(&self) -> Value {
        for _ in 0..1_000 {
            let records: Vec<Value> =
                serde_json::from_str(&self.engine.shared().records.drain()).unwrap();
            if let Some(record) = records.into_iter().next() {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no record");
    }
}

/// An answer as its bytes say it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The body's own end came.
    pub(crate) whole: bool,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let (body, whole) = if chunked { unchunked(rest) } else { (rest.to_vec(), true) };
        Self { status, headers, body: String::from_utf8(body).unwrap(), whole }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Name and data of its events; `[DONE]` is a text.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let event = |text: &str| {
            let field = |name: &str| {
                let lines = text.lines().filter_map(|line| Some(line.strip_prefix(name)?.trim()));
                lines.collect::<Vec<_>>().join("\n")
            };
            let data = field("data:");
            let value = serde_json::from_str(&data).unwrap_or(Value::String(data));
            (field("event:"), value)
        };
        self.body
            .replace("\r\n", "\n")
            .split("\n\n")
            .filter(|text| !text.trim().is_empty())
            .map(event)
            .collect()
    }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|it| it == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

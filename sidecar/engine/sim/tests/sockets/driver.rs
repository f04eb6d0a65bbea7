//! Drives the real binary over real sockets: starts a provider, speaks HTTP/1.1 by hand, so that
//! a test sees exactly how an answer ended.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for anything in a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A running provider in a folder of its own; both are gone when it is dropped.
pub(crate) struct Provider {
    child: Child,
    pub(crate) folder: PathBuf,
    pub(crate) address: String,
    pub(crate) control: String,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    Eof,
    Reset,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The name and JSON of each event.
    pub(crate) fn named(&self) -> Vec<(String, Value)> {
        let text = String::from_utf8(self.body.clone()).unwrap().replace("\r\n", "\n");
        let events = text.split("\n\n").filter(|event| event.contains("data: "));
        events
            .map(|event| {
                let line = |start: &str| event.lines().find_map(|line| line.strip_prefix(start));
                let data = serde_json::from_str(line("data: ").unwrap()).unwrap();
                (line("event: ").unwrap_or_default().to_owned(), data)
            })
            .collect()
    }

    /// The data of each event.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8(self.body.clone()).unwrap().replace("\r\n", "\n");
        text.split("\n\n")
            .filter_map(|event| event.rsplit_once("data: ").map(|(_, data)| data.to_owned()))
            .collect()
    }
}

/// A new, empty folder.
pub(crate) fn folder() -> PathBuf {
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("pointsman-sim-{}-{number}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// Starts a provider; `extra` is merged into a configuration that bills and captures.
pub(crate) fn provider(extra: &Value) -> Provider {
    let folder = folder();
    let announce = folder.join("announce.json");
    let mut config = json!({
        "listen": "127.0.0.1:0", "announce": announce, "bill": folder.join("bill.jsonl"),
        "capture": folder.join("captured"), "seed": 1,
        "prices": {"m": {"input": 100, "cachedInput": 50, "cacheWrite": 125, "cacheWriteLong": 200,
            "output": 1000}},
    });
    for (name, value) in extra.as_object().unwrap() {
        config[name] = value.clone();
    }
    start("provider", folder, &config)
}

/// Starts a simulated engine with `config`, to which the addresses are added.
pub(crate) fn engine(config: &Value) -> Provider {
    let folder = folder();
    let mut config = config.clone();
    config["listen"] = "127.0.0.1:0".into();
    config["announce"] = folder.join("announce.json").to_str().unwrap().into();
    start("engine", folder, &config)
}

/// Starts the binary and waits until it says where it serves.
fn start(command: &str, folder: PathBuf, config: &Value) -> Provider {
    let path = folder.join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_pointsman-sim"))
        .args([command, "--config"])
        .arg(path)
        .spawn()
        .unwrap();
    let announce = folder.join("announce.json");
    let text = eventually("an announcement", || fs::read_to_string(&announce).ok());
    let announced: Value = serde_json::from_str(&text).unwrap();
    let field = |name: &str| announced[name].as_str().unwrap().to_owned();
    Provider { child, folder, address: field("address"), control: field("control") }
}

impl Provider {
    /// Sends a chat request and reads the answer.
    pub(crate) fn chat(&self, action: &Value, extra: &Value) -> Answer {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi there"}]});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        let action = format!("x-sim-do: {action}\r\n");
        receive(&mut self.send("/v1/chat/completions", &action, &body.to_string()))
    }

    /// Sends `body` to `path` under the script's `action` and reads the answer.
    pub(crate) fn ask(&self, path: &str, headers: &str, action: &Value, body: &Value) -> Answer {
        let headers = format!("{headers}x-sim-do: {action}\r\n");
        receive(&mut self.send(path, &headers, &body.to_string()))
    }

    /// Sends a POST and returns the connection.
    pub(crate) fn send(&self, path: &str, headers: &str, body: &str) -> TcpStream {
        post(&self.address, path, headers, body)
    }

    /// The counters.
    pub(crate) fn stats(&self) -> Value {
        let mut socket = connect(&self.control);
        socket.write_all(b"GET /_sim/stats HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        receive(&mut socket).json()
    }

    /// The bill's lines.
    pub(crate) fn bill(&self) -> Vec<Value> {
        lines(&self.folder.join("bill.jsonl"))
    }

    /// Kills the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// The JSON lines of a file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Connects with a time limit on reads.
pub(crate) fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends a POST to `address` and returns the connection.
pub(crate) fn post(address: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut socket = connect(address);
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n");
    socket.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    socket
}

/// Reads one answer to its end, whatever that is.
pub(crate) fn receive(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        if let Some(answer) = parse(&bytes, None) {
            return answer;
        }
        let end = match socket.read(&mut piece) {
            Ok(0) => End::Eof,
            Ok(read) => {
                bytes.extend_from_slice(&piece[..read]);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("{error}, after {}", String::from_utf8_lossy(&bytes)),
        };
        let none = Answer { status: 0, head: String::new(), body: bytes.clone(), end };
        return parse(&bytes, Some(end)).unwrap_or(none);
    }
}

/// The answer in `bytes`, if it is whole or the connection has ended.
fn parse(bytes: &[u8], end: Option<End>) -> Option<Answer> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap().to_lowercase();
    let rest = &bytes[at + 4..];
    let status = head[9..12].parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let (body, whole) = match length {
        Some(length) => (rest.to_vec(), rest.len() >= length.parse().unwrap()),
        None => unchunk(rest),
    };
    let end = if whole { End::Whole } else { end? };
    Some(Answer { status, head, body, end })
}

/// The content of a chunked body and whether its last chunk came.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let digits = std::str::from_utf8(&rest[..at]).unwrap();
        let size = usize::from_str_radix(digits, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let content = &rest[at + 2..];
        body.extend_from_slice(&content[..size.min(content.len())]);
        let Some(next) = content.get(size + 2..) else { break };
        rest = next;
    }
    (body, false)
}

/// `base` with the members of `extra` in place of its own; null removes one.
pub(crate) fn merged(base: &Value, extra: &Value) -> Value {
    let mut made = base.clone();
    for (name, value) in extra.as_object().unwrap() {
        match value {
            Value::Null => drop(made.as_object_mut().unwrap().remove(name)),
            value => made[name] = value.clone(),
        }
    }
    made
}

/// Waits until `probe` finds something.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} never came");
        std::thread::yield_now();
    }
}

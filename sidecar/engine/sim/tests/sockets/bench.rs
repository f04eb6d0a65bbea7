//! The bench's parts together: load -> proxy -> origin.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::driver::folder;

/// Content events that the bodies ask for.
const EVENTS: usize = 10;

/// A part of the bench that prints its address; killed when dropped.
struct Part {
    child: Child,
    address: String,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn part(arguments: &[&str]) -> Part {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pointsman-sim"))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    Part { child, address: address.trim().to_owned() }
}

fn load(address: &str, stream: bool, arguments: &[&str]) -> Value {
    let folder = folder();
    let bodies = folder.join("bodies.jsonl");
    let lines: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"stream":{stream},"bench_stream":[{EVENTS},0],"messages":[{{"role":"user","content":"{n}"}}]}}"#))
        .collect();
    fs::write(&bodies, lines.join("\n")).unwrap();
    let samples = folder.join("samples");
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman-sim"))
        .args(["load", "--target", &format!("http://{address}/v1/chat/completions"), "--check"])
        .args(["--duration-s", "0.5", "--warmup-s", "0.1", "--bodies"])
        .arg(&bodies)
        .arg("--samples")
        .arg(&samples)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["begin", "end"], "{}", String::from_utf8_lossy(&output.stderr));
    let line: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(fs::metadata(&samples).unwrap().len(), line["requests"].as_u64().unwrap() * 8);
    fs::remove_dir_all(folder).unwrap();
    line
}

/// Every answer passes the proxy unchanged, in the closed and in the open loop.
#[test]
fn the_proxy_changes_nothing() {
    let origin = part(&["origin", "--listen", "127.0.0.1:0"]);
    let proxy = part(&["proxy", "--listen", "127.0.0.1:0", "--upstream", &origin.address]);
    let closed = load(&proxy.address, false, &["--connections", "4"]);
    assert_eq!(closed["errors"], 0, "{closed}");
    assert!(closed["requests"].as_u64().unwrap() > 50, "{closed}");
    let open = load(&proxy.address, false, &["--connections", "4", "--rate", "200"]);
    assert_eq!(open["errors"], 0, "{open}");
    assert!((80..=110).contains(&open["requests"].as_u64().unwrap()), "{open}");
}

/// Streams are checked to their `[DONE]`, and their chunks counted.
#[test]
fn streams_are_checked() {
    let origin = part(&["origin", "--listen", "127.0.0.1:0"]);
    let proxy = part(&["proxy", "--listen", "127.0.0.1:0", "--upstream", &origin.address]);
    let right = load(&proxy.address, true, &["--stream", "--stream-chunks", "10"]);
    assert_eq!(right["errors"], 0, "{right}");
    assert!(right["chunks"].as_u64().unwrap() >= 10, "{right}");
    let wrong = load(&proxy.address, true, &["--stream", "--stream-chunks", "11"]);
    assert_eq!(wrong["requests"], 0, "{wrong}");
    assert!(wrong["first_error"].as_str().unwrap().contains("10 of 11 events"), "{wrong}");
}

/// A proxy whose origin is gone makes errors, not silence.
#[test]
fn a_dead_origin_is_an_error() {
    let origin = part(&["origin", "--listen", "127.0.0.1:0"]);
    let address = origin.address.clone();
    let proxy = part(&["proxy", "--listen", "127.0.0.1:0", "--upstream", &address]);
    drop(origin);
    let line = load(&proxy.address, false, &[]);
    assert_eq!(line["requests"], 0);
    assert!(line["errors"].as_u64().unwrap() > 0);
}

//! A panic on a request's path: that request gets a 500 in OpenAI's shape or, once its answer has begun, a
//! cut; its reservation is settled, its slot free, one record is left, a counter tells. The next one is
//! served. The clock panics at its first reading of a call, its second, and so on to the last.

#![cfg(test)]

mod clock;
#[path = "../drops/origin.rs"]
mod origin;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::config::Config;
use pointsman_core::engine::{Engine, Shared};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use clock::FaultyClock;
use origin::{Fault, Origin};

/// More readings than any of these calls makes.
const MOST_READINGS: i64 = 500;

fn engine(origin: &Origin, clock: &Arc<FaultyClock>) -> Engine {
    let free = json!({"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"});
    let config = json!({"data": {"address": "127.0.0.1:0"}, "admin": free});
    let config = Config::read(config.to_string().as_bytes()).unwrap();
    let engine = Engine::with_clock(config, clock.clone()).unwrap();
    let model = json!({
        "name": "main/m", "pool": {"namespace": "demo", "name": "main"},
        "provider": {"type": "SelfHosted", "label": "o", "model": "m",
                     "baseURL": format!("http://{}/v1", origin.address)},
        "pricing": {"input": 1, "output": 1}, "capabilities": ["chat"],
        "contextWindow": 100_000, "maxOutputTokens": 1_000
    });
    let budget = json!({
        "namespace": "demo", "name": "team", "limits": [{"name": "day", "amount": 1_000_000_000}],
        "enforcement": {"mode": "Audit", "onLedgerUnavailable": "Allow",
                        "outageHorizonSeconds": 900, "defaultMaxTokens": 100}
    });
    let table = json!({
        "version": 1, "minReader": 1, "policy": {"namespace": "demo", "name": "p"},
        "models": [model], "default": {"action": "Deny"}, "budgets": [budget],
        "rules": [{"name": "all", "route": {
            "strategy": "Failover", "candidates": [{"model": "main/m"}]
        }}]
    });
    engine.load(table.to_string().as_bytes()).unwrap();
    engine
}

/// One call on a connection of its own; all that comes back.
async fn call(address: SocketAddr, stream: bool) -> String {
    let mut caller = TcpStream::connect(address).await.unwrap();
    let body =
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "x"}]});
    let body = body.to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    caller.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    drop(caller.read_to_end(&mut answer).await); // a reset ends it as well
    String::from_utf8(answer).unwrap()
}

/// Nothing of the call is left.
async fn settled(shared: &Shared, origin: &Origin, reading: i64) {
    for _ in 0..2_000 {
        if shared.room.calls() == 0 && origin.open.get() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(shared.room.calls(), 0, "slot, reading {reading}");
    assert_eq!(origin.open.get(), 0, "upstream, reading {reading}");
    assert_eq!(shared.room.bytes(), 0, "bytes, reading {reading}");
    for standing in shared.book.standings() {
        assert_eq!(standing.reserved, 0, "{}, reading {reading}", standing.account);
    }
}

/// What the caller saw and what the one record says, if there was a call yet.
fn check(answer: &str, records: &[Value], stream: bool, reading: i64) {
    let why = format!("reading {reading}: {answer} {records:?}");
    assert!(records.len() <= 1, "{why}");
    let record = records.first();
    if answer.starts_with("HTTP/1.1 500 ") {
        assert!(answer.contains(r#""type":"server_error""#), "{why}");
        assert!(answer.contains(r#""code":"internal_error""#), "{why}");
        assert!(answer.contains("x-should-retry: false"), "{why}");
        let Some(record) = record else { return };
        assert!(answer.contains(record["id"].as_str().unwrap()), "{why}");
        assert_eq!(
            (&record["outcome"], &record["status"]),
            (&json!("failed"), &json!(500)),
            "{why}"
        );
        assert_eq!(record["class"], "Server", "{why}");
        assert!(record["reason"].as_str().unwrap().contains("Pointsman"), "{why}");
        return;
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{why}");
    if !stream {
        assert!(answer.ends_with("}}"), "it went down whole before its call was settled: {why}");
        assert_eq!(record.unwrap()["outcome"], "ok", "{why}");
        return;
    }
    if answer.contains("[DONE]") {
        assert!(answer.ends_with("\r\n0\r\n\r\n") && !answer.contains("internal_error"), "{why}");
        assert_eq!(record.unwrap()["outcome"], "ok", "{why}");
        return;
    }
    assert!(!answer.ends_with("0\r\n\r\n"), "{why}");
    assert!(answer.contains(r#""code":"internal_error""#), "{why}");
    let record = record.unwrap();
    assert_eq!((&record["outcome"], &record["class"]), (&json!("cut"), &json!("Server")), "{why}");
}

async fn panic_at_every_reading(stream: bool) {
    let origin = Origin::start(Fault::None).await;
    let clock = Arc::new(FaultyClock::new());
    let engine = Arc::new(engine(&origin, &clock));
    let state: Value = serde_json::from_str(&engine.state()).unwrap();
    let address = state["addresses"]["data"].as_str().unwrap().parse().unwrap();
    let running = engine.clone();
    let running = std::thread::spawn(move || running.run());
    let shared = engine.shared();
    let take = || -> Vec<Value> { serde_json::from_str(&shared.records.drain()).unwrap() };
    let (mut panics, mut recorded) = (0, 0);
    for reading in 0..MOST_READINGS {
        clock.arm(reading);
        let answer = call(address, stream).await;
        settled(shared, &origin, reading).await;
        let (fired, records) = (clock.disarm(), take());
        if !fired {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(records[0]["outcome"], "ok");
            assert!(recorded > 5, "only {recorded} of {panics} panics hit a call");
            engine.shutdown();
            running.join().unwrap().unwrap();
            return;
        }
        panics += 1;
        recorded += records.len();
        assert_eq!(shared.stats.panics.get(), panics, "reading {reading}: {answer}");
        check(&answer, &records, stream, reading);
    }
    panic!("the call never ended by itself");
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

#[test]
fn a_plain_call_survives_a_panic_at_every_reading_of_the_clock() {
    run(panic_at_every_reading(false));
}

#[test]
fn a_stream_survives_a_panic_at_every_reading_of_the_clock() {
    run(panic_at_every_reading(true));
}

//! I11: a call dropped at any await settles its reservation, frees its slot, closes its upstream and
//! leaves one record. The call and its answer's body are dropped at their first poll, their second, and
//! so on until nothing is left to drop.

#![cfg(test)]

mod dropping;
mod origin;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pointsman_core::engine::{Engine, Shared};
use pointsman_core::fleet::Slot;
use pointsman_core::handle::{Worker, handle};
use pointsman_core::upstream::TlsRoots;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

use dropping::DropAfter;
use origin::{Fault, Origin};

/// More polls than any of these calls takes.
const MOST_POLLS: usize = 2_000;

fn engine(origin: &Origin) -> Engine {
    engine_with(origin, &json!({}), &json!({}))
}

/// `changes` to the model's provider, and more members of the route.
fn engine_with(origin: &Origin, changes: &Value, more: &Value) -> Engine {
    let free = json!({"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"});
    let config = json!({"data": {"address": "127.0.0.1:0"}, "admin": free});
    let engine = Engine::new(config.to_string().as_bytes()).unwrap();
    let base_url = format!("http://{}/v1", origin.address);
    let mut provider =
        json!({"type": "SelfHosted", "label": "o", "model": "m", "baseURL": base_url});
    provider.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let model = json!({
        "name": "main/m", "pool": {"namespace": "demo", "name": "main"}, "provider": provider,
        "pricing": {"input": 1, "output": 1}, "capabilities": ["chat"],
        "contextWindow": 100_000, "maxOutputTokens": 1_000
    });
    let budget = json!({
        "namespace": "demo", "name": "team", "limits": [{"name": "day", "amount": 1_000_000_000}],
        "enforcement": {"mode": "Audit", "onLedgerUnavailable": "Allow",
                        "outageHorizonSeconds": 900, "defaultMaxTokens": 100}
    });
    let mut route = json!({
        "strategy": "Failover", "candidates": [{"model": "main/m"}],
        "retries": {"maxAttempts": 3, "budgetPercent": 100, "minPerSecond": 1000}
    });
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let table = json!({
        "version": 1, "minReader": 1, "policy": {"namespace": "demo", "name": "p"},
        "models": [model], "default": {"action": "Deny"}, "budgets": [budget],
        "rules": [{"name": "all", "route": route}]
    });
    engine.load(table.to_string().as_bytes()).unwrap();
    engine
}

/// One call whose polls are counted down from `left`; whether it was dropped.
async fn call(worker: &Rc<Worker>, stream: bool, left: usize) -> bool {
    let left = Rc::new(Cell::new(left));
    let (mut caller, callee) = tokio::io::duplex(1 << 16);
    let (worker, counted) = (worker.clone(), left.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        DropAfter::new(handle(worker.clone(), request), counted.clone())
    });
    let served = tokio::task::spawn_local(async move {
        drop(http1::Builder::new().serve_connection(TokioIo::new(callee), service).await);
    });
    let body =
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "x"}]});
    let body = body.to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    caller.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    caller.read_to_end(&mut answer).await.unwrap();
    served.await.unwrap();
    let dropped = left.get() == 0;
    assert!(dropped || answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    dropped
}

/// Nothing of a call is left, here or upstream.
async fn settled(shared: &Shared, origin: &Origin, polls: usize) {
    for _ in 0..2_000 {
        if shared.room.calls() == 0 && origin.open.get() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(shared.room.calls(), 0, "slot, dropped at poll {polls}");
    assert_eq!(origin.open.get(), 0, "upstream, dropped at poll {polls}");
    assert_eq!(shared.room.bytes(), 0, "bytes, dropped at poll {polls}");
    for standing in shared.book.standings() {
        assert_eq!(standing.reserved, 0, "{} at poll {polls}", standing.account);
    }
    for slot in endpoints(shared) {
        assert_eq!(slot.member.in_flight(), 0, "endpoint, dropped at poll {polls}");
    }
}

fn endpoints(shared: &Shared) -> Vec<Slot> {
    let plan = shared.current.load().unwrap();
    plan.models.iter().filter_map(|model| model.group.as_ref()).flat_map(|it| it.slots()).collect()
}

fn records(shared: &Arc<Shared>) -> Vec<Value> {
    serde_json::from_str(&shared.records.drain()).unwrap()
}

async fn drop_at_every_poll(stream: bool, fault: Fault) {
    let origin = Origin::start(fault).await;
    let engine = engine(&origin);
    drop_calls(stream, &origin, &engine).await;
}

async fn drop_calls(stream: bool, origin: &Origin, engine: &Engine) {
    let shared = engine.shared();
    let worker = Rc::new(Worker::new(shared.clone(), TlsRoots::load(None).unwrap()));
    let mut cancelled = 0;
    for polls in 1..MOST_POLLS {
        let dropped = call(&worker, stream, polls).await;
        settled(shared, origin, polls).await;
        let left = records(shared);
        assert_eq!(left.len(), 1, "records of a call dropped at poll {polls}");
        let outcome = left[0]["outcome"].as_str().unwrap();
        cancelled += usize::from(outcome == "cancelled");
        if !dropped {
            assert_eq!(outcome, "ok");
            assert!(cancelled > 2, "only {cancelled} calls were dropped while they ran");
            return;
        }
    }
    panic!("the call never ended by itself");
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

#[test]
fn i11_a_plain_call_dropped_at_every_poll() {
    run(drop_at_every_poll(false, Fault::None));
}

#[test]
fn i11_a_stream_dropped_at_every_poll() {
    run(drop_at_every_poll(true, Fault::None));
}

#[test]
fn i11_a_call_that_is_retried_dropped_at_every_poll() {
    run(drop_at_every_poll(true, Fault::EveryOther));
}

#[test]
fn i11_a_stream_that_is_held_back_dropped_at_every_poll() {
    run(async {
        let origin = Origin::start(Fault::EveryOtherCut).await;
        let engine = engine_with(&origin, &json!({}), &json!({"holdBack": {"tokens": 200}}));
        drop_calls(true, &origin, &engine).await;
    });
}

#[test]
fn i11_a_call_to_an_endpoint_dropped_at_every_poll() {
    run(async {
        let origin = Origin::start(Fault::EveryOther).await;
        let pods = json!({"endpoints": "Pods", "baseURL": "http://endpoints.invalid:1/v1"});
        let engine = engine_with(&origin, &pods, &json!({}));
        let told = json!([{"url": format!("http://{}", origin.address), "level": 0}]);
        let fleet = json!({"main/m": {"state": "Ready", "endpoints": told}});
        engine.fleet(fleet.to_string().as_bytes()).unwrap();
        drop_calls(true, &origin, &engine).await;
        drop_calls(false, &origin, &engine).await;
        let endpoint = &endpoints(engine.shared())[0].member;
        assert!(endpoint.served() >= 1 && endpoint.failed() > 1);
    });
}

#[test]
fn an_answer_does_not_wait_for_its_call_to_be_settled() {
    run(async {
        let origin = Origin::start(Fault::None).await;
        let engine = engine(&origin);
        let shared = engine.shared();
        let worker = Rc::new(Worker::new(shared.clone(), TlsRoots::load(None).unwrap()));
        let (mut caller, callee) = tokio::io::duplex(1 << 16);
        let service = service_fn(|request: Request<Incoming>| async {
            let reply = handle(worker.clone(), request).await;
            assert_eq!((shared.room.calls(), worker.ending.get()), (1, 1));
            Ok::<_, std::convert::Infallible>(reply)
        });
        let served = http1::Builder::new().serve_connection(TokioIo::new(callee), service);
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}).to_string();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        caller.write_all(request.as_bytes()).await.unwrap();
        served.await.unwrap();
        settled(shared, &origin, 0).await;
        assert_eq!(worker.ending.get(), 0);
        assert_eq!(records(shared)[0]["outcome"], "ok");
    });
}

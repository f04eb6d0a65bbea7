//! The simulated engine over real sockets: wire shapes, metrics, saturation, sleep, restarts.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Answer, Provider, connect, engine, eventually, post, receive};

const CHAT: &str = "/v1/chat/completions";

fn get(address: &str, path: &str) -> Answer {
    let mut socket = connect(address);
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    receive(&mut socket)
}

fn control(engine: &Provider, path: &str, body: &str) {
    let answer = receive(&mut post(&engine.control, path, "", body));
    assert_eq!(answer.status, 200, "{path}");
}

fn stats(engine: &Provider) -> Value {
    get(&engine.control, "/control/stats").json()
}

/// A metric's value; `name` with its labels, where it has any.
fn metric(engine: &Provider, name: &str) -> f64 {
    let page = String::from_utf8(get(&engine.address, "/metrics").body).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().unwrap()
}

fn ask(extra: &Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi there"}]});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

/// A connection on which a chat call is under way.
fn call(engine: &Provider, extra: &Value) -> TcpStream {
    post(&engine.address, CHAT, "", &ask(extra))
}

/// Plain answers and streams have vLLM's shape: usage agrees, the last piece of content comes with
/// the finish reason, and every event carries usage where it was asked for.
#[test]
fn answers_have_vllm_shapes() {
    let engine = engine(&json!({"speed": 10}));
    let plain = receive(&mut call(&engine, &json!({"max_tokens": 5}))).json();
    assert_eq!(plain["choices"][0]["finish_reason"], "length");
    assert!(plain["choices"][0].as_object().unwrap().contains_key("stop_reason"));
    let usage = json!({"prompt_tokens": 2, "total_tokens": 7, "completion_tokens": 5,
        "prompt_tokens_details": null});
    assert_eq!(plain["usage"], usage);
    let options = json!({"include_usage": true, "continuous_usage_stats": true});
    let extra = json!({"max_tokens": 5, "stream": true, "stream_options": options});
    let mut events = receive(&mut call(&engine, &extra)).events();
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let events: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(events[0]["usage"]["completion_tokens"], 0);
    let text: String =
        events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, plain["choices"][0]["message"]["content"]);
    let (last, end) = (&events[events.len() - 1], &events[events.len() - 2]);
    assert_eq!(end["choices"][0]["finish_reason"], "length");
    assert_ne!(end["choices"][0]["delta"]["content"], "");
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(5)));
}

/// Errors are each engine's own: vLLM's `error`, SGLang's flat object, llama.cpp's codes.
#[test]
fn errors_have_each_engines_shape() {
    let engines = ["vLLM", "SGLang", "LlamaCpp"];
    let [vllm, sglang, llama] =
        engines.map(|name| engine(&json!({"engine": name, "speed": 10, "maxModelLen": 64})));
    let unknown = receive(&mut call(&vllm, &json!({"model": "nope"})));
    assert_eq!(unknown.status, 404);
    let expected = json!({"message": "The model `nope` does not exist.", "type": "NotFoundError",
        "param": "model", "code": 404});
    assert_eq!(unknown.json()["error"], expected);
    assert_eq!(receive(&mut call(&sglang, &json!({"model": "nope"}))).json()["code"], 404);
    assert_eq!(receive(&mut call(&llama, &json!({"model": "nope", "max_tokens": 1}))).status, 200);
    let long = json!({"messages": [{"role": "user", "content": "x".repeat(400)}]});
    for (engine, place) in
        [(&vllm, "/error/message"), (&sglang, "/message"), (&llama, "/error/message")]
    {
        let answer = receive(&mut call(engine, &long));
        assert_eq!(answer.status, 400);
        let message = answer.json().pointer(place).unwrap().to_string();
        assert!(message.contains("context"), "{message}");
    }
    assert_eq!(get(&vllm.address, "/v1/nope").json(), json!({"detail": "Not Found"}));
    assert_eq!(receive(&mut post(&vllm.address, "/v1/embeddings", "", "{}")).status, 404);
    let broken = receive(&mut post(&vllm.address, CHAT, "", "{\"model\":"));
    assert_eq!((broken.status, &broken.json()["error"]["type"]), (400, &json!("Bad Request")));
    assert_eq!(get(&llama.address, "/health").json(), json!({"status": "ok"}));
}

/// Two slots are full with two callers; the third waits, and the gauges of every engine say so.
#[test]
fn full_slots_show_in_the_metrics() {
    for (name, running, waiting) in [
        (
            "vLLM",
            "vllm:num_requests_running{engine=\"0\",model_name=\"m\"}",
            "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"}",
        ),
        (
            "SGLang",
            "sglang:num_running_reqs{engine_type=\"unified\",model_name=\"m\"}",
            "sglang:num_queue_reqs{engine_type=\"unified\",model_name=\"m\"}",
        ),
        ("LlamaCpp", "llamacpp:requests_processing", "llamacpp:requests_deferred"),
    ] {
        let engine = engine(&json!({"engine": name, "overrides": {"slots": 2}}));
        let extra = json!({"max_tokens": 4000, "ignore_eos": true, "stream": true});
        let calls: Vec<TcpStream> = (0..3).map(|_| call(&engine, &extra)).collect();
        eventually(name, || {
            (metric(&engine, running) == 2.0 && metric(&engine, waiting) == 1.0).then_some(())
        });
        drop(calls);
        eventually("three leavers", || (stats(&engine)["cancelled"] == 3).then_some(()));
        assert!(metric(&engine, running) < 0.5);
        assert_eq!(stats(&engine)["concurrentMax"], 3);
    }
}

/// A front end that is busy with one caller lets the next wait while every gauge says "free".
#[test]
fn a_full_front_end_shows_in_no_gauge() {
    let engine = engine(&json!({"overrides": {"admitMs": 60000}}));
    let _calls: Vec<TcpStream> = (0..4).map(|_| call(&engine, &json!({"stream": true}))).collect();
    eventually("four calls", || (stats(&engine)["calls"] == 4).then_some(()));
    for gauge in ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"] {
        let name = format!("vllm:{gauge}{{engine=\"0\",model_name=\"m\"}}");
        assert_eq!(metric(&engine, &name), 0.0, "{gauge}");
    }
    assert_eq!(get(&engine.address, "/load").json(), json!({"server_load": 4}));
}

/// A sleeper answers everything but chat calls, which hang until it is woken; its gauge tells.
#[test]
fn a_sleeper_hangs_until_it_is_woken() {
    let engine = engine(&json!({"speed": 10, "wakeSeconds": 0}));
    let state = |name: &str| {
        let labels = format!("engine=\"0\",model_name=\"m\",sleep_state=\"{name}\"");
        metric(&engine, &format!("vllm:engine_sleep_state{{{labels}}}"))
    };
    assert_eq!((state("awake"), state("discard_all")), (1.0, 0.0));
    assert_eq!(receive(&mut post(&engine.address, "/sleep?level=2", "", "")).status, 200);
    assert_eq!((state("awake"), state("discard_all")), (0.0, 1.0));
    assert_eq!(get(&engine.address, "/is_sleeping").json(), json!({"is_sleeping": true}));
    assert_eq!(get(&engine.address, "/health").status, 200);
    let mut caller = call(&engine, &json!({"max_tokens": 3}));
    eventually("the call", || (stats(&engine)["concurrent"] == 1).then_some(()));
    caller.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(caller.read(&mut [0; 1]).is_err());
    assert_eq!(receive(&mut post(&engine.address, "/wake_up", "", "")).status, 200);
    caller.set_read_timeout(Some(crate::driver::PATIENCE)).unwrap();
    assert_eq!(receive(&mut caller).status, 200);
    assert_eq!(get(&engine.address, "/is_sleeping").json(), json!({"is_sleeping": false}));
}

/// A restart resets every connection, answers 503 while it starts, then serves with counters at
/// zero; with `refuse` connections are reset until then.
#[test]
fn a_restart_drops_and_returns() {
    let engine = engine(&json!({"speed": 10}));
    let mut cut = call(&engine, &json!({"stream": true, "max_tokens": 8000, "ignore_eos": true}));
    let mut piece = [0; 64];
    assert!(cut.read(&mut piece).unwrap() > 0);
    control(&engine, "/control/restart", r#"{"startSeconds": 3600}"#);
    let error = eventually("a reset", || cut.read(&mut piece).err());
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    for path in ["/health", "/metrics", "/v1/models"] {
        assert_eq!(get(&engine.address, path).status, 503, "{path}");
    }
    control(&engine, "/control/restart", r#"{"startSeconds": 3600, "refuse": true}"#);
    eventually("a refusal", || {
        let mut socket = connect(&engine.address);
        let read = socket.read(&mut piece);
        (!matches!(read, Ok(1..))).then_some(())
    });
    control(&engine, "/control/reset", "");
    assert_eq!(get(&engine.address, "/health").status, 200);
    assert_eq!(stats(&engine)["calls"], 0);
}

/// A process that hangs answers nothing at all, not even its health; then it goes on.
#[test]
fn a_stopped_engine_answers_nothing() {
    let engine = engine(&json!({"speed": 10}));
    control(&engine, "/control/stop", "");
    let mut health = connect(&engine.address);
    health.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    health.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(health.read(&mut [0; 1]).is_err());
    control(&engine, "/control/resume", "");
    health.set_read_timeout(Some(crate::driver::PATIENCE)).unwrap();
    assert_eq!(receive(&mut health).status, 200);
}

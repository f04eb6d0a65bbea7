//! Spans for OpenTelemetry: one a call, one a stage and attempt, sent in batches as OTLP/HTTP JSON from
//! the background thread. Off unless the configuration names an endpoint; bounded; a collector that is
//! away costs spans (counted), never calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::limits;
use crate::trace::TraceContext;
use crate::upstream::{Endpoint, Pieces, Pool, TlsRoots};

/// Finished spans on their way out.
#[derive(Debug, Default)]
pub struct Spans {
    queue: Mutex<VecDeque<Value>>,
    /// Spans that found no room or no collector.
    pub dropped: Counter,
}

/// A part of a call, in microseconds since its beginning.
#[derive(Debug)]
pub struct Part<'a> {
    /// Span name.
    pub name: &'a str,
    /// Begin.
    pub start_us: u64,
    /// End.
    pub end_us: u64,
    /// String attributes.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it failed.
    pub failed: bool,
}

impl Spans {
    /// An empty queue that counts its losses in `dropped`.
    #[must_use]
    pub fn new(dropped: Counter) -> Self {
        Self { queue: Mutex::default(), dropped }
    }

    /// Queues a call's span and its parts as children.
    pub fn push(&self, trace: &TraceContext, wall_ms: i64, call: &Part<'_>, parts: &[Part<'_>]) {
        let mut spans = vec![span(trace, trace.span_id, trace.parent_id, wall_ms, call)];
        for part in parts {
            spans.push(span(trace, fastrand::u64(1..), trace.span_id, wall_ms, part));
        }
        let mut queue = self.queue.lock();
        if queue.len() + spans.len() > limits::SPAN_QUEUE {
            self.dropped.inc_by(spans.len() as u64);
            return;
        }
        queue.extend(spans);
    }

    fn take(&self) -> Vec<Value> {
        self.queue.lock().drain(..).collect()
    }
}

fn span(trace: &TraceContext, id: u64, parent: u64, wall_ms: i64, part: &Part<'_>) -> Value {
    let nanos = |us: u64| (i128::from(wall_ms) * 1_000_000 + i128::from(us) * 1_000).to_string();
    let attribute =
        |(key, value): &(&str, String)| json!({"key": key, "value": {"stringValue": value}});
    let mut span = json!({
        "traceId": format!("{:032x}", trace.trace_id),
        "spanId": format!("{id:016x}"),
        "name": part.name,
        "kind": if id == trace.span_id { 2 } else { 3 },
        "startTimeUnixNano": nanos(part.start_us),
        "endTimeUnixNano": nanos(part.end_us),
        "attributes": part.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "status": {"code": if part.failed { 2 } else { 1 }},
    });
    if parent != 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

/// Whose spans they are, by the semantic conventions; what is not known is left out.
#[must_use]
pub fn resource(identity: &Identity) -> Value {
    let service = format!("pointsman/{}", identity.workload);
    let known = [
        ("service.name", &service),
        ("service.namespace", &identity.namespace),
        ("service.instance.id", &identity.sidecar),
        ("k8s.pod.name", &identity.pod),
    ];
    let attributes = known.into_iter().filter(|(_, value)| !value.is_empty());
    let attribute =
        |(key, value): (&str, &String)| json!({"key": key, "value": {"stringValue": value}});
    json!({"attributes": attributes.map(attribute).collect::<Vec<_>>()})
}

/// Sends batches for ever; runs on the background thread's `LocalSet`.
pub async fn run(spans: Arc<Spans>, endpoint: Endpoint, roots: TlsRoots, resource: Value) {
    let pool = Pool::new(roots);
    loop {
        tokio::time::sleep(Duration::from_millis(limits::SPAN_EXPORT_MS)).await;
        let batch = spans.take();
        if batch.is_empty() {
            continue;
        }
        let count = batch.len() as u64;
        if !send(&pool, &endpoint, &resource, batch).await {
            spans.dropped.inc_by(count);
        }
    }
}

async fn send(pool: &Pool, endpoint: &Endpoint, resource: &Value, batch: Vec<Value>) -> bool {
    let body = json!({"resourceSpans": [{
        "resource": resource,
        "scopeSpans": [{"scope": {"name": "pointsman"}, "spans": batch}],
    }]});
    let mut request = Request::new(Pieces::new([Bytes::from(body.to_string())]));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.traces.clone();
    request.headers_mut().insert(HOST, endpoint.authority.clone());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let exchange = async {
        let exchange = pool.send(&endpoint.origin, request).await.ok()?;
        let accepted = exchange.response.status().is_success();
        exchange.response.into_body().collect().await.ok()?;
        exchange.connection.recycle();
        Some(accepted)
    };
    let limit = Duration::from_millis(limits::SPAN_SEND_MS);
    matches!(tokio::time::timeout(limit, exchange).await, Ok(Some(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> Part<'_> {
        Part { name, start_us: 5, end_us: 9, attributes: vec![("a", "b".into())], failed: false }
    }

    #[test]
    fn a_call_is_the_parent_of_its_parts_and_the_queue_is_bounded() {
        let spans = Spans::default();
        let trace = TraceContext { trace_id: 1, parent_id: 2, span_id: 3, flags: 1 };
        spans.push(&trace, 1_000, &part("chat"), &[part("attempt")]);
        let batch = spans.take();
        assert_eq!(batch[0]["parentSpanId"], "0000000000000002");
        assert_eq!(batch[1]["parentSpanId"], "0000000000000003");
        assert_eq!(batch[1]["startTimeUnixNano"], "1000005000");
        for _ in 0..limits::SPAN_QUEUE {
            spans.push(&trace, 0, &part("chat"), &[]);
        }
        spans.push(&trace, 0, &part("chat"), &[]);
        assert_eq!((spans.take().len(), spans.dropped.get()), (limits::SPAN_QUEUE, 1));
    }

    #[test]
    fn spans_name_the_pod_and_leave_out_what_is_not_known() {
        let identity =
            Identity { workload: "app".into(), pod: "app-1".into(), ..Identity::default() };
        let named = resource(&identity)["attributes"].to_string();
        assert!(named.contains("pointsman/app") && named.contains("app-1"), "{named}");
        assert!(!named.contains("instance"), "{named}");
    }
}

//! Sends spans to OpenTelemetry's collector in batches, as OTLP/HTTP JSON, from the background thread.
//! Off unless the configuration names an endpoint; bounded; a collector that is away costs spans
//! (counted), never calls.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::limits;
use crate::upstream::{Endpoint, Pieces, Pool, TlsRoots};

/// Finished spans on their way out, as documents.
#[derive(Debug, Default)]
pub struct Spans {
    queue: Mutex<VecDeque<String>>,
    /// Spans that found no room or no collector.
    pub dropped: Counter,
}

impl Spans {
    /// An empty queue that counts its losses in `dropped`.
    #[must_use]
    pub fn new(dropped: Counter) -> Self {
        Self { queue: Mutex::default(), dropped }
    }

    /// Queues a call's spans, all or none.
    pub fn push(&self, spans: Vec<String>) {
        let mut queue = self.queue.lock();
        if queue.len() + spans.len() > limits::SPAN_QUEUE {
            self.dropped.inc_by(spans.len() as u64);
            return;
        }
        queue.extend(spans);
    }

    fn take(&self, most: usize) -> Vec<String> {
        let mut queue = self.queue.lock();
        let most = most.min(queue.len());
        queue.drain(..most).collect()
    }
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

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The collector has it, but for as many.
    Accepted { rejected: u64 },
    /// It will never take this.
    Refused,
    /// It may take it later.
    Away,
}

/// Sends what is queued.
#[derive(Debug)]
pub struct Exporter {
    spans: Arc<Spans>,
    endpoint: Endpoint,
    pool: Pool,
    resource: String,
    /// Not in the queue any more and not yet sent; here, so that the end finds it.
    batch: Vec<String>,
    tries: u32,
}

impl Exporter {
    /// One that has sent nothing.
    #[must_use]
    pub fn new(spans: Arc<Spans>, endpoint: Endpoint, roots: TlsRoots, resource: &Value) -> Self {
        let (pool, resource) = (Pool::new(roots), resource.to_string());
        Self { spans, endpoint, pool, resource, batch: Vec::new(), tries: 0 }
    }

    /// Sends batches until `end`, then what is left, within a bound; counts what it could not send.
    /// Runs on the background thread's `LocalSet`.
    pub async fn run(mut self, end: impl Future<Output = ()>) {
        tokio::select! {
            () = end => {}
            never = self.send_for_ever() => match never {},
        }
        // A batch that was under way may have arrived: better twice, by the same ids, than never.
        self.tries = 0;
        let limit = Duration::from_millis(limits::SPAN_FLUSH_MS);
        drop(tokio::time::timeout(limit, self.flush()).await);
        let lost = self.batch.len() + self.spans.take(usize::MAX).len();
        self.spans.dropped.inc_by(lost as u64);
    }

    async fn send_for_ever(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(limits::SPAN_EXPORT_MS)).await;
            self.send_all().await;
        }
    }

    async fn flush(&mut self) {
        while !self.send_all().await {
            tokio::time::sleep(Duration::from_millis(limits::SPAN_RETRY_MS)).await;
        }
    }

    /// Whether all is sent or given up; else the collector is away.
    async fn send_all(&mut self) -> bool {
        loop {
            if self.batch.is_empty() {
                self.batch = self.spans.take(limits::SPAN_BATCH);
                self.tries = 0;
            }
            if self.batch.is_empty() {
                return true;
            }
            let all = self.batch.len() as u64;
            self.tries += 1;
            let lost = match self.send().await {
                Sent::Accepted { rejected } => rejected.min(all),
                Sent::Away if self.tries < limits::SPAN_SEND_TRIES => return false,
                Sent::Away | Sent::Refused => all,
            };
            self.spans.dropped.inc_by(lost);
            self.batch.clear();
        }
    }

    async fn send(&self) -> Sent {
        let mut request = Request::new(Pieces::new([self.body()]));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.traces.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.authority.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let exchange = async {
            let exchange = self.pool.send(&self.endpoint.origin, request).await.ok()?;
            let (head, body) = exchange.response.into_parts();
            let answer = Limited::new(body, limits::SPAN_ANSWER_BYTES).collect().await;
            let answer = answer.map(|collected| {
                exchange.connection.recycle();
                collected.to_bytes()
            });
            Some(verdict(head.status, &answer.unwrap_or_default()))
        };
        let limit = Duration::from_millis(limits::SPAN_SEND_MS);
        tokio::time::timeout(limit, exchange).await.ok().flatten().unwrap_or(Sent::Away)
    }

    /// `ExportTraceServiceRequest`.
    fn body(&self) -> Bytes {
        let (resource, spans) = (&self.resource, self.batch.join(","));
        let scope = concat!(r#"{"name":"pointsman","version":""#, env!("CARGO_PKG_VERSION"), "\"}");
        format!(
            r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"scope":{scope},"spans":[{spans}]}}]}}]}}"#
        )
        .into()
    }
}

/// By OTLP's rules: some statuses ask to try again, a success may name spans that were not taken.
fn verdict(status: StatusCode, answer: &[u8]) -> Sent {
    match status.as_u16() {
        200..=299 => Sent::Accepted { rejected: rejected(answer) },
        429 | 502 | 503 | 504 => Sent::Away,
        _ => Sent::Refused,
    }
}

/// `partialSuccess.rejectedSpans`, which is a text as every 64-bit number; an answer that says nothing
/// has rejected none.
fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let count = &answer["partialSuccess"]["rejectedSpans"];
    let text = count.as_str().and_then(|text| text.parse().ok());
    count.as_u64().or(text).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_and_takes_a_call_whole_or_not_at_all() {
        let spans = Spans::default();
        for _ in 0..limits::SPAN_QUEUE - 1 {
            spans.push(vec!["{}".to_owned()]);
        }
        spans.push(vec!["{}".to_owned(), "{}".to_owned()]);
        assert_eq!(spans.dropped.get(), 2);
        spans.push(vec!["{}".to_owned()]);
        assert_eq!(spans.take(usize::MAX).len(), limits::SPAN_QUEUE);
        assert_eq!(spans.dropped.get(), 2);
    }

    #[test]
    fn the_collectors_answer_decides_between_sent_again_and_lost() {
        let ok = StatusCode::OK;
        assert_eq!(verdict(ok, b"{}"), Sent::Accepted { rejected: 0 });
        assert_eq!(verdict(ok, b"\x00garbage"), Sent::Accepted { rejected: 0 });
        for told in [r#""7""#, "7"] {
            let answer = format!(r#"{{"partialSuccess":{{"rejectedSpans":{told}}}}}"#);
            assert_eq!(verdict(ok, answer.as_bytes()), Sent::Accepted { rejected: 7 });
        }
        assert_eq!(verdict(StatusCode::SERVICE_UNAVAILABLE, b""), Sent::Away);
        assert_eq!(verdict(StatusCode::TOO_MANY_REQUESTS, b""), Sent::Away);
        assert_eq!(verdict(StatusCode::INTERNAL_SERVER_ERROR, b""), Sent::Refused);
        assert_eq!(verdict(StatusCode::BAD_REQUEST, b""), Sent::Refused);
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_collector_takes_by_the_end_is_counted() {
        let spans = Arc::new(Spans::default());
        for _ in 0..limits::SPAN_BATCH + 5 {
            spans.push(vec!["{}".to_owned()]);
        }
        let nobody = Endpoint::parse("http://127.0.0.1:1").unwrap();
        let roots = TlsRoots::load(None).unwrap();
        let exporter = Exporter::new(spans.clone(), nobody, roots, &json!({}));
        let local = tokio::task::LocalSet::new();
        local.run_until(exporter.run(std::future::ready(()))).await;
        assert_eq!(spans.dropped.get(), limits::SPAN_BATCH as u64 + 5);
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

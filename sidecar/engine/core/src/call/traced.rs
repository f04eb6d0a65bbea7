//! What a traced call notes on its way, and the spans that it becomes: one of the call, one a stage,
//! one an attempt. Without a collector there is none of it, and trace headers pass as they came.

use http::{HeaderMap, HeaderName};

use super::{Call, Outcome};
use crate::error::Class;
use crate::headers::{TRACEPARENT, TRACESTATE};
use crate::plan::Taken;
use crate::price::USD;
use crate::record::AttemptRow;
use crate::span::{Attributes, Kind, Span};
use crate::table::{Model, ProviderType};
use crate::trace::{TraceContext, new_span_id};
use crate::upstream::Origin;
use crate::wire::openai_chat::model_named;

/// Notes of one call.
#[derive(Debug)]
pub(super) struct Traced {
    context: TraceContext,
    /// The stage that runs.
    open: Option<Stage>,
    /// Those that are over.
    stages: Vec<(Stage, u64)>,
    /// Span ids of the attempts, in order.
    attempts: Vec<u64>,
    response_model: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Stage {
    name: &'static str,
    start_us: u64,
}

impl Traced {
    /// A call that begins; see [`TraceContext::from_headers`].
    #[must_use]
    pub(super) fn begin(head: &HeaderMap, sample_percent: u8) -> Box<Self> {
        Box::new(Self {
            context: TraceContext::from_headers(head, sample_percent),
            open: None,
            stages: Vec::new(),
            attempts: Vec::new(),
            response_model: None,
        })
    }

    fn enter(&mut self, name: Option<&'static str>, now_us: u64) {
        if let Some(stage) = self.open.take() {
            self.stages.push((stage, now_us));
        }
        self.open = name.map(|name| Stage { name, start_us: now_us });
    }
}

impl Call {
    /// A stage begins, where calls are traced; the one before is over.
    pub fn enter_stage(&mut self, name: &'static str) {
        self.note_stage(Some(name));
    }

    /// The stage is over.
    pub fn leave_stage(&mut self) {
        self.note_stage(None);
    }

    fn note_stage(&mut self, name: Option<&'static str>) {
        if self.traced.is_some() {
            let now_us = self.elapsed_us();
            if let Some(traced) = &mut self.traced {
                traced.enter(name, now_us);
            }
        }
    }

    pub(super) fn trace_attempt(&mut self) {
        if let Some(traced) = &mut self.traced {
            traced.attempts.push(new_span_id());
        }
    }

    /// Gives the current attempt's request its trace headers: of its own span, or the caller's as they
    /// came where no call is traced.
    pub fn propagate_trace(&self, from: &HeaderMap, to: &mut HeaderMap) {
        let mut state_too = true;
        match &self.traced {
            None => pass(TRACEPARENT, from, to),
            Some(traced) => {
                let span_id = traced.attempts.last().copied().unwrap_or(traced.context.span_id);
                if let Some(value) = traced.context.header(span_id) {
                    to.insert(TRACEPARENT, value);
                }
                // The state of a trace that was not continued belongs to nothing.
                state_too = traced.context.parent_id != 0;
            }
        }
        if state_too {
            pass(TRACESTATE, from, to);
        }
    }

    /// Looks in an answer, or in the beginning of a stream, for the model that it names.
    pub fn trace_answer(&mut self, answer: &[u8]) {
        if let Some(traced) = self.traced.as_mut().filter(|traced| traced.context.sampled()) {
            traced.response_model = model_named(answer);
        }
    }

    /// Queues a sampled call's spans.
    pub(super) fn export_spans(&mut self, outcome: Outcome) {
        let Some(mut traced) = self.traced.take() else { return };
        let Some(spans) = &self.worker.shared.spans else { return };
        if !traced.context.sampled() {
            return;
        }
        let cut_off = traced.open.is_some();
        traced.enter(None, self.stages.total);
        let last = traced.stages.len();
        let stages = traced.stages.iter().enumerate().map(|(index, stage)| {
            self.stage_span(&traced.context, *stage, cut_off && index + 1 == last)
        });
        let attempts = self.attempts.iter().zip(&traced.attempts).enumerate();
        let attempts = attempts.map(|(index, (row, id))| {
            let last = index + 1 == self.attempts.len();
            self.attempt_span(&traced, index, row, *id, last)
        });
        let all =
            [self.call_span(&traced.context, outcome)].into_iter().chain(stages).chain(attempts);
        let encoded = all.filter_map(|span| span.encode(&traced.context, self.wall_ms));
        spans.push(encoded.collect());
    }

    fn call_span(&self, context: &TraceContext, outcome: Outcome) -> Span<'_> {
        let gone = outcome == Outcome::Cancelled;
        let mut attributes: Attributes<'_> = vec![
            ("http.request.method", "POST".into()),
            ("http.route", self.surface.path().into()),
            ("gen_ai.operation.name", self.surface.operation().into()),
            ("pointsman.request_id", self.id.as_str().into()),
            ("pointsman.outcome", outcome.as_str().into()),
            ("pointsman.cost_usd", (self.booked.cost as f64 / USD as f64).into()),
        ];
        let named = [
            ("gen_ai.request.model", self.requested()),
            ("pointsman.rule", self.route().map_or("", |route| &*route.name)),
            ("pointsman.model", self.model().map_or("", |(model, _)| model.name.as_str())),
        ];
        let named = named.into_iter().filter(|(_, text)| !text.is_empty());
        attributes.extend(named.map(|(key, text)| (key, text.into())));
        if !gone {
            attributes.push(("http.response.status_code", u64::from(self.status).into()));
        }
        // A server's span fails by its own fault: not where the caller left or asked for nonsense.
        let ours = outcome == Outcome::Cut || self.status >= 500;
        Span {
            id: context.span_id,
            parent: context.parent_id,
            name: format!("POST {}", self.surface.path()).into(),
            kind: Kind::Server,
            start_us: 0,
            end_us: self.stages.total,
            attributes,
            error: (ours && !gone).then(|| self.class.map_or("_OTHER", Class::label)),
        }
    }

    fn stage_span(
        &self,
        context: &TraceContext,
        (stage, end_us): (Stage, u64),
        failed: bool,
    ) -> Span<'_> {
        Span {
            id: new_span_id(),
            parent: context.span_id,
            name: stage.name.into(),
            kind: Kind::Internal,
            start_us: stage.start_us,
            end_us,
            attributes: Vec::new(),
            error: failed.then(|| self.class.map_or("_OTHER", Class::label)),
        }
    }

    fn attempt_span<'a>(
        &'a self,
        traced: &'a Traced,
        index: usize,
        row: &'a AttemptRow,
        id: u64,
        last: bool,
    ) -> Span<'a> {
        let operation = self.surface.operation();
        let mut attributes: Attributes<'a> = vec![
            ("gen_ai.operation.name", operation.into()),
            ("pointsman.model", (&*row.model).into()),
            ("http.request.method", "POST".into()),
        ];
        let place = self.plan.models.iter().position(|planned| planned.name == row.model);
        let target = place.map(|place| (&self.plan.table.models[place], &self.plan.models[place]));
        let mut name = operation.into();
        if let Some((model, planned)) = target {
            let asked = self.asked_of(model);
            name = format!("{operation} {asked}").into();
            let endpoint = row.endpoint.as_ref().map_or(&planned.endpoint, |at| &at.endpoint);
            attributes.extend(of_target(model, &endpoint.origin));
            attributes.push(("gen_ai.request.model", asked.into()));
        }
        if row.status != 0 {
            attributes.push(("http.response.status_code", u64::from(row.status).into()));
        }
        if index > 0 {
            attributes.push(("http.request.resend_count", (index as u64).into()));
        }
        if last {
            self.add_answer(&mut attributes, traced, row);
        }
        Span {
            id,
            parent: traced.context.span_id,
            name,
            kind: Kind::Client,
            start_us: row.start_us,
            // One that still runs ends with its call.
            end_us: if row.end_us == 0 { self.stages.total } else { row.end_us },
            attributes,
            error: (row.class != "ok").then_some(row.class),
        }
    }

    /// The model's name that its provider gets.
    #[must_use]
    pub fn asked_of<'a>(&'a self, model: &'a Model) -> &'a str {
        if self.taken == Taken::PassThrough { self.requested() } else { &model.provider.model }
    }

    /// What the provider said of its answer; an estimate is nothing that it said.
    fn add_answer<'a>(
        &'a self,
        attributes: &mut Attributes<'a>,
        traced: &'a Traced,
        row: &'a AttemptRow,
    ) {
        if !row.upstream_id.is_empty() {
            attributes.push(("gen_ai.response.id", row.upstream_id.as_str().into()));
        }
        if let Some(model) = &traced.response_model {
            attributes.push(("gen_ai.response.model", model.as_str().into()));
        }
        if !self.booked.reported {
            return;
        }
        let usage = self.booked.usage;
        attributes.push(("gen_ai.usage.input_tokens", usage.input.into()));
        if self.surface.generates() {
            attributes.push(("gen_ai.usage.output_tokens", usage.output.into()));
        }
        if usage.cached_input > 0 {
            attributes.push(("gen_ai.usage.cache_read.input_tokens", usage.cached_input.into()));
        }
    }
}

fn of_target<'a>(model: &'a Model, origin: &'a Origin) -> Attributes<'a> {
    let provider = match model.provider.kind {
        ProviderType::OpenAI => "openai",
        ProviderType::OpenAICompatible | ProviderType::SelfHosted => &model.provider.label,
        ProviderType::Anthropic => "anthropic",
        ProviderType::Gemini => "gcp.gemini",
        ProviderType::Vertex => "gcp.vertex_ai",
        ProviderType::Bedrock => "aws.bedrock",
        ProviderType::AzureOpenAI => "azure.ai.openai",
    };
    vec![
        ("gen_ai.provider.name", provider.into()),
        ("server.address", origin.host.as_str().into()),
        ("server.port", u64::from(origin.port).into()),
    ]
}

fn pass(name: HeaderName, from: &HeaderMap, to: &mut HeaderMap) {
    for value in from.get_all(&name) {
        to.append(name.clone(), value.clone());
    }
}

//! `/metrics` under the names that each engine uses.

use std::fmt::Write;

use super::config::Dialect;
use super::model::Gauges;
use super::model::batch::real;
use super::tally::{Histogram, Tally};

/// An exposition being written.
struct Page {
    text: String,
    labels: String,
}

/// The whole page. `sleep_level` is 0 where the engine is awake.
pub(crate) fn page(
    dialect: Dialect,
    model: &str,
    gauges: &Gauges,
    tally: &Tally,
    sleep_level: u8,
) -> String {
    let model: String = model.chars().filter(|char| !matches!(char, '"' | '\\' | '\n')).collect();
    let labels = match dialect {
        Dialect::Vllm => format!("engine=\"0\",model_name=\"{model}\""),
        Dialect::SgLang => format!("engine_type=\"unified\",model_name=\"{model}\""),
        Dialect::LlamaCpp => String::new(),
    };
    let mut page = Page { text: String::new(), labels };
    match dialect {
        Dialect::Vllm => vllm(&mut page, gauges, tally, sleep_level),
        Dialect::SgLang => sglang(&mut page, gauges, tally),
        Dialect::LlamaCpp => llama(&mut page, gauges, tally),
    }
    page.text
}

fn vllm(page: &mut Page, gauges: &Gauges, tally: &Tally, sleep_level: u8) {
    page.gauge("vllm:num_requests_running", real(gauges.running));
    page.gauge("vllm:num_requests_waiting", real(gauges.waiting));
    page.series(
        "vllm:num_requests_waiting_by_reason",
        "gauge",
        "reason",
        &[("capacity", real(gauges.waiting)), ("deferred", 0.0)],
    );
    let state = |level: u8| if sleep_level == level { 1.0 } else { 0.0 };
    page.series(
        "vllm:engine_sleep_state",
        "gauge",
        "sleep_state",
        &[("awake", state(0)), ("weights_offloaded", state(1)), ("discard_all", state(2))],
    );
    page.gauge("vllm:kv_cache_usage_perc", gauges.kv_usage);
    page.counter("vllm:prefix_cache_queries_total", gauges.queried_tokens);
    page.counter("vllm:prefix_cache_hits_total", gauges.found_tokens);
    page.counter("vllm:num_preemptions_total", gauges.preemptions);
    page.counter("vllm:prompt_tokens_total", tally.prompt_tokens);
    page.counter("vllm:generation_tokens_total", gauges.generated);
    let finished = [("stop", tally.stopped), ("length", tally.cut), ("abort", tally.cancelled)];
    page.series(
        "vllm:request_success_total",
        "counter",
        "finished_reason",
        &finished.map(|(reason, count)| (reason, whole(count))),
    );
    page.histogram("vllm:time_to_first_token_seconds", &tally.first_token);
    page.histogram("vllm:inter_token_latency_seconds", &tally.between_tokens);
    page.histogram("vllm:e2e_request_latency_seconds", &tally.call);
    let size = gauges.kv_tokens;
    page.head("vllm:cache_config_info", "gauge");
    let labels = format!(
        "block_size=\"16\",engine=\"0\",kv_cache_size_tokens=\"{size}\",num_gpu_blocks=\"{}\"",
        size / super::model::cache::BLOCK
    );
    page.line("vllm:cache_config_info", &labels, 1.0);
}

fn sglang(page: &mut Page, gauges: &Gauges, tally: &Tally) {
    page.gauge("sglang:num_running_reqs", real(gauges.running));
    page.gauge("sglang:num_queue_reqs", real(gauges.waiting));
    page.gauge("sglang:num_used_tokens", real(gauges.kv_held_tokens));
    page.gauge("sglang:token_usage", gauges.kv_usage);
    page.gauge("sglang:max_total_num_tokens", real(gauges.kv_tokens));
    let hits = if gauges.queried_tokens == 0 {
        0.0
    } else {
        whole(gauges.found_tokens) / whole(gauges.queried_tokens)
    };
    page.gauge("sglang:cache_hit_rate", hits);
    page.counter("sglang:num_retracted_requests_total", gauges.preemptions);
    page.counter("sglang:prompt_tokens_total", tally.prompt_tokens);
    page.counter("sglang:generation_tokens_total", gauges.generated);
    page.counter("sglang:num_requests_total", tally.stopped + tally.cut);
    page.histogram("sglang:time_to_first_token_seconds", &tally.first_token);
    page.histogram("sglang:inter_token_latency_seconds", &tally.between_tokens);
    page.histogram("sglang:e2e_request_latency_seconds", &tally.call);
}

fn llama(page: &mut Page, gauges: &Gauges, tally: &Tally) {
    page.counter("llamacpp:prompt_tokens_total", tally.prompt_tokens);
    page.counter("llamacpp:prompt_tokens_cached_total", gauges.found_tokens);
    page.counter("llamacpp:tokens_predicted_total", gauges.generated);
    let spent: u64 = tally.between_tokens.counts.iter().sum();
    let pace = if spent == 0 { 0.0 } else { whole(spent) / tally.between_tokens.sum };
    page.gauge("llamacpp:predicted_tokens_seconds", pace);
    page.gauge("llamacpp:requests_processing", real(gauges.running));
    page.gauge("llamacpp:requests_deferred", real(gauges.waiting));
}

impl Page {
    fn head(&mut self, name: &str, kind: &str) {
        // Writing to a String cannot fail.
        let _done = writeln!(self.text, "# HELP {name} Simulated.\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let _done = if labels.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{labels}}} {value}")
        };
    }

    fn gauge(&mut self, name: &str, value: f64) {
        self.head(name, "gauge");
        self.line(name, &self.labels.clone(), value);
    }

    fn counter(&mut self, name: &str, value: u64) {
        self.head(name, "counter");
        self.line(name, &self.labels.clone(), whole(value));
    }

    /// One line for each value of a label.
    fn series(&mut self, name: &str, kind: &str, label: &str, values: &[(&str, f64)]) {
        self.head(name, kind);
        for (value, number) in values {
            let labels = format!("{},{label}=\"{value}\"", self.labels);
            self.line(name, &labels, *number);
        }
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        self.head(name, "histogram");
        let mut below = 0;
        let bounds = histogram.bounds.iter().map(|bound| format!("{bound:?}"));
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
            below += count;
            let labels = format!("{},le=\"{bound}\"", self.labels);
            self.line(&format!("{name}_bucket"), &labels, whole(below));
        }
        self.line(&format!("{name}_count"), &self.labels.clone(), whole(below));
        self.line(&format!("{name}_sum"), &self.labels.clone(), histogram.sum);
    }
}

/// A counter as Prometheus writes it.
fn whole(count: u64) -> f64 {
    count as f64
}

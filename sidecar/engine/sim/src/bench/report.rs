//! What a run of the load client found: samples in memory made ready before the run, one JSON
//! line after it.

use std::cell::{Cell, RefCell};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// Counters and samples of the measuring window.
pub(crate) struct Report {
    samples_ns: RefCell<Vec<u64>>,
    errors: Cell<u64>,
    chunks: Cell<u64>,
    bytes: Cell<u64>,
    first_error: RefCell<Option<String>>,
}

impl Report {
    /// Room for `expected` samples.
    pub(crate) fn new(expected: usize) -> Self {
        Self {
            samples_ns: RefCell::new(Vec::with_capacity(expected)),
            errors: Cell::new(0),
            chunks: Cell::new(0),
            bytes: Cell::new(0),
            first_error: RefCell::default(),
        }
    }

    /// A checked answer: its latency (streams: to the first content) and size.
    pub(crate) fn answered(&self, latency: Duration, bytes: usize) {
        let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.samples_ns.borrow_mut().push(latency_ns);
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// Content events that arrived.
    pub(crate) fn streamed(&self, chunks: u64) {
        self.chunks.set(self.chunks.get() + chunks);
    }

    /// An answer that was wrong, or none; the first one's reason is kept.
    pub(crate) fn failed(&self, reason: &str) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| reason.to_owned());
    }

    /// Writes the samples in the order of completion: nanoseconds, u64, little-endian.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write_samples(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        for sample in self.samples_ns.borrow().iter() {
            file.write_all(&sample.to_le_bytes())?;
        }
        file.flush()
    }

    /// The JSON line for a window of `seconds`; `backlog` arrivals were never served.
    pub(crate) fn line(&self, seconds: f64, backlog: usize) -> Value {
        let mut sorted = self.samples_ns.borrow().clone();
        sorted.sort_unstable();
        let count = sorted.len();
        json!({
            "requests": count,
            "errors": self.errors.get(),
            "first_error": *self.first_error.borrow(),
            "backlog": backlog,
            "chunks": self.chunks.get(),
            "bytes": self.bytes.get(),
            "seconds": seconds,
            "rps": count as f64 / seconds,
            "p50_ns": quantile(&sorted, 50, 100),
            "p90_ns": quantile(&sorted, 90, 100),
            "p99_ns": quantile(&sorted, 99, 100),
            "max_ns": sorted.last(),
        })
    }
}

/// The smallest sample that at least `part` of `whole` samples do not exceed.
fn quantile(sorted: &[u64], part: usize, whole: usize) -> Option<u64> {
    let rank = (sorted.len() * part).div_ceil(whole);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles are samples, by nearest rank.
    #[test]
    fn quantiles_are_nearest_rank() {
        let report = Report::new(100);
        for ns in (1..=100).rev() {
            report.answered(Duration::from_nanos(ns), 1);
        }
        report.failed("late");
        report.failed("later");
        let line = report.line(2.0, 0);
        assert_eq!((&line["p50_ns"], &line["p99_ns"]), (&50.into(), &99.into()));
        assert_eq!((&line["rps"], &line["errors"]), (&50.0.into(), &2.into()));
        assert_eq!(line["first_error"], "late");
        assert_eq!(Report::new(0).line(1.0, 0)["p50_ns"], Value::Null);
    }
}

//! What this provider allows all its callers together, by model: calls and tokens in any minute, and
//! calls at once. It judges for itself, with a log of the last minute, and counts what it refused.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_secs(60);

/// Limits of one model; absent: none of that kind.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Limits {
    /// Calls in any minute.
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens of prompts and answers in any minute, counted as a call is admitted.
    pub(crate) tokens_per_minute: Option<u64>,
    /// Calls at once.
    pub(crate) max_in_flight: Option<u64>,
}

/// All limited models.
#[derive(Default)]
pub(crate) struct Quotas {
    models: BTreeMap<String, Arc<Mutex<Log>>>,
}

#[derive(Default)]
struct Log {
    limits: Limits,
    minute: VecDeque<(Instant, u64)>,
    minute_tokens: u64,
    open: u64,
    open_most: u64,
    requests_most: u64,
    tokens_most: u64,
    admitted: u64,
    admitted_tokens: u64,
    refused: u64,
}

/// A call's place among those at once.
pub(crate) struct Place(Arc<Mutex<Log>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().open -= 1;
    }
}

impl Quotas {
    /// As the configuration says.
    pub(crate) fn new(limits: BTreeMap<String, Limits>) -> Self {
        let log = |limits| Arc::new(Mutex::new(Log { limits, ..Log::default() }));
        Self { models: limits.into_iter().map(|(model, it)| (model, log(it))).collect() }
    }

    /// Admits a call of so many tokens; `None`: the model has no limits.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn admit(&self, model: &str, tokens: u64) -> Option<Result<Place, Reached>> {
        let log = self.models.get(model)?;
        let admitted = log.lock().admit(tokens, Instant::now());
        Some(admitted.map(|()| Place(Arc::clone(log))))
    }

    /// What came of it, by model.
    pub(crate) fn report(&self) -> Value {
        let shown = |log: &Arc<Mutex<Log>>| {
            let log = log.lock();
            json!({
                "admitted": log.admitted, "admitted_tokens": log.admitted_tokens,
                "refused": log.refused, "open": log.open, "open_most": log.open_most,
                "requests_most": log.requests_most, "tokens_most": log.tokens_most,
            })
        };
        self.models.iter().map(|(model, log)| (model.clone(), shown(log))).collect()
    }
}

/// The call is one too many.
pub(crate) struct Reached;

impl Log {
    fn admit(&mut self, tokens: u64, now: Instant) -> Result<(), Reached> {
        while self.minute.front().is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE) {
            self.minute_tokens -= self.minute.pop_front().map_or(0, |(_, tokens)| tokens);
        }
        let calls = self.minute.len() as u64 + 1;
        let above = |most: Option<u64>, count: u64| most.is_some_and(|most| count > most);
        if above(self.limits.requests_per_minute, calls)
            || above(self.limits.tokens_per_minute, self.minute_tokens + tokens)
            || above(self.limits.max_in_flight, self.open + 1)
        {
            self.refused += 1;
            return Err(Reached);
        }
        self.minute.push_back((now, tokens));
        self.minute_tokens += tokens;
        self.open += 1;
        self.admitted += 1;
        self.admitted_tokens += tokens;
        self.open_most = self.open_most.max(self.open);
        self.requests_most = self.requests_most.max(calls);
        self.tokens_most = self.tokens_most.max(self.minute_tokens);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind refuses by itself, and a minute after a call there is room for another.
    #[test]
    fn each_kind_is_judged_by_the_minute() {
        let limits = Limits {
            requests_per_minute: Some(3),
            tokens_per_minute: Some(10),
            max_in_flight: None,
        };
        let (mut log, start) = (Log { limits, ..Log::default() }, Instant::now());
        assert!(log.admit(4, start).is_ok() && log.admit(4, start).is_ok());
        assert!(log.admit(4, start).is_err(), "12 tokens");
        assert!(log.admit(1, start).is_ok());
        assert!(log.admit(0, start + MINUTE / 2).is_err(), "a fourth call");
        assert!(log.admit(10, start + MINUTE).is_ok());
        assert_eq!((log.refused, log.requests_most, log.tokens_most), (2, 3, 10));
    }

    /// Who has ended makes room for another.
    #[test]
    fn calls_at_once_end() {
        let limits = Limits { max_in_flight: Some(1), ..Limits::default() };
        let quotas = Quotas::new(BTreeMap::from([("m".to_owned(), limits)]));
        assert!(quotas.admit("other", 1).is_none());
        let first = quotas.admit("m", 1).unwrap().ok().unwrap();
        assert!(quotas.admit("m", 1).unwrap().is_err());
        drop(first);
        assert!(quotas.admit("m", 1).unwrap().is_ok());
        assert_eq!(quotas.report()["m"]["open_most"], 1);
    }
}

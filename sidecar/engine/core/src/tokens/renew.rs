//! One task a source: fetches, waits until it is time, fetches again. Failures are tried again after a
//! pause that doubles; what is held goes on until its end.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::http::Http;
use super::{Desk, Source, Trouble};
use crate::clock::SharedClock;
use crate::limits;
use crate::upstream::{Pool, TlsRoots};

/// Serves every source that comes to the desk; runs in a `LocalSet`, until it is dropped.
pub async fn serve(desk: Arc<Desk>, roots: TlsRoots, clock: SharedClock) {
    let pool = Rc::new(Pool::new(roots));
    loop {
        for source in desk.newcomers().await {
            let renewal = Renewal::new(source, Http::over(pool.clone()), clock.clone());
            tokio::task::spawn_local(renewal.run());
        }
    }
}

/// A source and when it was last asked.
struct Renewal {
    source: Arc<Source>,
    http: Http,
    clock: SharedClock,
    failures: u32,
    /// Not before this, boot clock: a failure's pause, or that after a grant that was refused at once.
    not_before_ms: u64,
    /// The endpoint's clock is so many seconds ahead of ours.
    clock_ahead_s: i64,
    early_ms: u64,
}

impl Renewal {
    fn new(source: Arc<Source>, http: Http, clock: SharedClock) -> Self {
        Self { source, http, clock, failures: 0, not_before_ms: 0, clock_ahead_s: 0, early_ms: 0 }
    }

    async fn run(mut self) {
        // The last who holds it, we serve nobody.
        while Arc::strong_count(&self.source) > 1 {
            let now_ms = self.clock.boot_ms();
            let due_ms = self.due_ms(now_ms);
            if due_ms <= now_ms {
                self.fetch().await;
                continue;
            }
            let wait = Duration::from_millis((due_ms - now_ms).min(limits::TOKEN_LOOK_MS));
            let _woken = tokio::time::timeout(wait, self.source.wanted.notified()).await;
        }
    }

    /// When to fetch, boot clock.
    fn due_ms(&self, now_ms: u64) -> u64 {
        let source = &self.source;
        let idle_ms = now_ms.saturating_sub(source.asked_ms.load(Relaxed));
        if idle_ms > limits::TOKEN_IDLE_MS {
            return u64::MAX;
        }
        let held = source.held.load();
        let due_ms = match &*held {
            Some(held) if source.is_rejected() => held.again_ms,
            Some(held) => held.renew_ms.saturating_sub(self.early_ms),
            None => 0,
        };
        due_ms.max(self.not_before_ms)
    }

    async fn fetch(&mut self) {
        let mut outcome = self.exchange().await;
        if let Err((_, Some(ahead_s))) = &outcome {
            // By its own clock, then.
            self.clock_ahead_s = *ahead_s;
            outcome = self.exchange().await;
        }
        let now_ms = self.clock.boot_ms();
        match outcome {
            Ok(fetched) => {
                let life_ms = fetched.expires_s.saturating_mul(1_000);
                self.early_ms = fastrand::u64(..=limits::TOKEN_SPREAD_MS.min(life_ms / 10));
                self.failures = 0;
                // A token of no length must not be asked for in a loop.
                self.not_before_ms = now_ms + limits::TOKEN_FRESH_MS.min((life_ms / 2).max(1_000));
                self.source.give(fetched, now_ms);
            }
            Err((trouble, ahead_s)) => {
                let doubled = limits::TOKEN_RETRY_MS << self.failures.min(6);
                let pause_ms = doubled.min(limits::TOKEN_RETRY_MAX_MS);
                self.failures += 1;
                self.not_before_ms = now_ms + fastrand::u64(pause_ms / 2..=pause_ms);
                self.source.fail(if ahead_s.is_some() { Trouble::ClockSkew } else { trouble });
            }
        }
    }

    /// One exchange; with its failure how far the endpoint's clock is ahead, where it is too far.
    async fn exchange(&self) -> Result<super::Fetched, (Trouble, Option<i64>)> {
        let wall_s = self.clock.wall_ms() / 1_000;
        let now_s = u64::try_from(wall_s.saturating_add(self.clock_ahead_s)).unwrap_or(0);
        self.http.forget_date();
        let limit = Duration::from_millis(limits::TOKEN_TIMEOUT_MS);
        let fetched =
            tokio::time::timeout(limit, self.source.recipe.fetch(&self.http, now_s)).await;
        let fetched = fetched.unwrap_or(Err(Trouble::Unreachable));
        fetched.map_err(|trouble| {
            let refused = matches!(trouble, Trouble::Refused(_));
            let ahead_s = self.http.date_s().filter(|_| refused).map(|date_s| date_s - wall_s);
            let wrong =
                |ahead_s: &i64| ahead_s.abs_diff(self.clock_ahead_s) >= limits::CLOCK_SKEW_S;
            (trouble, ahead_s.filter(wrong))
        })
    }
}

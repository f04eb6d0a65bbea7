//! The model in real time: a clock that can be stopped (a sleeping engine), callers that come and
//! go, and one task that lets happen what is due.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::ask::Ask;
use super::model::profile::Profile;
use super::model::{Arrival, Chunk, Gauges, Model};
use super::tally::{Course, Tally};

/// The engine as it runs.
pub(crate) struct Live {
    profile: Profile,
    speed: f64,
    inner: Mutex<Inner>,
    changed: Notify,
}

struct Inner {
    model: Model,
    /// Real and model time that belong together; the clock stands where `running` is false.
    anchor: Instant,
    anchor_us: u64,
    running: bool,
    calls: HashMap<u64, (mpsc::UnboundedSender<Chunk>, Course)>,
    numbers: u64,
    tally: Tally,
}

/// A call in the engine; dropping it takes it out.
pub(crate) struct Call {
    pub(crate) number: u64,
    live: Arc<Live>,
    chunks: mpsc::UnboundedReceiver<Chunk>,
    finished: bool,
}

impl Call {
    /// The next event; none where the engine was restarted under the call.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.recv().await?;
        self.finished |= chunk.last;
        Some(chunk)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut inner = self.live.inner.lock();
        if self.finished {
            return;
        }
        if inner.calls.remove(&self.number).is_some() {
            inner.model.leave(self.number);
            inner.tally.end(false);
        }
    }
}

impl Live {
    /// An idle engine whose time goes `speed` times as fast as ours.
    pub(crate) fn new(profile: Profile, speed: f64) -> Arc<Self> {
        let inner = Mutex::new(Inner {
            model: Model::new(profile.clone()),
            anchor: Instant::now(),
            anchor_us: 0,
            running: true,
            calls: HashMap::new(),
            numbers: 0,
            tally: Tally::default(),
        });
        Arc::new(Self { profile, speed, inner, changed: Notify::new() })
    }

    /// Takes a call in.
    pub(crate) fn call(self: &Arc<Self>, ask: &Ask) -> Call {
        let (sender, chunks) = mpsc::unbounded_channel();
        let mut inner = self.inner.lock();
        let now_us = self.now_us(&inner);
        inner.numbers += 1;
        let number = inner.numbers;
        let course = inner.tally.begin(now_us, ask.prompt_tokens, ask.cut);
        inner.calls.insert(number, (sender, course));
        let arrival = Arrival {
            id: number,
            prompt_key: ask.prompt_key,
            prompt_tokens: ask.prompt_tokens,
            output_tokens: ask.output_tokens,
        };
        inner.advance(now_us);
        inner.model.arrive(now_us, arrival);
        drop(inner);
        self.changed.notify_one();
        Call { number, live: Arc::clone(self), chunks, finished: false }
    }

    /// Starts again from nothing; every call that goes on ends without an answer.
    pub(crate) fn restart(&self) {
        let mut inner = self.inner.lock();
        inner.model = Model::new(self.profile.clone());
        inner.anchor = Instant::now();
        inner.anchor_us = 0;
        inner.running = true;
        inner.calls.clear();
        inner.tally = Tally::default();
        drop(inner);
        self.changed.notify_one();
    }

    /// Stops the engine's time, or lets it go on.
    pub(crate) fn set_running(&self, running: bool) {
        let mut inner = self.inner.lock();
        inner.anchor_us = self.now_us(&inner);
        inner.anchor = Instant::now();
        inner.running = running;
        drop(inner);
        self.changed.notify_one();
    }

    /// The engine's figures now.
    pub(crate) fn report(&self) -> (Gauges, Tally) {
        let mut inner = self.inner.lock();
        let now_us = self.now_us(&inner);
        inner.advance(now_us);
        (inner.model.gauges(), inner.tally.clone())
    }

    /// Lets happen what is due, for ever.
    pub(crate) async fn drive(self: Arc<Self>) {
        loop {
            let pause = {
                let mut inner = self.inner.lock();
                let now_us = self.now_us(&inner);
                inner.advance(now_us);
                let next = inner.model.next_us().filter(|_| inner.running);
                next.map(|next_us| {
                    Duration::from_micros(next_us.saturating_sub(now_us)).div_f64(self.speed)
                })
            };
            let changed = self.changed.notified();
            match pause {
                None => changed.await,
                // Timers are no finer than a millisecond; what is late happens all at once.
                Some(pause) if pause < Duration::from_millis(1) => {
                    sleep(Duration::from_millis(1)).await;
                }
                Some(pause) => {
                    let _early = timeout(pause, changed).await;
                }
            }
        }
    }

    fn now_us(&self, inner: &Inner) -> u64 {
        let since = if inner.running { inner.anchor.elapsed() } else { Duration::ZERO };
        let since = since.mul_f64(self.speed).as_micros();
        inner.anchor_us + u64::try_from(since).unwrap_or(u64::MAX / 2)
    }
}

impl Inner {
    fn advance(&mut self, now_us: u64) {
        let mut chunks = Vec::new();
        self.model.advance(now_us, &mut chunks);
        for chunk in chunks {
            let Some((sender, course)) = self.calls.get_mut(&chunk.id) else { continue };
            self.tally.tokens(course, chunk.at_us, chunk.tokens, chunk.last);
            // A caller that went away is taken out by its drop.
            let _gone = sender.send(chunk);
            if chunk.last {
                self.calls.remove(&chunk.id);
                self.tally.end(true);
            }
        }
    }
}

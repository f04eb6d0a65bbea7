//! What a cloud gives for a proof of who asks: access tokens and temporary keys. Fetched on the background
//! thread, one task a source, so that no two ask at once; calls only look, or wait for the first one.

mod aws;
mod entra;
mod google;
mod http;
mod recipe;
mod renew;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ::http::HeaderValue;
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::limits;
use crate::sign::sigv4::AwsKey;

pub use recipe::{Identity, NoRecipe, Recipe};
pub use renew::serve;

/// What may be shown for a while.
#[derive(Debug)]
pub enum Grant {
    /// `Bearer …`, marked sensitive.
    Bearer(HeaderValue),
    /// Signs.
    Aws(AwsKey),
}

/// A grant that was given.
#[derive(Debug)]
pub struct Held {
    /// What is shown.
    pub grant: Grant,
    /// Counts a source's grants, from 1.
    pub generation: u64,
    renew_ms: u64,
    expires_ms: u64,
}

/// Why there is no grant. Says nothing of what was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A file that the cloud puts into the pod is not there.
    NoIdentity,
    /// Nobody answers, or not with what a token endpoint says.
    Unreachable,
    /// The endpoint refuses, and in which word.
    Refused(String),
    /// It refuses, and our clock is not its clock.
    ClockSkew,
}

impl Trouble {
    /// As state and reports say it.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::NoIdentity => "no_identity".to_owned(),
            Self::Unreachable => "token_unreachable".to_owned(),
            Self::Refused(word) if word.is_empty() => "token_refused".to_owned(),
            Self::Refused(word) => ["token_refused: ", word].concat(),
            Self::ClockSkew => "clock_skew".to_owned(),
        }
    }
}

/// A credential that is exchanged for grants.
#[derive(Debug)]
pub struct Source {
    recipe: Recipe,
    held: ArcSwapOption<Held>,
    trouble: Mutex<Option<Trouble>>,
    /// Counts outcomes, for those who wait.
    outcomes: watch::Sender<u64>,
    wanted: Notify,
    asked_ms: AtomicU64,
    /// The generation that a provider did not take.
    rejected: AtomicU64,
}

impl Source {
    /// Nothing is fetched yet.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            held: ArcSwapOption::empty(),
            trouble: Mutex::new(None),
            outcomes: watch::Sender::new(0),
            wanted: Notify::new(),
            asked_ms: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// The grant that holds now.
    #[must_use]
    pub fn held(&self, now_ms: u64) -> Option<Arc<Held>> {
        self.held.load_full().filter(|held| now_ms < held.expires_ms)
    }

    /// Why there is none, where that is known.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    /// Somebody may need it soon: it is renewed while this is said from time to time.
    pub fn touch(&self, now_ms: u64) {
        let before_ms = self.asked_ms.swap(now_ms, Relaxed);
        if before_ms == 0 || now_ms.saturating_sub(before_ms) > limits::TOKEN_IDLE_MS {
            self.wanted.notify_one();
        }
    }

    /// Waits until there is a grant or a reason why not, a little while at most.
    pub async fn settled(&self, now_ms: u64) {
        let mut outcomes = self.outcomes.subscribe();
        if self.held(now_ms).is_some() || self.trouble.lock().is_some() {
            return;
        }
        self.wanted.notify_one();
        let wait = Duration::from_millis(limits::TOKEN_WAIT_MS);
        // Too late or not, what is there now counts.
        let _late = tokio::time::timeout(wait, outcomes.changed()).await;
    }

    /// A provider did not take this grant: it is replaced before its time.
    pub fn reject(&self, generation: u64) {
        if self.rejected.swap(generation, Relaxed) != generation {
            self.wanted.notify_one();
        }
    }

    fn give(&self, fetched: Fetched, now_ms: u64) {
        let generation = self.held.load().as_ref().map_or(1, |held| held.generation + 1);
        let Fetched { grant, renew_s, expires_s } = fetched;
        let renew_ms = now_ms.saturating_add(renew_s.saturating_mul(1_000));
        let expires_ms = now_ms.saturating_add(expires_s.saturating_mul(1_000));
        self.held.store(Some(Arc::new(Held { grant, generation, renew_ms, expires_ms })));
        *self.trouble.lock() = None;
        self.outcomes.send_modify(|count| *count += 1);
    }

    fn fail(&self, trouble: Trouble) {
        *self.trouble.lock() = Some(trouble);
        self.outcomes.send_modify(|count| *count += 1);
    }
}

/// A grant and how long it lasts, seconds from when it was asked for.
#[derive(Debug)]
struct Fetched {
    grant: Grant,
    renew_s: u64,
    expires_s: u64,
}

impl Fetched {
    /// Renewed [`limits::TOKEN_MARGIN_S`] before its end, or halfway where it does not last that long.
    fn lasting(grant: Grant, lasts_s: u64) -> Self {
        let margin_s = limits::TOKEN_MARGIN_S.min(lasts_s / 2);
        Self { grant, renew_s: lasts_s - margin_s, expires_s: lasts_s }
    }
}

/// Where new sources wait for the background thread.
#[derive(Debug, Default)]
pub struct Desk {
    newcomers: Mutex<Vec<Arc<Source>>>,
    bell: Notify,
}

impl Desk {
    /// Has a source served from now on, for as long as somebody else holds it.
    pub fn enter(&self, source: Arc<Source>) {
        let mut newcomers = self.newcomers.lock();
        if newcomers.len() >= limits::MODELS {
            // Nobody serves them; what nobody else holds any more needs it no longer.
            newcomers.retain(|it| Arc::strong_count(it) > 1);
        }
        newcomers.push(source);
        self.bell.notify_one();
    }

    async fn newcomers(&self) -> Vec<Arc<Source>> {
        loop {
            let come = std::mem::take(&mut *self.newcomers.lock());
            if !come.is_empty() {
                return come;
            }
            self.bell.notified().await;
        }
    }
}

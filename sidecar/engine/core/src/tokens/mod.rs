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
    /// Refused before then, it is not replaced: the next would be refused as well.
    again_ms: u64,
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

    /// A provider did not take the grant of this generation. True once there is another to show, which
    /// all who met the refusal share; false where that would be refused as well, or there is none.
    pub async fn renewed(&self, refused: u64, now_ms: u64) -> bool {
        let mut outcomes = self.outcomes.subscribe();
        match self.held(now_ms) {
            Some(held) if held.generation != refused => return true,
            Some(held) if now_ms < held.again_ms => return false,
            _ => {}
        }
        // It is being asked for already, in vain: nobody waits for the next try.
        if self.trouble().is_some() {
            return false;
        }
        self.reject(refused);
        let wait = Duration::from_millis(limits::TOKEN_WAIT_MS);
        // Too late or not, what is there now counts.
        let _late = tokio::time::timeout(wait, outcomes.changed()).await;
        self.held(now_ms).is_some_and(|held| held.generation != refused)
    }

    /// Whether what is held must be replaced because a provider did not take it.
    fn is_rejected(&self) -> bool {
        let held = self.held.load();
        held.as_ref().is_some_and(|held| held.generation == self.rejected.load(Relaxed))
    }

    fn give(&self, fetched: Fetched, now_ms: u64) {
        let generation = self.held.load().as_ref().map_or(1, |held| held.generation + 1);
        let Fetched { grant, renew_s, expires_s } = fetched;
        let life_ms = expires_s.saturating_mul(1_000);
        // In a grant that took the place of a refused one nobody finds a fault that a third would mend.
        let pause_ms = if self.is_rejected() {
            limits::TOKEN_AGAIN_MS.min((life_ms / 2).max(1_000))
        } else {
            limits::TOKEN_FRESH_MS
        };
        let held = Held {
            grant,
            generation,
            renew_ms: now_ms.saturating_add(renew_s.saturating_mul(1_000)),
            expires_ms: now_ms.saturating_add(life_ms),
            again_ms: now_ms + pause_ms,
        };
        self.held.store(Some(Arc::new(held)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let recipe = Recipe::entra(["t", "c", "s"], None, &[]);
        Source::new(recipe.unwrap())
    }

    fn fetched() -> Fetched {
        Fetched::lasting(Grant::Bearer(HeaderValue::from_static("Bearer x")), 3_600)
    }

    #[tokio::test(start_paused = true)]
    async fn one_renewal_serves_all_who_were_refused_and_what_it_gave_is_not_replaced_soon() {
        let source = source();
        source.give(fetched(), 0);
        let at = limits::TOKEN_FRESH_MS;
        assert!(!source.renewed(1, at - 1).await, "it was never any good");
        let (first, second, ()) =
            tokio::join!(source.renewed(1, at), source.renewed(1, at), async {
                tokio::task::yield_now().await;
                assert!(source.is_rejected());
                source.give(fetched(), at);
            });
        assert!(first && second);
        assert!(source.renewed(1, at).await, "who comes late takes what is there");
        assert!(!source.renewed(2, at + limits::TOKEN_AGAIN_MS - 1).await);
        assert!(!source.is_rejected(), "nothing was asked for");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_an_endpoint_that_refuses_or_longer_than_for_a_first_token() {
        let source = source();
        source.give(fetched(), 0);
        let began = tokio::time::Instant::now();
        assert!(!source.renewed(1, 10_000).await);
        assert_eq!(began.elapsed(), Duration::from_millis(limits::TOKEN_WAIT_MS));
        source.fail(Trouble::Refused(String::new()));
        let began = tokio::time::Instant::now();
        assert!(!source.renewed(1, 20_000).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

//! One endpoint: its parsed URLs, its health, and what this sidecar has seen of it since its start.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer};

use super::ewma::Ewma;
use crate::breaker::Breaker;
use crate::upstream::Endpoint;

/// An endpoint, shared by all threads and kept over tables and fleets.
#[derive(Debug)]
pub struct Member {
    /// `scheme://host:port`, as the hub names it.
    pub url: Arc<str>,
    /// Its request lines.
    pub endpoint: Endpoint,
    /// Its health.
    pub breaker: Breaker,
    /// From dispatch to the first content of a stream.
    pub first_token: Ewma,
    /// Of a whole stream, from its first content on.
    pub between_tokens: Ewma,
    in_flight: AtomicU32,
    served: AtomicU64,
    failed: AtomicU64,
}

impl Member {
    /// An endpoint at this origin, under the base URL's path.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the URL.
    pub fn new(url: &str, path: &str) -> Result<Self, String> {
        Ok(Self {
            url: url.into(),
            endpoint: Endpoint::parse(&format!("{url}{path}"))?,
            breaker: Breaker::default(),
            first_token: Ewma::default(),
            between_tokens: Ewma::default(),
            in_flight: AtomicU32::new(0),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Calls of this sidecar that it works on now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Whole answers.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Relaxed)
    }

    /// Attempts that failed by its fault.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// It gave a whole answer.
    pub fn count_served(&self) {
        self.served.fetch_add(1, Relaxed);
    }

    /// It failed.
    pub fn count_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }
}

/// Records name an endpoint by its URL.
impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.url)
    }
}

/// An endpoint with a call of ours, which counts in flight until this is dropped.
#[derive(Debug)]
pub struct Occupied(Arc<Member>);

impl Occupied {
    /// Counts a call.
    #[must_use]
    pub fn new(member: Arc<Member>) -> Self {
        member.in_flight.fetch_add(1, Relaxed);
        Self(member)
    }

    /// The endpoint itself.
    #[must_use]
    pub const fn member(&self) -> &Arc<Member> {
        &self.0
    }
}

impl Deref for Occupied {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.0
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

//! What a request asks for, and the reservation that it holds then: on which leases, in which slot of
//! the journal, and what is promised to it beyond that.

use crate::limits::ACCOUNTS_PER_REQUEST;

/// A reservation that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    leases: [u16; ACCOUNTS_PER_REQUEST],
    count: usize,
    /// The charge's slot and sequence; absent where there is no journal.
    pub(super) journal: Option<(u16, u64)>,
    /// What a stream may still come to need beyond its reservation.
    pub(super) promised: u64,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// To be reserved now, picodollars.
    pub(super) amount: u64,
    /// What the request may come to cost; above `amount` only for streams.
    pub(super) worst: u64,
}

impl Held {
    /// A reservation on nothing.
    pub(super) const NONE: Self =
        Self { leases: [0; ACCOUNTS_PER_REQUEST], count: 0, journal: None, promised: 0 };

    pub(super) fn leases(&self) -> &[u16] {
        self.leases.get(..self.count).unwrap_or_default()
    }

    /// The reservation has grown by this much.
    pub(super) fn grew(&mut self, amount: u64) {
        self.promised = self.promised.saturating_sub(amount);
    }

    /// Goes on for a reservation that can grow no more, by this much.
    pub(super) const fn take_promise(&mut self, from: &Self, amount: u64) {
        self.promised = from.promised.saturating_sub(amount);
    }

    pub(super) fn push(&mut self, slot: u16) {
        if let Some(place) = self.leases.get_mut(self.count) {
            *place = slot;
            self.count += 1;
        }
    }
}

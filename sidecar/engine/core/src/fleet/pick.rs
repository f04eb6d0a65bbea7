//! Power of two choices: of two endpoints drawn at random the less loaded one, by the hub's level, then
//! by our own calls in flight. Many routers that see the same levels so do not all run to one.

use std::sync::Arc;

use super::member::Member;
use crate::limits;

/// An endpoint at the level that the hub told.
#[derive(Debug, Clone)]
pub struct Slot {
    /// 0 Idle to 4 Full.
    pub level: u8,
    /// Which.
    pub member: Arc<Member>,
}

impl Slot {
    /// The hub says that it can take no more.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.level >= limits::FULL_LEVEL
    }

    /// A worse rank is drawn from only where no better one is left: the last resort is one that this
    /// call has already tried.
    fn rank(&self, tried: &impl Fn(&Arc<Member>) -> bool, now_ms: u64) -> usize {
        if tried(&self.member) {
            3
        } else if self.member.breaker.is_cooling(now_ms) {
            2
        } else {
            usize::from(self.is_full())
        }
    }
}

/// Draws an endpoint; `None` only where there is none. Allocates nothing.
pub fn pick<'a>(
    slots: &'a [Slot],
    tried: impl Fn(&Arc<Member>) -> bool,
    now_ms: u64,
    rng: &mut fastrand::Rng,
) -> Option<&'a Slot> {
    let mut counts = [0_usize; 4];
    for slot in slots {
        counts[slot.rank(&tried, now_ms)] += 1;
    }
    let best = counts.iter().position(|count| *count > 0)?;
    let count = counts[best];
    let first = rng.usize(..count);
    // One of the others, each as likely.
    let second = (first + rng.usize(1..count.max(2))) % count;
    let mut drawn = slots
        .iter()
        .filter(|slot| slot.rank(&tried, now_ms) == best)
        .enumerate()
        .filter(|(place, _)| *place == first || *place == second)
        .map(|(_, slot)| slot);
    // A breaker that closes meanwhile changes ranks: any of them is better than none.
    let one = drawn.next().or_else(|| slots.first())?;
    let Some(two) = drawn.next() else { return Some(one) };
    // Of two that are equal either, lest the first in the list gets more.
    let (one, two) = if rng.bool() { (one, two) } else { (two, one) };
    let load = |slot: &Slot| (slot.level, slot.member.in_flight());
    Some(if load(two) < load(one) { two } else { one })
}

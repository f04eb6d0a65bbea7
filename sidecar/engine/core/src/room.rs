//! How much work there is room for: calls and request bytes in flight, both measured by the memory that
//! the process may take. Who comes when it is full is refused at the request's head; before that, routes
//! of low priority are, as soon as their rule is known.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::Refusal;
use crate::limits;
use crate::table::Priority;

/// The room of one process and what of it is taken.
#[derive(Debug)]
pub struct Room {
    most_calls: u64,
    most_bytes: u64,
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl Room {
    /// The room in so much memory.
    #[must_use]
    pub const fn of(memory_bytes: u64) -> Self {
        let calls = memory_bytes / limits::CALL_BYTES;
        Self {
            most_calls: if calls < limits::IN_FLIGHT_REQUESTS {
                calls
            } else {
                limits::IN_FLIGHT_REQUESTS
            },
            most_bytes: memory_bytes / 100 * limits::IN_FLIGHT_BODY_PERCENT,
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Calls in flight.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Request bytes that they hold.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Request bytes that may be held at once: a body larger than this never finds room.
    #[must_use]
    pub const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// Whether another call may begin, whatever it asks for.
    ///
    /// # Errors
    /// [`Refusal::Shed`].
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.calls() < self.most_calls { Ok(()) } else { Err(Refusal::Shed) }
    }

    /// Whether a call that has begun may go on, now that its route is known. `reserves`: the table has
    /// routes of high priority.
    ///
    /// # Errors
    /// [`Refusal::Shed`].
    pub fn keep(&self, priority: Priority, reserves: bool) -> Result<(), Refusal> {
        let percent = match priority {
            Priority::High => return Ok(()),
            Priority::Normal if !reserves => return Ok(()),
            Priority::Normal => limits::NORMAL_PRIORITY_PERCENT,
            Priority::Low => limits::LOW_PRIORITY_PERCENT,
        };
        let within = |taken: &AtomicU64, most: u64| taken.load(Relaxed) <= most * percent / 100;
        if within(&self.calls, self.most_calls) && within(&self.bytes, self.most_bytes) {
            Ok(())
        } else {
            Err(Refusal::Shed)
        }
    }

    /// One call more.
    pub fn begin(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// One call less.
    pub fn end(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// Counts bytes of a body, also where they are refused: whoever counted them frees them.
    ///
    /// # Errors
    /// [`Refusal::Shed`]: they do not fit.
    pub fn hold(&self, bytes: u64) -> Result<(), Refusal> {
        let held = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        if held > self.most_bytes { Err(Refusal::Shed) } else { Ok(()) }
    }

    /// Gives them back.
    pub fn free(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn room_grows_with_the_memory_up_to_what_sockets_allow() {
        for (memory, calls, bytes) in
            [(256, 4_096, 102), (64, 1_024, 25), (1_024, 16_384, 409), (8_192, 16_384, 3_276)]
        {
            let room = Room::of(memory * MIB);
            assert_eq!((room.most_calls, room.most_bytes / MIB), (calls, bytes), "{memory} MiB");
        }
    }

    #[test]
    fn the_least_important_is_refused_first() {
        let room = Room::of(64 * MIB);
        let kept = |priority, reserves| room.keep(priority, reserves).is_ok();
        let mut last = Vec::new();
        for calls in 1..=1_024 {
            room.admit().unwrap();
            room.begin();
            last.push((
                calls,
                kept(Priority::Low, false),
                kept(Priority::Normal, true),
                kept(Priority::Normal, false),
                kept(Priority::High, true),
            ));
        }
        assert_eq!(room.admit(), Err(Refusal::Shed));
        let most = |kept: fn(&(u64, bool, bool, bool, bool)) -> bool| {
            last.iter().filter(|row| kept(row)).count()
        };
        assert_eq!(
            (most(|row| row.1), most(|row| row.2), most(|row| row.3), most(|row| row.4)),
            (512, 921, 1_024, 1_024)
        );
        room.end();
        room.admit().unwrap();
    }

    #[test]
    fn bytes_count_like_calls() {
        let room = Room::of(100 * MIB);
        room.hold(20 * MIB).unwrap();
        room.keep(Priority::Low, false).unwrap();
        room.hold(1).unwrap();
        assert_eq!(room.keep(Priority::Low, false), Err(Refusal::Shed));
        room.keep(Priority::Normal, true).unwrap();
        assert_eq!(room.hold(20 * MIB), Err(Refusal::Shed));
        room.free(40 * MIB + 1);
        room.keep(Priority::Low, false).unwrap();
    }
}

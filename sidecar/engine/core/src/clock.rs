//! Time as the data plane sees it, behind one trait so that hours and midnights are tested at once.
//! Durations are measured on boot time, which goes on while the machine sleeps: a lease that ran out
//! during a suspend is not spent after it. Wall time serves dates in records and messages only.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// Where every time in core comes from.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since the machine started, suspends included; never falls.
    fn boot_ms(&self) -> u64;

    /// Microseconds since the machine started; for stages and latencies.
    fn boot_us(&self) -> u64;

    /// Unix time in milliseconds; may jump.
    fn wall_ms(&self) -> i64;
}

/// A clock that many owners read.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot_ms(&self) -> u64 {
        self.boot_us() / 1_000
    }

    fn boot_us(&self) -> u64 {
        let now = clock_gettime(ClockId::Boottime);
        unsigned(now.tv_sec) * 1_000_000 + unsigned(now.tv_nsec) / 1_000
    }

    fn wall_ms(&self) -> i64 {
        let now = clock_gettime(ClockId::Realtime);
        now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
    }
}

/// Boot time is never negative.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A clock that stands still until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    boot_us: AtomicU64,
    wall_ms: AtomicI64,
}

impl ManualClock {
    /// Starts at one second after boot and the given Unix time in milliseconds.
    #[must_use]
    pub const fn new(wall_ms: i64) -> Self {
        Self { boot_us: AtomicU64::new(1_000_000), wall_ms: AtomicI64::new(wall_ms) }
    }

    /// Lets time pass on both clocks.
    pub fn advance_ms(&self, elapsed_ms: u64) {
        self.boot_us.fetch_add(elapsed_ms * 1_000, Ordering::SeqCst);
        self.wall_ms.fetch_add(i64::try_from(elapsed_ms).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an administrator or NTP would.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn boot_ms(&self) -> u64 {
        self.boot_us() / 1_000
    }

    fn boot_us(&self) -> u64 {
        self.boot_us.load(Ordering::SeqCst)
    }

    fn wall_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ManualClock, SystemClock};

    #[test]
    fn the_system_clock_moves_forward_in_plausible_units() {
        let clock = SystemClock;
        let (first_us, first_ms) = (clock.boot_us(), clock.boot_ms());
        assert!(clock.boot_us() >= first_us);
        assert!(first_ms.abs_diff(first_us / 1_000) <= 1_000);
        // 2020-01-01 is behind us, in milliseconds.
        assert!(clock.wall_ms() > 1_577_836_800_000);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(1_000);
        let before = clock.boot_ms();
        assert_eq!(clock.boot_ms(), before);
        clock.advance_ms(250);
        assert_eq!((clock.boot_ms() - before, clock.wall_ms()), (250, 1_250));
        clock.set_wall_ms(5);
        assert_eq!((clock.boot_ms() - before, clock.wall_ms()), (250, 5));
    }
}

//! A clock that panics when it is told to: the fault comes in by the door that every engine has, so the
//! program itself needs none for tests.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use pointsman_core::clock::{Clock, SystemClock};

/// Not armed.
const NEVER: i64 = i64::MIN;

/// The machine's clock, until the reading that was chosen.
#[derive(Debug)]
pub(crate) struct FaultyClock {
    left: AtomicI64,
    fired: AtomicBool,
}

impl FaultyClock {
    pub(crate) const fn new() -> Self {
        Self { left: AtomicI64::new(NEVER), fired: AtomicBool::new(false) }
    }

    /// The data thread's reading after `readings` more panics, once.
    pub(crate) fn arm(&self, readings: i64) {
        self.fired.store(false, SeqCst);
        self.left.store(readings, SeqCst);
    }

    /// Ends the arming; whether it came to the panic.
    pub(crate) fn disarm(&self) -> bool {
        self.left.store(NEVER, SeqCst);
        self.fired.load(SeqCst)
    }

    fn read(&self) {
        let here = std::thread::current();
        if here.name() != Some("data-0") || self.left.load(SeqCst) == NEVER {
            return;
        }
        if self.left.fetch_sub(1, SeqCst) == 0 {
            self.left.store(NEVER, SeqCst);
            self.fired.store(true, SeqCst);
            panic!("the clock was told to");
        }
    }
}

impl Clock for FaultyClock {
    fn boot_ms(&self) -> u64 {
        self.read();
        SystemClock.boot_ms()
    }

    fn boot_us(&self) -> u64 {
        self.read();
        SystemClock.boot_us()
    }

    fn wall_ms(&self) -> i64 {
        self.read();
        SystemClock.wall_ms()
    }
}

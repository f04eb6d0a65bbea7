//! Arrivals of the open loop: a kernel timer of nanosecond resolution (tokio's wheel has
//! milliseconds) hands out tickets at a constant rate, whether or not anybody is free to take
//! them, so that a slow proxy cannot slow its own load down.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::Failure;

/// A queue of due arrivals.
pub(crate) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    interval: Duration,
    due: RefCell<VecDeque<Instant>>,
    arrived: Notify,
}

impl Pacer {
    /// A pacer of `rate` arrivals a second.
    ///
    /// # Errors
    /// When the rate is none or the kernel refuses the timer.
    pub(crate) fn new(rate: f64) -> Result<Self, Failure> {
        if !(rate > 0.0 && rate < 1e9) {
            return Err("--rate must be a positive number of requests a second".into());
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the descriptor is owned by the `AsyncFd`, which is its only user and never hands
        // it out; it is deregistered before it is closed.
        let timer = unsafe { AsyncFd::register(timer) }?;
        Ok(Self {
            timer,
            interval: Duration::from_secs_f64(1.0 / rate),
            due: RefCell::default(),
            arrived: Notify::new(),
        })
    }

    /// Hands out tickets until `deadline`.
    ///
    /// # Errors
    /// When the timer cannot be read.
    pub(crate) async fn run(&self, deadline: Instant) -> Result<(), Failure> {
        let step = Timespec {
            tv_sec: i64::try_from(self.interval.as_secs())?,
            tv_nsec: i64::from(self.interval.subsec_nanos()),
        };
        let period = Itimerspec { it_interval: step, it_value: step };
        let mut next = Instant::now();
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &period)?;
        while next < deadline {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            let read = ready.try_io(|timer| {
                rustix::io::read(timer, &mut expirations).map_err(std::io::Error::from)
            });
            if let Ok(outcome) = read {
                outcome?;
                for _ in 0..u64::from_ne_bytes(expirations) {
                    next += self.interval;
                    self.due.borrow_mut().push_back(next);
                    self.arrived.notify_one();
                }
            }
        }
        Ok(())
    }

    /// Arrivals that nobody has taken yet.
    pub(crate) fn backlog(&self) -> usize {
        self.due.borrow().len()
    }

    /// The next arrival's due time; waits for one.
    pub(crate) async fn ticket(&self) -> Instant {
        loop {
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return due;
            }
            self.arrived.notified().await;
        }
    }
}

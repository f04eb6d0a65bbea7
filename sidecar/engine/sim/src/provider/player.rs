//! Plays an answer onto a connection: pays, waits, cuts, stalls, in that order. It is the body
//! that hyper polls, so a client that went away drops it, and with it the [`Call`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::body::Frame;
use tokio::time::sleep;

use super::behaviour::{Action, Cut};
use super::bill::Call;
use super::config::Pace;
use super::reel::Event;
use super::socket::Switch;

/// How long a cut waits, so that what was sent before it is on the wire.
const FLUSH: Duration = Duration::from_millis(2);

/// The body's error: hyper ends the connection (HTTP/2: the stream) on it.
#[derive(Debug)]
pub(crate) struct CutShort;

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script cuts the answer here")
    }
}

impl std::error::Error for CutShort {}

/// Where a fault sits.
#[derive(Clone, Copy)]
enum Point {
    Byte(u64),
    /// Before the event of this number.
    Event(usize),
}

/// An answer being sent.
pub(crate) struct Player {
    events: VecDeque<Event>,
    /// Number of events taken.
    taken: usize,
    /// The part of the current event that is not sent yet.
    rest: Bytes,
    sent: u64,
    cut: Option<Point>,
    stall: Option<Point>,
    kind: Cut,
    chunk_bytes: usize,
    first_token: Duration,
    tokens_per_second: u64,
    billed: bool,
    call: Call,
    switch: Arc<Switch>,
}

impl Player {
    /// Prepares `events` under the script's `action`. With `billed` false nothing is charged.
    pub(crate) fn new(
        events: Vec<Event>,
        action: &Action,
        pace: Pace,
        call: Call,
        switch: Arc<Switch>,
        billed: bool,
    ) -> Self {
        let point = |byte: Option<u64>, event: Option<usize>| {
            byte.map(Point::Byte).or(event.map(Point::Event))
        };
        Self {
            events: events.into(),
            taken: 0,
            rest: Bytes::new(),
            sent: 0,
            cut: point(action.cut_at_byte, action.cut_at_event),
            stall: point(action.stall_at_byte, action.stall_at_event),
            kind: action.cut,
            chunk_bytes: action.chunk_bytes.filter(|bytes| *bytes > 0).unwrap_or(usize::MAX),
            first_token: Duration::from_millis(
                action.first_token_ms.unwrap_or(pace.first_token_ms),
            ),
            tokens_per_second: action.tokens_per_second.unwrap_or(pace.tokens_per_second),
            billed,
            call,
            switch,
        }
    }

    /// The body's frames.
    pub(crate) fn frames(self) -> impl Stream<Item = Result<Frame<Bytes>, CutShort>> {
        stream::unfold(self, |mut player| async move {
            let item = player.next().await?;
            Some((item, player))
        })
    }

    async fn next(&mut self) -> Option<Result<Frame<Bytes>, CutShort>> {
        if self.rest.is_empty() {
            if self.reached(self.cut) {
                return self.end_early().await;
            }
            if self.reached(self.stall) {
                std::future::pending::<()>().await;
            }
            let event = self.events.pop_front()?;
            self.wait(event.weight).await;
            self.taken += 1;
            self.pay(&event);
            self.rest = event.bytes;
        } else if self.chunk_bytes != usize::MAX {
            // Lets hyper flush, so that pieces are separate writes.
            tokio::task::yield_now().await;
        }
        if self.reached(self.cut) {
            return self.end_early().await;
        }
        if self.reached(self.stall) {
            std::future::pending::<()>().await;
        }
        let piece = self.rest.split_to(self.rest.len().min(self.room()));
        self.sent += piece.len() as u64;
        if self.events.is_empty() && self.rest.is_empty() && !self.fault_follows() {
            // hyper drops a body of known length without asking for its end.
            self.call.close();
        }
        Some(Ok(Frame::data(piece)))
    }

    /// Pays for an event before it is sent; the last one settles the call.
    fn pay(&mut self, event: &Event) {
        if !self.billed {
            return;
        }
        if self.events.is_empty() && !self.fault_follows() {
            self.call.settle(event.tokens);
        } else {
            self.call.pay(event.tokens);
        }
    }

    /// Waits for the first token once, then at the pace of the tokens.
    async fn wait(&mut self, weight: u64) {
        if weight == 0 {
            return;
        }
        let mut pause = std::mem::take(&mut self.first_token);
        if pause.is_zero()
            && let Some(micros) = (weight * 1_000_000).checked_div(self.tokens_per_second)
        {
            pause = Duration::from_micros(micros);
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    /// Bytes that may go out in one piece.
    fn room(&self) -> usize {
        let mut room = self.chunk_bytes;
        for point in [self.cut, self.stall].into_iter().flatten() {
            if let Point::Byte(at) = point {
                let left = at.saturating_sub(self.sent);
                room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
        }
        room
    }

    fn reached(&self, point: Option<Point>) -> bool {
        match point {
            Some(Point::Byte(at)) => self.sent >= at,
            Some(Point::Event(at)) => self.rest.is_empty() && self.taken >= at,
            None => false,
        }
    }

    /// Whether a cut or stall still lies ahead once all events are taken.
    fn fault_follows(&self) -> bool {
        [self.cut, self.stall].into_iter().flatten().any(|point| match point {
            Point::Byte(at) => at <= self.sent + self.rest.len() as u64,
            Point::Event(at) => at <= self.taken,
        })
    }

    async fn end_early(&mut self) -> Option<Result<Frame<Bytes>, CutShort>> {
        sleep(FLUSH).await;
        self.call.close();
        match (self.kind, self.switch.is_http2()) {
            (Cut::End, _) | (Cut::Eof, true) => return None,
            (Cut::Reset, false) => self.switch.reset_on_close(),
            (Cut::Eof, false) | (Cut::Reset, true) => {}
        }
        self.cut = None;
        self.events.clear();
        Some(Err(CutShort))
    }
}

//! A stream on its way down: frames pass as they come, money is metered along, and a stream that did
//! not end properly upstream never looks complete downstream (I9): the native error event goes down,
//! then the body is aborted without its terminating chunk.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::budget::Patience;
use crate::call::{Call, DRAINED, Outcome};
use crate::decode::Decoder;
use crate::dispatch::Opened;
use crate::error::{Class, Refusal};
use crate::limits;
use crate::reserve;
use crate::sse::{Stream, StreamFault};
use crate::upstream::Connection;
use crate::usage::Ending;

/// The body was aborted on purpose; the app's client must see a broken connection.
#[derive(Debug, thiserror::Error)]
#[error("the stream was cut")]
pub struct Cut;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Relaying,
    /// The reservation is used up: the ledger has so long to grant more; upstream waits.
    Paying {
        patience: Patience,
    },
    /// The error event is on its way; the body is aborted once hyper has had its chance to flush it.
    Cutting {
        flushed: bool,
    },
    Ended,
}

/// One stream in relay.
#[derive(Debug)]
pub struct Relay {
    call: Box<Call>,
    upstream: Option<(Incoming, Connection)>,
    stream: Stream,
    decoder: Option<Decoder>,
    ready: VecDeque<Bytes>,
    out: Vec<Bytes>,
    state: State,
    timer: Pin<Box<Sleep>>,
    last_piece: Instant,
    idle: Duration,
    deadline: Instant,
}

/// How long the error event gets to reach the socket before the body is aborted.
const FLUSH_TIME: Duration = Duration::from_millis(limits::CUT_FLUSH_MS);
/// Between two tries to pay.
const PAYMENT_PAUSE: Duration = Duration::from_millis(limits::PAYMENT_PAUSE_MS);
/// How long a finished stream's connection may take to show its end, to be used again.
const RECYCLE_TIME: Duration = Duration::from_millis(limits::RECYCLE_MS);

impl Relay {
    /// Takes over an opened stream and its call.
    #[must_use]
    pub fn new(call: Box<Call>, opened: Opened, deadline: Instant) -> Self {
        let timeouts = call.route().map(|route| route.route.timeouts).unwrap_or_default();
        let idle = Duration::from_millis(timeouts.stream_idle_ms);
        let now = Instant::now();
        let mut relay = Self {
            call,
            upstream: Some((opened.body, opened.connection)),
            stream: opened.stream,
            decoder: opened.decoder,
            ready: opened.ready,
            out: Vec::new(),
            state: State::Relaying,
            timer: Box::pin(tokio::time::sleep_until(deadline.min(now + idle))),
            last_piece: now,
            idle,
            deadline,
        };
        relay.meter();
        relay
    }

    /// The next frame for the app.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match self.state {
                State::Ended => return Poll::Ready(None),
                State::Cutting { flushed } => return self.poll_cut(flushed, cx),
                _ if self.call.worker().cut_short.get() => {
                    self.cut_by_us(&Refusal::Draining);
                    continue;
                }
                State::Paying { patience } => std::task::ready!(self.poll_payment(&patience, cx)),
                State::Relaying => {}
            }
            if self.state != State::Relaying {
                continue;
            }
            let Some((body, _)) = &mut self.upstream else {
                self.cut(&StreamFault::Truncated);
                continue;
            };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        self.take(piece);
                    }
                }
                Poll::Ready(Some(Err(_))) => self.cut(&StreamFault::Broken),
                Poll::Ready(None) => self.upstream_ended(),
                Poll::Pending if self.stream.done() => self.complete(false),
                Poll::Pending => {
                    std::task::ready!(self.timer.as_mut().poll(cx));
                    self.on_timer();
                }
            }
        }
    }

    fn take(&mut self, piece: Bytes) {
        self.last_piece = Instant::now();
        let piece = match &mut self.decoder {
            None => piece,
            Some(decoder) => match decoder.push(&piece) {
                Ok(piece) => piece,
                Err(fault) => return self.cut(&fault.into()),
            },
        };
        let before = self.stream.seen().bytes;
        let pushed = self.stream.push(piece, &mut self.out);
        self.ready.extend(self.out.drain(..));
        self.meter();
        if let Err(fault) = pushed {
            return self.cut(&fault);
        }
        // What ends an answer (its usage, `[DONE]`) costs nothing more and is never held back.
        let goes_on = self.stream.seen().bytes > before && !self.stream.done();
        let paid =
            if goes_on { reserve::top_up(&mut self.call, self.stream.seen()) } else { Ok(()) };
        match paid {
            Ok(()) => {}
            Err(refusal) if is_final(&refusal) => self.cut_by_us(&refusal),
            Err(_) => {
                let patience = self.call.worker().shared.book.patience();
                self.timer.as_mut().reset(Instant::now());
                self.state = State::Paying { patience };
            }
        }
    }

    /// Tries again until the ledger grants more or its time is over; then the stream is cut.
    fn poll_payment(&mut self, patience: &Patience, cx: &mut Context<'_>) -> Poll<()> {
        std::task::ready!(self.timer.as_mut().poll(cx));
        let now = Instant::now();
        let until = self.call.worker().shared.book.patience_end(patience);
        match reserve::top_up(&mut self.call, self.stream.seen()) {
            Ok(()) => {
                self.state = State::Relaying;
                self.timer.as_mut().reset(self.deadline.min(now + self.idle));
            }
            Err(_) if now >= self.deadline => self.cut_by_us(&self.overdue()),
            Err(refusal) if now >= until || is_final(&refusal) => self.cut_by_us(&refusal),
            Err(_) => self.timer.as_mut().reset(now + PAYMENT_PAUSE),
        }
        Poll::Ready(())
    }

    fn upstream_ended(&mut self) {
        let finished = self.stream.finish(&mut self.out);
        self.ready.extend(self.out.drain(..));
        match finished {
            Ok(()) => self.complete(true),
            Err(fault) => self.cut(&fault),
        }
    }

    /// Books what has come so far: the provider's usage where it said so, else an upper bound.
    fn meter(&mut self) {
        let ending = if self.stream.done() { Ending::Complete } else { Ending::Cut };
        self.call.book_seen(self.stream.seen(), ending);
    }

    /// `ended`: the upstream's body has shown its end, so its connection may be used again.
    fn complete(&mut self, ended: bool) {
        self.call.book_seen(self.stream.seen(), Ending::Complete);
        self.call.learn(self.stream.seen());
        self.call.note_upstream(self.stream.upstream_id().unwrap_or_default());
        self.call.target_answered();
        self.call.end(Outcome::Ok, 200);
        self.state = State::Ended;
        if let Some((body, connection)) = self.upstream.take() {
            if ended {
                connection.recycle();
            } else {
                tokio::task::spawn_local(recycle_at_end(body, connection));
            }
        }
    }

    fn cut(&mut self, fault: &StreamFault) {
        self.upstream = None;
        self.call.target_failed(Class::MidStream);
        let dialect = self.call.surface.dialect();
        self.ready.push_back(self.stream.cut_event(dialect, fault, &self.call.id));
        self.begin_cut(Class::MidStream);
    }

    /// Nothing is wrong with the provider: a Budget, a timeout, the drain or a fault of ours ends it.
    fn cut_by_us(&mut self, refusal: &Refusal) {
        self.upstream = None; // cancels the provider's work at once
        let dialect = self.call.surface.dialect();
        self.ready.push_back(self.stream.refusal_cut_event(dialect, refusal, &self.call.id));
        let class = self.note_why(refusal);
        self.begin_cut(class);
    }

    fn note_why(&mut self, refusal: &Refusal) -> Class {
        let (class, why) = match refusal {
            Refusal::Draining => (Class::MidStream, Some(DRAINED)),
            Refusal::DeadlineExceeded { .. } => (Class::MidStream, Some(OVERDUE)),
            other => (other.class(), None),
        };
        self.call.ended_by = why;
        self.call.target_spared(class);
        class
    }

    fn overdue(&self) -> Refusal {
        Refusal::DeadlineExceeded { total_ms: self.call.total_ms() }
    }

    /// A panic of ours in mid-stream: the caller is told, the connection is aborted.
    pub fn crashed(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.call.worker().shared.stats.panics.inc();
        if !self.running() {
            self.state = State::Ended;
            return Poll::Ready(Some(Err(Cut)));
        }
        if self.stream.done() && self.ready.is_empty() {
            self.complete(false); // the caller has it whole: only our books were left to do
            return Poll::Ready(None);
        }
        self.ready.clear(); // what it holds may be the half of something
        self.cut_by_us(&Refusal::Internal);
        Poll::Ready(self.ready.pop_front().map(|event| Ok(Frame::data(event))))
    }

    const fn running(&self) -> bool {
        matches!(self.state, State::Relaying | State::Paying { .. })
    }

    fn begin_cut(&mut self, class: Class) {
        self.call.attempt_cut(class, self.stream.upstream_id().unwrap_or_default());
        self.call.end(Outcome::Cut, 200);
        self.state = State::Cutting { flushed: false };
    }

    /// Lets hyper flush the error event, then aborts the body.
    fn poll_cut(
        &mut self,
        flushed: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !flushed {
            self.timer.as_mut().reset(Instant::now() + FLUSH_TIME);
            self.state = State::Cutting { flushed: true };
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        self.state = State::Ended;
        Poll::Ready(Some(Err(Cut)))
    }

    /// The timer is set once and looked at when it fires: a reset a piece would cost more.
    fn on_timer(&mut self) {
        let now = Instant::now();
        let idle_end = self.last_piece + self.idle;
        if now >= idle_end {
            self.cut(&StreamFault::Stalled);
        } else if now >= self.deadline {
            self.cut_by_us(&self.overdue());
        } else {
            self.timer.as_mut().reset(idle_end.min(self.deadline));
        }
    }
}

impl Drop for Relay {
    /// A caller that does not read is never told, because nobody asks for the next frame: its socket
    /// gives up at the deadline (`serve::patient`), or the drain does. It has not left, so it is cut.
    fn drop(&mut self) {
        if !self.running() {
            return;
        }
        let refusal = if self.call.worker().cut_short.get() {
            Refusal::Draining
        } else if Instant::now() >= self.deadline {
            self.overdue()
        } else {
            return;
        };
        let class = self.note_why(&refusal);
        self.begin_cut(class);
    }
}

/// Why a call ended whose provider was still answering.
pub(crate) const OVERDUE: &str = "timeouts.total was over";

/// The money is gone, so waiting would only let the provider bill more.
const fn is_final(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Budget { no, .. } if no.is_final())
}

async fn recycle_at_end(mut body: Incoming, connection: Connection) {
    use http_body_util::BodyExt;
    // `is_end_stream` never says so of a chunked body: only the frame after the last one does.
    let end = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    if tokio::time::timeout(RECYCLE_TIME, end).await.is_ok_and(|whole| whole) {
        connection.recycle();
    }
}

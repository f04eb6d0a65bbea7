//! The beginning of a stream, held back for as long as its route says (`holdBack`): what breaks off
//! there has not gone down, and the next attempt is made as if there had been no content.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{Attempted, Failure, Opened};
use crate::call::Call;
use crate::error::Class;
use crate::intake::HeldBytes;
use crate::limits;
use crate::reserve;
use crate::sse::StreamFault;
use crate::table::HoldBack;
use crate::usage::Ending;

/// What there is to wait for.
enum Next {
    Piece(Bytes),
    End,
    Fault(StreamFault),
    /// The time to hold is over.
    Enough,
    /// The time of the whole call is.
    Late,
}

/// Reads on until there is enough of it. At every await the call has booked what has come: dropped
/// here, it loses no money.
pub(super) async fn hold(
    call: &mut Call,
    mut opened: Box<Opened>,
    hold: HoldBack,
    deadline: Instant,
) -> Attempted {
    call.first_token();
    let began = Instant::now();
    let end = hold.ms.map(|ms| began + Duration::from_millis(ms));
    let mut held = HeldBytes::none(&call.worker().shared);
    let mut counted = 0;
    loop {
        let bytes: usize = opened.ready.iter().map(Bytes::len).sum();
        // Where there is no room to hold it, it goes down.
        let fits = held.more((bytes - counted) as u64);
        counted = bytes;
        book(call, &opened);
        if !fits || bytes > limits::STREAM_HOLD_BYTES || suffices(call, &opened, hold) {
            return Attempted::Stream(opened);
        }
        if reserve::top_up(call, opened.stream.seen()).is_err() {
            return Attempted::Stream(opened); // the relay waits for money, or cuts
        }
        let fault = match next(call, &mut opened, end, deadline).await {
            Next::Piece(piece) => take(&mut opened, piece).err(),
            Next::End => finish(&mut opened).err(),
            Next::Fault(fault) => Some(fault),
            Next::Enough => return Attempted::Stream(opened),
            Next::Late => return failed(call, &opened, Class::SlowFirstToken),
        };
        if let Some(fault) = fault {
            book(call, &opened);
            return failed(call, &opened, fault.class(false));
        }
    }
}

/// Whether it has ended, or as many tokens have come as are held back: by the bytes that a token of this
/// model usually has.
fn suffices(call: &Call, opened: &Opened, hold: HoldBack) -> bool {
    let come = call
        .model()
        .map_or(u64::MAX, |(_, planned)| planned.calibration.tokens(opened.stream.seen().bytes));
    opened.stream.done() || hold.tokens.is_some_and(|tokens| come >= u64::from(tokens))
}

async fn next(call: &Call, opened: &mut Opened, end: Option<Instant>, deadline: Instant) -> Next {
    let timeouts = call.route().map(|route| route.route.timeouts).unwrap_or_default();
    let idle_end = Instant::now() + Duration::from_millis(timeouts.stream_idle_ms);
    let until = deadline.min(idle_end).min(end.unwrap_or(deadline));
    let frame = async {
        loop {
            match opened.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Next::Piece(piece);
                    }
                }
                Some(Err(_)) => return Next::Fault(StreamFault::Broken),
                None => return Next::End,
            }
        }
    };
    match tokio::time::timeout_at(until, frame).await {
        Ok(next) => next,
        Err(_) if end.is_some_and(|end| end <= until) => Next::Enough,
        Err(_) if deadline <= until => Next::Late,
        Err(_) => Next::Fault(StreamFault::Stalled),
    }
}

fn take(opened: &mut Opened, piece: Bytes) -> Result<(), StreamFault> {
    let piece = match &mut opened.decoder {
        None => piece,
        Some(decoder) => decoder.push(&piece)?,
    };
    let mut out = Vec::new();
    let pushed = opened.stream.push(piece, &mut out);
    opened.ready.extend(out);
    pushed.map(drop)
}

fn finish(opened: &mut Opened) -> Result<(), StreamFault> {
    let mut out = Vec::new();
    let finished = opened.stream.finish(&mut out);
    opened.ready.extend(out);
    finished
}

fn book(call: &mut Call, opened: &Opened) {
    let ending = if opened.stream.done() { Ending::Complete } else { Ending::Cut };
    call.book_seen(opened.stream.seen(), ending);
}

fn failed(call: &mut Call, opened: &Opened, class: Class) -> Attempted {
    call.note_upstream(opened.stream.upstream_id().unwrap_or_default());
    Attempted::Failed(Failure::new(class, 200, true))
}

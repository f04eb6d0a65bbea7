//! The conversation with the hub's ledger, on the background thread: reports what the book holds,
//! fetches what it needs, says farewell for former boots and, at shutdown, for this one. `document`
//! is what is said, `session` who has said what, `pace` when, `transport` how.

pub mod document;
mod farewell;
pub mod instant;
mod pace;
mod session;
mod transport;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::document::{SyncAnswer, SyncRequest};
pub use self::farewell::farewell;
use self::pace::Pace;
pub use self::session::{SyncState, Unexpected};
pub use self::transport::{HttpTransport, SyncError, Transport};
use crate::budget::Book;
use crate::journal::Recovered;
use crate::limits::{FINAL_REPORT_MS, FINAL_RETRY_MS};

/// Syncs until `shutdown` resolves (after the drain: charges that are open then count as
/// unconfirmed), then reports the end of this boot. True: the hub has answered everything, the
/// journal is gone; false: the next start reports from it.
pub async fn run<T: Transport>(
    book: Arc<Book>,
    recovered: Vec<Recovered>,
    transport: T,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let mut session = SyncState::new(book.clone());
    let mut recovered = recovered;
    let mut shutdown = pin!(shutdown);
    let live = async {
        let mut pace = Pace::new();
        loop {
            pace.due(&book).await;
            let _now_served = book.take_urgency();
            let request = session.request(false);
            let outcome = exchange(&transport, &request).await.map(|it| session.answered(&it));
            let well = matches!(outcome, Ok(Ok(())));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(Unexpected::Stale)) => session.failed("the hub answered another request"),
                Err(error) => session.failed(&error.to_string()),
            }
            if well && !book.spends_former() {
                // Not before the living are served, nor while calls run on what a former boot left:
                // its end gives that back. A failure shows at the next sync.
                let _later = say_farewells(&book, &transport, &mut recovered).await;
                book.reopen_journal(recovered.len());
            }
            pace.ended(well);
        }
    };
    tokio::select! {
        biased;
        () = &mut shutdown => {}
        () = live => {}
    }
    let last = end(&book, &mut session, &transport, &mut recovered);
    tokio::time::timeout(Duration::from_millis(FINAL_REPORT_MS), last).await.is_ok()
}

/// Tries the last report until it is answered.
async fn end<T: Transport>(
    book: &Arc<Book>,
    session: &mut SyncState,
    transport: &T,
    recovered: &mut Vec<Recovered>,
) {
    loop {
        let request = session.request(true);
        let said = match exchange(transport, &request).await {
            Ok(answer) => say_farewells(book, transport, recovered).await.map(|()| answer),
            Err(error) => Err(error),
        };
        match said {
            Ok(_) => return book.retire_journal(),
            Err(error) => session.failed(&error.to_string()),
        }
        tokio::time::sleep(Duration::from_millis(FINAL_RETRY_MS)).await;
    }
}

/// Reports former boots, each under its own name; those that are answered are done.
async fn say_farewells<T: Transport>(
    book: &Book,
    transport: &T,
    recovered: &mut Vec<Recovered>,
) -> Result<(), SyncError> {
    let mut said = Ok(());
    for _ in 0..recovered.len() {
        let Some(former) = recovered.first() else { break };
        match exchange(transport, &farewell(&book.holder().sidecar, former)).await {
            Ok(_) => {
                former.discard();
                recovered.remove(0);
            }
            // The next one is not held up by a report that the hub will not have.
            Err(error) => {
                let answered = matches!(error, SyncError::Status(_));
                recovered.rotate_left(1);
                said = Err(error);
                if !answered {
                    break;
                }
            }
        }
    }
    said
}

async fn exchange<T: Transport>(
    transport: &T,
    request: &SyncRequest,
) -> Result<SyncAnswer, SyncError> {
    let unclear = |error: serde_json::Error| SyncError::Answer(error.to_string());
    let body = serde_json::to_vec(request).map_err(unclear)?;
    let answer = transport.post(Bytes::from(body)).await?;
    serde_json::from_slice(&answer).map_err(unclear)
}

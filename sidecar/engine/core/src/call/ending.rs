//! Ends a call after its answer is on its way: settling, counting and recording are nothing that an
//! app should wait for. A crash before then leaves the reservation open, which counts as unconfirmed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::{Call, Outcome};
use crate::handle::Worker;

/// A call whose answer is complete; dropping it ends the call, so that nothing of it is lost when
/// the thread ends first.
struct Ending {
    call: Box<Call>,
    worker: Rc<Worker>,
    outcome: Outcome,
    status: u16,
}

impl Call {
    /// Ends the call as soon as the task that runs now, its connection's, has written the answer.
    pub fn end_after_answer(self: Box<Self>, outcome: Outcome, status: u16) {
        let worker = self.worker.clone();
        worker.ending.set(worker.ending.get() + 1);
        let ending = Ending { call: self, worker, outcome, status };
        tokio::task::spawn_local(async move { drop(ending) });
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.worker.ending.set(self.worker.ending.get() - 1);
        let mut end = || self.call.end(self.outcome, self.status);
        // Nobody awaits this: a fault is counted here or nowhere. The answer is whole all the same.
        if catch_unwind(AssertUnwindSafe(&mut end)).is_err() {
            self.worker.shared.stats.panics.inc();
            end();
        }
    }
}

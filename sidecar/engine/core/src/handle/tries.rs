//! Candidates one after the other, until one answers or none is left to try.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use crate::attempt::{Attempts, Failed, Step};
use crate::call::Call;
use crate::dispatch::{self, Attempted, Failure};
use crate::error::{Cooldown, Refusal};
use crate::reserve;
use crate::table::Retries;

/// Tries candidates in order until one answers or none is left to try.
pub(super) async fn try_candidates(
    call: &mut Call,
    pieces: &[Bytes],
    head: &HeaderMap,
    deadline: Instant,
) -> Result<Attempted, Refusal> {
    let Some(route) = call.route() else { return Err(Refusal::Internal) };
    let retries = route.route.retries;
    let usable = call.rows.iter().filter(|row| row.usable()).count();
    let mut attempts = Attempts::new(retries);
    let mut asked = 0;
    loop {
        call.choose(attempts.place());
        if let Some(next) = call.passes_over(attempts.place(), usable) {
            attempts.pass_to(next);
            continue;
        }
        if attempts.place() >= asked {
            asked = attempts.place() + 1;
            call.earn_retries(&retries);
        }
        let attempted = if call.take_endpoint(deadline).await {
            let reserving = call.elapsed_us();
            call.enter_stage("budget");
            reserve::reserve(call, head).await?;
            call.stages.budget += call.elapsed_us() - reserving;
            call.leave_stage();
            let translated = if call.is_reworded() {
                Box::pin(call.translated(pieces)).await?
            } else {
                call.dropped = None;
                None
            };
            call.take_part(deadline).await?;
            call.begin_attempt();
            let more = attempts.made() < retries.max_attempts;
            let leaving = more.then(|| call.leaving(attempts.place() + 1 < usable)).flatten();
            dispatch::attempt(call, (pieces, translated), head, deadline, leaving).await
        } else {
            call.begin_attempt();
            Attempted::Failed(Failure::no_endpoint())
        };
        let Attempted::Failed(failure) = attempted else { return Ok(attempted) };
        call.attempt_failed(&failure);
        // Boxed: few calls fail.
        if !Box::pin(goes_on(call, &mut attempts, &failure, usable, deadline)).await {
            return Ok(Attempted::Failed(failure));
        }
    }
}

/// Whether there is another attempt after this failure; returns when it is due.
async fn goes_on(
    call: &Call,
    attempts: &mut Attempts,
    failure: &Failure,
    usable: usize,
    deadline: Instant,
) -> bool {
    // Before the credential rests: what was refused may be an old token of a good identity.
    if failure.refuses_key() && attempts.renew() {
        let renewed = tokio::time::timeout_at(deadline, dispatch::renewed(call));
        if renewed.await.unwrap_or(false) {
            return true;
        }
    }
    call.cool_target(failure);
    let Some((_, planned)) = call.model() else { return false };
    let failed = Failed {
        class: failure.class,
        retry_after: failure.retry_after,
        again: call.again(failure),
        next: next_place(call, failure, attempts.place(), usable),
        // A gateway's caller, who knows of other candidates, waits; the gateway does not.
        hopeless: failure.hopeless.is_some(),
        unsent: failure.unsent() && call.plan.table.gateway.is_none(),
        to_gateway: call.goes_to_gateway(),
    };
    let budget = &planned.retry_budget;
    let now_ms = call.worker().shared.clock.boot_ms();
    let (pause, _waiting) = match attempts.after(&failed, budget, now_ms) {
        Step::Try { pause, .. } => (pause, None),
        Step::Wait { pause, .. } => match budget.wait() {
            Some(waiting) => (pause, Some(waiting)),
            None => return false,
        },
        Step::GiveUp => return false,
    };
    if Instant::now() + pause >= deadline {
        return false;
    }
    if pause > Duration::ZERO {
        tokio::time::sleep(pause).await;
    }
    true
}

/// The next candidate that this failure allows and that may do better: a prompt that was too long
/// needs a larger window, a key that was refused is refused to all who use it.
fn next_place(call: &Call, failure: &Failure, place: usize, usable: usize) -> Option<usize> {
    let stays = if failure.left {
        !call.may_overflow()
    } else {
        call.route().is_some_and(|route| !route.route.overflow.on_error)
    };
    if stays || (!failure.class.fall_back() && !failure.capability_gap) {
        return None;
    }
    let window = |place: usize| {
        let row = call.rows.get(place)?;
        Some(call.plan.table.models[call.model_of(row)].context_window)
    };
    let larger =
        |next: &usize| !failure.class.larger_window_only() || window(*next) > window(place);
    let planned = |place: usize| Some(&call.plan.models[call.model_of(call.rows.get(place)?)]);
    let same_key = |next: usize| {
        planned(place).zip(planned(next)).is_some_and(|(one, two)| one.shares_credential(two))
    };
    let key_rests = matches!(failure.cooldown(), Cooldown::Credential(_));
    (place + 1..usable).filter(larger).find(|next| !(key_rests && same_key(*next)))
}

impl Call {
    /// The current candidate is asked for the first time.
    fn earn_retries(&self, retries: &Retries) {
        if let Some((_, planned)) = self.model() {
            planned.retry_budget.earn(retries);
        }
    }
}

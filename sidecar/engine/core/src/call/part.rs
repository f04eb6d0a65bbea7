//! What a call takes of its model's limits. Calls of models without limits pass by one comparison.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Call, Outcome};
use crate::error::{Limited, Refusal};
use crate::features::Task;
use crate::limits;
use crate::quota::Quota;
use crate::select::{Row, usual_answer};

impl Call {
    /// Where to go on without an attempt: the share of the candidate at this place is spent, and the
    /// route lets its calls go to the next.
    #[must_use]
    pub fn passes_over(&self, place: usize, usable: usize) -> Option<usize> {
        let quota = self.quota()?;
        let next = Some(place + 1).filter(|next| *next < usable)?;
        let overflows = self.route()?.route.overflow.on_saturated;
        if !overflows || quota.has_room(self.limited_tokens()) {
            return None;
        }
        quota.note_asked(self.limited_tokens());
        Some(next)
    }

    /// The passed-over candidate would have liked the call, too: its share grows by what is asked for.
    pub(super) fn note_passed(&self, row: &Row) {
        if let Some(quota) = &self.plan.models[self.model_of(row)].quota {
            quota.note_asked(self.estimated_tokens());
        }
    }

    /// Takes a part of the chosen model's limits for an attempt that goes out now, and waits for one
    /// where it must. Cancel-safe.
    ///
    /// # Errors
    /// [`Refusal::Limited`].
    pub async fn take_part(&mut self, deadline: Instant) -> Result<(), Refusal> {
        self.part = None;
        let Some(quota) = self.quota().cloned() else { return Ok(()) };
        if self.surface.counts() {
            return Ok(()); // providers count that apart
        }
        let tokens = self.limited_tokens();
        quota.note_asked(tokens);
        let until = deadline.min(Instant::now() + self.limit_patience(&quota));
        // Boxed: few models have limits, and all calls would be larger by what a wait holds.
        match Box::pin(quota.acquire(tokens, until)).await {
            Ok(taken) => self.part = Some(taken),
            Err(by) => {
                let model = self.model().map(|(model, _)| model.name.clone()).unwrap_or_default();
                let away = self.worker.shared.quotas.trouble().map(|why| why.to_string());
                return Err(Refusal::Limited(Limited { model, by, away }));
            }
        }
        Ok(())
    }

    /// The attempt failed: what it was not billed for counts no tokens.
    pub(super) fn part_failed(&mut self, billable: bool) {
        if let Some(part) = self.part.take() {
            part.settle((!billable).then_some(0), billable);
        }
    }

    /// The call is over. Where it broke off, the provider may still be at it.
    pub(super) fn part_ended(&mut self, outcome: Outcome) {
        let Some(part) = self.part.take() else { return };
        let usage = self.booked.usage;
        let told = self.booked.reported.then(|| usage.input.saturating_add(usage.output));
        part.settle(told, outcome != Outcome::Ok);
    }

    fn quota(&self) -> Option<&Arc<Quota>> {
        self.model()?.1.quota.as_ref()
    }

    /// A gateway's caller has other candidates, perhaps; and where nothing is held and nobody can be
    /// asked, waiting helps little.
    fn limit_patience(&self, quota: &Quota) -> Duration {
        let lost = quota.is_empty() && self.worker.shared.quotas.trouble().is_some();
        let short = lost || self.plan.table.gateway.is_some();
        let patience_ms = if short { limits::BUDGET_WAIT_MS } else { limits::BUDGET_CALLED_MS };
        Duration::from_millis(patience_ms)
    }

    /// Tokens of the prompt, by its length, and of the answer: at most what caps it, else as usual.
    fn limited_tokens(&self) -> u64 {
        let prompt = self.estimated_tokens();
        let Some((model, _)) = self.model().filter(|_| self.surface.generates()) else {
            return prompt;
        };
        let each = self.choices();
        let cap = self.capped.map(|cap| cap.saturating_mul(each)).or_else(|| self.output_cap());
        let usual = || usual_answer(model, self.task.unwrap_or(Task::Other)).saturating_mul(each);
        let most = model.max_output_tokens.saturating_mul(each);
        prompt.saturating_add(cap.unwrap_or_else(usual).min(most))
    }
}

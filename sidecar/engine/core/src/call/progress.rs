//! What happens to a call on its way: attempts begin and fail, targets answer, tokens are booked.

use super::{Booked, Call};
use crate::choose;
use crate::dispatch::Failure;
use crate::error::{Class, Cooldown, Hopeless};
use crate::limits;
use crate::plan::Taken;
use crate::price;
use crate::record::AttemptRow;
use crate::select::Row;
use crate::surface::Surface;
use crate::usage::{Ending, Seen, Usage};
use crate::wire::openai_chat::Answer;

impl Call {
    /// Place in `plan.models` of a row.
    #[must_use]
    pub fn model_of(&self, row: &Row) -> usize {
        self.route().map_or(0, |route| route.candidates[row.candidate])
    }

    /// Makes the candidate at this place of the order the current one.
    pub fn choose(&mut self, place: usize) {
        self.chosen = self.rows.get(place).map(|row| self.model_of(row));
    }

    /// Whether the current candidate is behind the gateway of another namespace.
    #[must_use]
    pub fn goes_to_gateway(&self) -> bool {
        self.model().is_some_and(|(model, _)| model.provider.gateway.is_some())
    }

    /// Expected picodollars of the current candidate.
    #[must_use]
    pub fn expected_cost(&self) -> u64 {
        let chosen = self.rows.iter().find(|row| Some(self.model_of(row)) == self.chosen);
        chosen.map_or(0, |row| row.cost)
    }

    /// The caller's own cap on the answer, over all choices.
    #[must_use]
    pub fn output_cap(&self) -> Option<u64> {
        let cap = self.scan.max_completion_tokens.as_ref().or(self.scan.max_tokens.as_ref())?;
        Some(cap.value.saturating_mul(self.choices()))
    }

    /// Choices asked for; of the older completions, of each of several prompts.
    #[must_use]
    pub fn choices(&self) -> u64 {
        let n = self.scan.n.unwrap_or(1).max(1);
        match self.surface {
            Surface::Completions => n.saturating_mul(u64::from(self.scan.message_count).max(1)),
            _ => n,
        }
    }

    /// Prompt tokens as a count for callers, all of the request's body in it: tools and their schemas too.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        let text = (self.scan.body_len as u64).saturating_sub(self.scan.image_data_bytes);
        let images = u64::from(self.scan.image_parts) * choose::TOKENS_PER_IMAGE;
        (text / choose::BYTES_PER_TOKEN + images).max(self.prompt_tokens)
    }

    /// An attempt at the chosen model goes out.
    pub fn begin_attempt(&mut self) {
        let start_us = self.elapsed_us();
        self.first_content_us = 0;
        let Some((_, planned)) = self.model() else { return };
        planned.on_dispatch(self.target.as_deref(), self.now_ms());
        let row = AttemptRow {
            model: planned.name.clone(),
            class: "ok",
            why: None,
            status: 0,
            start_us,
            first_byte_us: 0,
            end_us: 0,
            upstream_id: String::new(),
            endpoint: self.target.as_ref().map(|target| target.member().clone()),
            left: false,
        };
        self.attempts.push(row);
        self.trace_attempt();
        self.book_in_flight();
    }

    /// From dispatch on the call may be billed whatever becomes of it: until the answer says what it
    /// cost, its bound is booked.
    fn book_in_flight(&mut self) {
        if self.media.is_some() {
            self.book_media_bound();
        } else if self.wants_stream() {
            self.book_seen(&Seen::default(), Ending::Cut);
        } else {
            let output = self.meter.output_cap.unwrap_or(0);
            self.book_reported(Usage { input: self.meter.input_bound, output, ..Usage::default() });
            self.booked.reported = false;
            self.book_dearest();
        }
    }

    /// Nobody has said what of the prompt was read from or written to a cache.
    fn book_dearest(&mut self) {
        let Some((model, _)) = self.model() else { return };
        let Usage { input, output, .. } = self.booked.usage;
        self.booked.cost = price::upper_bound(&model.pricing, input, output);
    }

    /// The attempt failed before anything went down: metrics, money, and the breaker.
    pub fn attempt_failed(&mut self, failure: &Failure) {
        self.class = Some(failure.class);
        let end_us = self.elapsed_us();
        if let Some(row) = self.attempts.last_mut() {
            row.class = failure.class.label();
            row.why = failure.hopeless.map(Hopeless::label);
            row.end_us = end_us;
            row.left = failure.left;
        }
        if failure.left {
            self.target_left(failure.class);
        } else {
            self.target_failed(failure.class);
        }
        self.part_failed(failure.billable);
        self.release(failure.billable);
    }

    /// Takes the target, or all that use its credential, out for as long as its failure says. A name that the caller chose says nothing
    /// about the target.
    pub fn cool_target(&self, failure: &Failure) {
        let (Cooldown::Target(span) | Cooldown::Credential(span)) = failure.cooldown() else {
            return;
        };
        let callers_name = self.taken == Taken::PassThrough && failure.class == Class::ModelGone;
        if let (false, Some((_, planned))) = (callers_name, self.model()) {
            let pause = span.duration(failure.retry_after);
            let pause_ms = pause.map_or(limits::KEY_COOLDOWN_MS, |pause| {
                u64::try_from(pause.as_millis()).unwrap_or(limits::COOLDOWN_MS)
            });
            match (&planned.credential, failure.cooldown()) {
                (Some(credential), Cooldown::Credential(_)) => {
                    credential.rest(failure.class, self.key_sent, self.now_ms(), pause_ms);
                }
                _ => {
                    let own = planned.own(self.target.as_deref());
                    own.cool_for(failure.class, self.now_ms(), pause_ms);
                }
            }
        }
    }

    /// Gives the reservation back, but for what the provider may bill for an abandoned attempt.
    fn release(&mut self, billable: bool) {
        let booked = std::mem::take(&mut self.booked);
        if billable {
            self.count_unconfirmed(booked.cost);
        }
        if let Some(mut charge) = self.charge.take() {
            if billable {
                charge.unconfirmed(booked.cost);
            }
            charge.settle(0);
        }
    }

    /// The current target failed with this class.
    pub fn target_failed(&self, class: Class) {
        let Some((_, planned)) = self.model() else { return };
        self.worker.shared.stats.attempt(&planned.stats, class.label());
        planned.on_failed(self.target.as_deref(), class, self.now_ms());
    }

    /// The current target's endpoint fell asleep or vanished: counted, and nothing is held against it.
    fn target_left(&self, class: Class) {
        let Some((_, planned)) = self.model() else { return };
        self.worker.shared.stats.attempt(&planned.stats, class.label());
        planned.on_neutral(self.target.as_deref());
    }

    /// The current target gave a whole answer.
    pub fn target_answered(&self) {
        if let Some((_, planned)) = self.model() {
            planned.on_success(self.target.as_deref(), self.attempt_began_ms());
            self.measure_pace();
        }
    }

    /// The first content is here; the second time does nothing.
    pub fn first_token(&mut self) {
        if self.first_content_us > 0 {
            return;
        }
        self.measure_first_token();
        if let Some((_, planned)) = self.model() {
            planned.on_first_token(self.target.as_deref(), self.attempt_began_ms());
            planned.stats.first_token.observe(self.elapsed_us() as f64 / 1e6);
        }
    }

    /// The provider's id of its answer, and the end of the attempt.
    pub fn note_upstream(&mut self, id: &str) {
        let end_us = self.elapsed_us();
        if let Some(row) = self.attempts.last_mut() {
            id.clone_into(&mut row.upstream_id);
            row.end_us = end_us;
        }
    }

    /// Books `usage` as the provider reported it.
    pub fn book_reported(&mut self, usage: Usage) {
        let Some((model, _)) = self.model() else { return };
        let cost = price::cost(&model.pricing, &usage);
        self.booked = Booked { usage, cost, reported: true };
    }

    /// Books the most that a stream can have cost so far; what is booked when it is cut now.
    pub fn book_seen(&mut self, seen: &Seen, ending: Ending) {
        if self.media.is_some() {
            return self.book_media(seen.reported.filter(|_| ending == Ending::Complete));
        }
        let usage = self.meter.bound(seen, ending);
        self.book_reported(usage);
        self.booked.reported = ending == Ending::Complete && seen.reported.is_some();
        if seen.reported.is_none() {
            self.book_dearest();
        }
    }

    /// Books a plain answer; one that says nothing of its usage is booked by its length, never as zero.
    pub fn book_answer(&mut self, answer: &Answer) {
        match answer.usage {
            // What was booked when it went out stands: the most that it can cost.
            _ if answer.pending => {}
            usage if self.media.is_some() => self.book_media(usage),
            Some(usage) => {
                self.book_reported(usage);
                let seen =
                    Seen { reported: Some(usage), bytes: answer.output_bytes, ..Seen::default() };
                self.learn(&seen);
            }
            None => {
                let bytes = answer.output_bytes;
                let seen = Seen { bytes, bytes_since_report: bytes, ..Seen::default() };
                self.book_seen(&seen, Ending::Complete);
            }
        }
    }

    /// A complete answer with usage teaches how many tokens this model's bytes are.
    pub fn learn(&self, seen: &Seen) {
        if let (Some(usage), Some((_, planned))) = (&seen.reported, self.model()) {
            planned.calibration.learn(seen.bytes, usage);
        }
    }

    /// The call ended here, not there: that tells nothing about the target, so a probe's place is free
    /// again.
    pub(super) fn attempt_abandoned(&mut self, class: Class) {
        self.class.get_or_insert(class);
        let end_us = self.elapsed_us();
        let Some(row) = self.attempts.last_mut().filter(|row| row.end_us == 0) else { return };
        row.class = class.label();
        row.end_us = end_us;
        if let Some((_, planned)) = self.model() {
            planned.on_neutral(self.target.as_deref());
        }
    }

    /// The answer was cut by us: counted, and nothing is held against the target.
    pub fn target_spared(&self, class: Class) {
        let Some((_, planned)) = self.model() else { return };
        self.worker.shared.stats.attempt(&planned.stats, class.label());
        planned.own(self.target.as_deref()).on_neutral();
    }

    /// The answer broke off after its beginning had gone down.
    pub fn attempt_cut(&mut self, class: Class, upstream_id: &str) {
        self.class = Some(class);
        self.note_upstream(upstream_id);
        if let Some(row) = self.attempts.last_mut() {
            row.class = class.label();
        }
    }

    pub(super) fn attempt_began_us(&self) -> u64 {
        self.attempts.last().map_or(0, |row| row.start_us)
    }

    /// When the current attempt began, boot clock.
    #[must_use]
    pub fn attempt_began_ms(&self) -> u64 {
        (self.started_us + self.attempt_began_us()) / 1_000
    }

    /// Milliseconds that the call may take.
    #[must_use]
    pub fn total_ms(&self) -> u64 {
        self.route().map_or(0, |route| route.route.timeouts.total_ms)
    }

    /// Unix seconds, as the current target's provider reckons them.
    #[must_use]
    pub fn provider_time_s(&self) -> u64 {
        let wall_s = self.worker.shared.clock.wall_ms() / 1_000;
        let off_s = self.model().and_then(|(_, it)| Some(it.credential.as_ref()?.clock_off_s()));
        u64::try_from(wall_s.saturating_add(off_s.unwrap_or(0))).unwrap_or(0)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.worker.shared.clock.boot_ms()
    }
}

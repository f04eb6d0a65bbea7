//! What a call refers to of former calls, and who alone can be asked because of it.

use bytes::Bytes;
use hyper::body::Incoming;

use super::Call;
use crate::error::Refusal;
use crate::kept::Kept;
use crate::pin::{Account, Carried};
use crate::select::Filtered;
use crate::surface::Surface;
use crate::wire::{self, Dialect};

impl Call {
    /// The account that the current candidate is called with.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.model().map(|(_, planned)| planned.account)
    }

    /// Whether the request may refer to former calls: one whose conversation has begun, or that names
    /// what a provider keeps. No other is looked through.
    #[must_use]
    pub fn may_carry(&self) -> bool {
        let goes_on = self.scan.message_count > 1;
        match self.surface {
            Surface::Responses => true,
            Surface::Chat => (goes_on && self.scan.has_tools) || self.scan.has_file,
            Surface::Messages => goes_on || self.scan.has_file,
            Surface::Generate | Surface::GenerateEvents | Surface::GenerateArray => {
                self.scan.has_file
            }
            _ => false,
        }
    }

    /// Looks for what the request refers to.
    ///
    /// # Errors
    /// It refers to what two accounts keep, whom no call can ask both.
    pub async fn note_carried(&mut self, pieces: &[Bytes]) -> Result<(), Refusal> {
        let dialect = self.surface.dialect();
        let carried = wire::beside(pieces, move |body| Carried::of(dialect, body)).await;
        self.carried =
            carried.map_err(|wrong| Refusal::BadValue { param: wrong.path, reason: wrong.why })?;
        if self.carried.torn { Err(Refusal::StateTorn) } else { Ok(()) }
    }

    /// Takes the candidates out that do not have what the request refers to. Where it does not say who has
    /// it, the first that can is the only one asked: all others would not know it.
    ///
    /// # Errors
    /// Nobody is left.
    pub fn keep_pinned(&mut self) -> Result<(), Refusal> {
        if self.carried.holder.is_none() && !self.carried.unmarked {
            return Ok(());
        }
        let own = self.surface.dialect();
        let mut holder = self.carried.holder;
        for at in 0..self.rows.len() {
            let row = self.rows[at];
            let place = self.model_of(&row);
            let spoken = Dialect::spoken(&self.plan.table.models[place].provider, self.surface);
            let account = self.plan.models[place].account;
            let here = spoken == Some(own) && holder.is_none_or(|holder| holder == account);
            if row.usable() && here {
                holder = Some(account);
            } else if row.usable() {
                self.rows[at].filtered = Some(Filtered::State);
            }
        }
        self.rows.sort_by_key(|row| !row.usable());
        if self.rows.iter().any(|row| row.usable()) {
            return Ok(());
        }
        let kept = |planned: &&crate::plan::PlannedModel| Some(planned.account) == holder;
        let models = self.plan.models.iter().filter(kept).map(|planned| &*planned.name);
        Err(Refusal::StateElsewhere { models: models.collect::<Vec<_>>().join(", ") })
    }

    /// Makes it a call for what a provider keeps.
    pub fn keep(&mut self, kept: Kept) {
        self.kept = Some(Box::new(kept));
    }

    /// Such a call's request.
    #[must_use]
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_deref()
    }

    /// Its body that passes as it comes; the first time.
    pub fn take_upload(&mut self) -> Option<Incoming> {
        self.kept.as_mut()?.upload.take()
    }

    /// Whether the prompt is more than the body says: a part of it is kept elsewhere.
    #[must_use]
    pub const fn refers(&self) -> bool {
        self.carried.holder.is_some() || self.carried.unmarked
    }

    /// Whether the current candidate is sent another body than the caller's because of it.
    pub(super) const fn is_reworked(&self) -> bool {
        self.carried.reworked
    }
}

//! What sound and images cost.

use super::{Booked, Call};
use crate::media;
use crate::price;
use crate::usage::Usage;

impl Call {
    /// The most that an answer of the current candidate can be billed for; `None`: it is text.
    #[must_use]
    pub fn media_bound(&self) -> Option<Usage> {
        let (model, _) = self.model()?;
        Some(self.media.as_ref()?.bound(model))
    }

    /// Books what the end of an answer says that was too large to be kept.
    pub fn book_large(&mut self, usage: Usage) {
        if self.media.is_none() {
            return self.book_reported(usage);
        }
        let images = self.media.as_ref().map_or(0, |asked| asked.images);
        self.book_media(Some(Usage { units: usage.units.max(images), ..usage }));
    }

    /// Books what the provider says where its model can be billed by that, else the most that it can be.
    pub(super) fn book_media(&mut self, told: Option<Usage>) {
        let Some((model, _)) = self.model() else { return };
        match told.filter(|usage| media::tells(&model.pricing, usage)) {
            Some(usage) => self.book_reported(usage),
            None => self.book_media_bound(),
        }
    }

    /// Books the most that the answer can be billed for.
    pub(super) fn book_media_bound(&mut self) {
        let (Some(usage), Some((model, _))) = (self.media_bound(), self.model()) else { return };
        let cost = price::cost(&model.pricing, &usage);
        self.booked = Booked { usage, cost, reported: false };
    }
}

//! Sound and images: what callers of OpenAI's audio and image API ask for. Requests pass through to a
//! provider that has the same API; of them is read who is asked, and the most that the answer can be
//! billed for, which is reserved before and booked where the answer does not say better.

mod ask;
pub mod form;

use crate::limits;
use crate::scan::Profile;
use crate::table::{Model, Pricing};
use crate::usage::Usage;

pub use ask::{Intake, read};

/// What is done with sound or images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// `POST /v1/audio/transcriptions`.
    Transcription,
    /// `POST /v1/audio/translations`: into English.
    Translation,
    /// `POST /v1/audio/speech`.
    Speech,
    /// `POST /v1/images/generations`.
    Image,
    /// `POST /v1/images/edits`.
    ImageEdit,
    /// `POST /v1/images/variations`.
    ImageVariation,
}

impl Medium {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Transcription,
        Self::Translation,
        Self::Speech,
        Self::Image,
        Self::ImageEdit,
        Self::ImageVariation,
    ];

    /// What stands at a path; `None`: nothing of the kind.
    #[must_use]
    pub fn find(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|medium| medium.path() == path)
    }

    /// Where callers find it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Transcription => "/v1/audio/transcriptions",
            Self::Translation => "/v1/audio/translations",
            Self::Speech => "/v1/audio/speech",
            Self::Image => "/v1/images/generations",
            Self::ImageEdit => "/v1/images/edits",
            Self::ImageVariation => "/v1/images/variations",
        }
    }

    /// Where it is below a provider's base URL.
    #[must_use]
    pub fn below_base(self) -> &'static str {
        self.path().strip_prefix("/v1").unwrap_or_default()
    }

    /// As records and spend name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transcription => "transcriptions",
            Self::Translation => "translations",
            Self::Speech => "speech",
            Self::Image => "images",
            Self::ImageEdit => "image_edits",
            Self::ImageVariation => "image_variations",
        }
    }

    /// What a model must be able to do.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Transcription | Self::Translation => "transcription",
            Self::Speech => "speech",
            Self::Image | Self::ImageEdit | Self::ImageVariation => "images",
        }
    }

    /// Whether answers are images.
    #[must_use]
    pub const fn makes_images(self) -> bool {
        matches!(self, Self::Image | Self::ImageEdit | Self::ImageVariation)
    }

    /// What stands where in its JSON.
    const fn profile(self) -> Profile {
        match self {
            Self::Speech => Profile::Chat,
            _ => Profile::Completions,
        }
    }
}

/// What a request asks for, as far as money goes by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Of what.
    pub medium: Option<Medium>,
    /// Bytes of the words that go along.
    pub text_bytes: u64,
    /// Characters that are to be read aloud.
    pub characters: u64,
    /// Files that are sent.
    pub files: u64,
    /// Seconds of their sound, at most.
    pub seconds: u64,
    /// Images that are to be made.
    pub images: u64,
    /// Unfinished images that are to be shown on the way to each.
    pub partial_images: u64,
}

impl Asked {
    /// The most that a model's answer can be billed for.
    #[must_use]
    pub fn bound(&self, model: &Model) -> Usage {
        let (window, most) = (model.context_window, model.max_output_tokens);
        let (sent, made, units) = match self.medium {
            None => (0, 0, 0),
            Some(Medium::Transcription | Medium::Translation) => {
                let said = self.seconds.saturating_mul(limits::SAID_TOKENS_PER_SECOND);
                let said = said.saturating_add(limits::LEAST_MEDIA_TOKENS).min(most);
                (self.seconds.saturating_mul(limits::SOUND_TOKENS_PER_SECOND), said, self.seconds)
            }
            Some(Medium::Speech) => {
                let spoken = self.characters.saturating_mul(limits::SPOKEN_TOKENS_PER_CHARACTER);
                let spoken = spoken.saturating_add(limits::LEAST_MEDIA_TOKENS).min(most);
                (0, spoken, self.characters)
            }
            Some(Medium::Image | Medium::ImageEdit | Medium::ImageVariation) => {
                let partial = self.partial_images.saturating_mul(limits::PARTIAL_IMAGE_TOKENS);
                let each = limits::MADE_IMAGE_TOKENS.min(most).saturating_add(partial);
                let sent = self.files.saturating_mul(limits::SENT_IMAGE_TOKENS);
                (sent, self.images.saturating_mul(each), self.images)
            }
        };
        let sent = sent.min(window);
        let sound = self.medium == Some(Medium::Speech);
        let images = self.medium.is_some_and(Medium::makes_images);
        Usage {
            input: self.text_bytes.saturating_add(sent).min(window.max(sent)),
            media_input: sent,
            output: made,
            media_output: if sound || images { made } else { 0 },
            units,
            ..Usage::default()
        }
    }
}

/// Whether what a provider reports can be billed by these prices: a model that is priced by the second
/// costs something only where seconds are told, one that is priced by the token where tokens are.
#[must_use]
pub fn tells(pricing: &Pricing, usage: &Usage) -> bool {
    let unit = pricing.media.and_then(|media| media.unit).unwrap_or(0) > 0;
    let apart = pricing.media.map_or([None, None], |media| [media.input, media.output]);
    let token = pricing.input > 0
        || pricing.output > 0
        || apart.into_iter().flatten().any(|price| price > 0);
    match (unit, token) {
        (false, false) => true,
        (true, false) => usage.units > 0,
        (false, true) => usage.input > 0 || usage.output > 0,
        (true, true) => usage.units > 0 && (usage.input > 0 || usage.output > 0),
    }
}

#[cfg(test)]
mod tests;

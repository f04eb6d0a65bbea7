//! A call whose candidates speak another dialect than its caller: which of them can be asked at all, what
//! they are sent, and what their answers become.

use bytes::Bytes;
use http::HeaderValue;
use pointsman_wire::form::{Cannot, Loss, Unreadable};
use pointsman_wire::openai_chat::quirks::{self, Quirks, Spelling};
use pointsman_wire::{Facts, gemini};

use super::Call;
use crate::error::Refusal;
use crate::select::Filtered;
use crate::surface::Surface;
use crate::table::{Model, Untranslatable};
use crate::wire::{self, Dialect, Sent, Target, Translation, Wish};
use crate::{dispatch, limits, pin};

impl Call {
    /// What the current candidate is asked in.
    #[must_use]
    pub fn spoken(&self) -> Dialect {
        let own = self.surface.dialect();
        self.model()
            .and_then(|(model, _)| Dialect::spoken(&model.provider, self.surface))
            .unwrap_or(own)
    }

    /// Whether the current candidate speaks another dialect than the caller.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.spoken() != self.surface.dialect()
    }

    /// Whether what the current candidate is sent is not the caller's own body with its named splices: it
    /// is translated, refers to former calls, names the model in each request of a batch, or is for a server
    /// that differs from OpenAI.
    #[must_use]
    pub fn is_reworded(&self) -> bool {
        self.is_translated()
            || self.is_reworked()
            || self.surface == Surface::GeminiEmbedBatch
            || self.quirks().of_requests()
    }

    /// Where the current candidate differs from OpenAI's chat, which its caller speaks.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        match self.model() {
            Some((model, _)) if self.surface == Surface::Chat => model.provider.quirks,
            _ => Quirks::default(),
        }
    }

    /// Whether its answer is not passed on as it comes: it is another dialect's, or the caller wants its
    /// events as an array.
    #[must_use]
    pub fn is_rewritten(&self) -> bool {
        self.is_translated() || self.surface == Surface::GenerateArray
    }

    /// Whether some candidate that may be tried speaks another dialect than the caller.
    #[must_use]
    pub fn may_be_translated(&self) -> bool {
        let models = &self.plan.table.models;
        let foreign = |place: usize| {
            Dialect::spoken(&models[place].provider, self.surface) != Some(self.surface.dialect())
                || self.may_lose(&models[place])
        };
        self.rows.iter().any(|row| row.usable() && foreign(self.model_of(row)))
    }

    /// Whether a candidate has no place for what others of the caller's own format have, and the rule takes
    /// none that loses anything.
    fn may_lose(&self, model: &Model) -> bool {
        self.surface == Surface::Chat
            && model.provider.quirks.any(Quirks::NO_OTHERS)
            && self.refuses_losses()
    }

    /// Takes the candidates out that cannot be asked for this in their own words.
    ///
    /// # Errors
    /// The request is not of its dialect's shape, or nobody is left to ask.
    pub async fn keep_translatable(&mut self, pieces: &[Bytes]) -> Result<(), Refusal> {
        let own = self.surface.dialect();
        let mut first: Option<Cannot> = None;
        for at in 0..self.rows.len() {
            let row = self.rows[at];
            let place = self.model_of(&row);
            let spoken = Dialect::spoken(&self.plan.table.models[place].provider, self.surface);
            if !row.usable() || (spoken == Some(own) && !self.may_lose(self.model_at(place))) {
                continue;
            }
            let sent = match self.target(place) {
                Some(_) if spoken == Some(own) => {
                    let losses = self.lost_to(self.model_at(place), pieces).await?.into();
                    Ok(Sent { body: Bytes::new(), losses })
                }
                Some(target) => self.translate(pieces, target).await?,
                None => Err(Cannot {
                    path: "model".to_owned(),
                    why: "its provider has nothing of the kind; ask another model",
                }),
            };
            if let Err(cannot) = sent.and_then(|sent| self.within_policy(sent)) {
                self.rows[at].filtered = Some(Filtered::Capability);
                first.get_or_insert(cannot);
            }
        }
        // Those that can be tried stay in their order, before all others.
        self.rows.sort_by_key(|row| !row.usable());
        match first.filter(|_| !self.rows.iter().any(|row| row.usable())) {
            Some(Cannot { path, why }) => Err(Refusal::Untranslatable { param: path, why }),
            None => Ok(()),
        }
    }

    /// What the current candidate is sent; `None`: the caller's own body.
    ///
    /// # Errors
    /// As `keep_translatable`: a cap may be what does not fit.
    pub async fn translated(&mut self, pieces: &[Bytes]) -> Result<Option<Bytes>, Refusal> {
        self.dropped = None;
        let target = self.chosen.filter(|_| self.is_translated()).and_then(|it| self.target(it));
        let Some(target) = target else { return self.in_own_words(pieces).await };
        match self.translate(pieces, target).await? {
            Ok(sent) => {
                self.dropped = named(&sent);
                Ok(Some(sent.body))
            }
            Err(Cannot { path, why }) => Err(Refusal::Untranslatable { param: path, why }),
        }
    }

    /// How the caller wants its vectors.
    #[must_use]
    pub fn wish(&self) -> Wish {
        self.translation.as_ref().and_then(|asked| asked.wish()).unwrap_or_default()
    }

    /// For writers of answers.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            id: self.id.trim_start_matches("pm-").to_owned(),
            requested: self.requested().to_owned(),
            now: u64::try_from(self.wall_ms / 1_000).unwrap_or_default(),
            input_estimate: self.prompt_tokens,
            stream_usage: self.scan.include_usage == Some(true),
        }
    }

    /// The caller's own words, but for what this candidate would not understand.
    async fn in_own_words(&mut self, pieces: &[Bytes]) -> Result<Option<Bytes>, Refusal> {
        let Some((model, planned)) = self.model() else { return Err(Refusal::Internal) };
        if self.surface == Surface::GeminiEmbedBatch {
            let name = self.asked_of(model).to_owned();
            let renamed = move |body: &[u8]| gemini::embed::request::rename(body, &name);
            let body = wire::beside(pieces, renamed).await;
            return Ok(Some(body.map_err(unreadable)?.into()));
        }
        let mut body = dispatch::spliced(self, pieces);
        let to = (planned.account, model.provider.gateway.is_some());
        let (dialect, reworked) = (self.surface.dialect(), self.is_reworked());
        if reworked {
            let unmarked = wire::beside(&body, move |body| pin::reworked(dialect, body, to)).await;
            body = vec![unmarked.map_err(unreadable)?.into()];
        }
        let respelt = if self.quirks().of_requests() { respelt(model, &body).await? } else { None };
        if let Some(sent) = respelt {
            self.dropped = named(&sent);
            return Ok(Some(sent.body));
        }
        Ok(if reworked { body.pop() } else { None })
    }

    fn model_at(&self, place: usize) -> &Model {
        &self.plan.table.models[place]
    }

    /// What a candidate of the caller's own format has no place for.
    async fn lost_to(&self, model: &Model, pieces: &[Bytes]) -> Result<Vec<Loss>, Refusal> {
        let sent = respelt(model, pieces).await?;
        Ok(sent.map(|sent| sent.losses.to_vec()).unwrap_or_default())
    }

    fn refuses_losses(&self) -> bool {
        self.route().is_some_and(|route| route.route.untranslatable == Untranslatable::Refuse)
    }

    fn target(&self, place: usize) -> Option<Target> {
        let model = &self.plan.table.models[place];
        let provider = &model.provider;
        Some(Target {
            dialect: Dialect::spoken(provider, self.surface)?,
            model: self.asked_of(model).into(),
            cap_field: provider.cap_field.as_str().into(),
            quirks: provider.quirks,
            cap: self.capped,
        })
    }

    async fn translate(
        &mut self,
        pieces: &[Bytes],
        target: Target,
    ) -> Result<Result<Sent, Cannot>, Refusal> {
        if self.translation.is_none() {
            let (model, stream) = (self.requested().to_owned(), self.wants_stream());
            let read = Translation::read(self.surface.dialect(), pieces, (model, stream)).await;
            self.translation = Some(Box::new(read.map_err(unreadable)?));
        }
        match &mut self.translation {
            Some(translation) => Ok(translation.write(target).await),
            None => Err(Refusal::Internal),
        }
    }

    fn within_policy(&self, sent: Sent) -> Result<Sent, Cannot> {
        match sent.losses.first().filter(|_| self.refuses_losses()) {
            Some(loss) => Err(Cannot {
                path: loss.path.clone(),
                why: "the rule takes no candidate that has no place for it; leave it out",
            }),
            None => Ok(sent),
        }
    }
}

/// A request of OpenAI's as this server takes it; `None`: as it stands.
async fn respelt(model: &Model, pieces: &[Bytes]) -> Result<Option<Sent>, Refusal> {
    let (cap_field, quirks) = (model.provider.cap_field.clone(), model.provider.quirks);
    let reworked = wire::beside(pieces, move |body| {
        let to = Spelling { cap_field: &cap_field, quirks };
        quirks::concerns(to, body).then(|| quirks::reworked(to, body))
    });
    match reworked.await.transpose().map_err(unreadable)? {
        Some((body, losses)) => Ok(Some(Sent { body: body.into(), losses: losses.into() })),
        None => Ok(None),
    }
}

fn unreadable(wrong: Unreadable) -> Refusal {
    Refusal::BadValue { param: wrong.path, reason: wrong.why }
}

/// The names of what was left out, as far as a header takes them.
fn named(sent: &Sent) -> Option<HeaderValue> {
    let mut names = String::new();
    for loss in sent.losses.iter() {
        if names.len() + loss.path.len() + 2 > limits::DROPPED_BYTES {
            names.push_str(", ...");
            break;
        }
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(&loss.path);
    }
    if names.is_empty() { None } else { HeaderValue::from_str(&names).ok() }
}

//! A document that is sent to be kept: read, and written again where it bears marks or names models of
//! ours. Anthropic's batches name a model a request, Google's caches one; they are asked for by our names,
//! as everywhere, and sent by the provider's. Batches are large, so neither is done on the data thread.

use std::collections::BTreeMap;

use pointsman_wire::form::Unreadable;
use pointsman_wire::portable;
use serde_json::Value;

use crate::call::Call;
use crate::error::{CallerNo, Refusal};
use crate::limits;
use crate::pin::{self, Carried};
use crate::plan::Taken;
use crate::surface::Surface;
use crate::table::{Model, Provider, ProviderType};
use crate::wire::Dialect;

/// One, without its marks.
#[derive(Debug)]
pub struct Document {
    value: Value,
    surface: Surface,
    /// What the marks said.
    pub carried: Carried,
    /// The models that it names, and what the provider calls them.
    names: BTreeMap<String, String>,
}

impl Document {
    /// Reads one.
    ///
    /// # Errors
    /// It is no JSON, or names more models than anybody means.
    pub fn read(surface: Surface, body: &[u8]) -> Result<Self, Unreadable> {
        let mut value = portable::document(body)?;
        let carried = pin::unmarked(&mut value);
        let mut names = BTreeMap::new();
        for name in models(surface, &mut value) {
            names.insert(bare(surface, name).to_owned(), String::new());
            if names.len() > limits::BATCH_MODELS {
                let why = format!("must name at most {} models", limits::BATCH_MODELS);
                return Err(Unreadable { path: "requests".into(), why });
            }
        }
        Ok(Self { value, surface, carried, names })
    }

    /// Finds the models that it names; returns one of them.
    ///
    /// # Errors
    /// There is no such model, it is not for this caller, or two are of two accounts.
    pub fn resolve(&mut self, call: &Call) -> Result<Option<usize>, Refusal> {
        let mut first = None;
        for (asked, theirs) in &mut self.names {
            if !call.may_ask_for(asked) {
                return Err(Refusal::Caller(CallerNo::Model { model: asked.clone() }));
            }
            let place = place_of(call, asked);
            let place = place.ok_or_else(|| Refusal::ModelNotFound { model: asked.clone() })?;
            let account = |place: usize| call.plan.models[place].account;
            if first.is_some_and(|first| account(first) != account(place)) {
                return Err(Refusal::StateTorn);
            }
            first.get_or_insert(place);
            theirs.clone_from(&call.plan.table.models[place].provider.model);
        }
        Ok(first)
    }

    /// Its bytes as they go up; `None`: as they came.
    #[must_use]
    pub fn written(mut self) -> Option<Vec<u8>> {
        let renamed = self.names.iter().any(|(ours, theirs)| ours != theirs);
        if !renamed && !self.carried.reworked {
            return None;
        }
        for name in models(self.surface, &mut self.value) {
            if let Some(theirs) = self.names.get(bare(self.surface, name)) {
                *name = format!("{}{theirs}", prefix(self.surface));
            }
        }
        Some(self.value.to_string().into_bytes())
    }
}

/// The names of models in it, where they stand.
fn models(surface: Surface, document: &mut Value) -> Vec<&mut String> {
    let places: Vec<&mut Value> = match surface {
        Surface::MessageBatches => {
            let requests = document.get_mut("requests").and_then(Value::as_array_mut);
            let params = requests.into_iter().flatten().filter_map(|it| it.get_mut("params"));
            params.filter_map(|params| params.get_mut("model")).collect()
        }
        Surface::CachedContents => document.get_mut("model").into_iter().collect(),
        _ => Vec::new(),
    };
    let mut names = Vec::with_capacity(places.len());
    for place in places {
        if let Value::String(name) = place {
            names.push(name);
        }
    }
    names
}

/// What stands before a model's name.
const fn prefix(surface: Surface) -> &'static str {
    if matches!(surface, Surface::CachedContents) { "models/" } else { "" }
}

fn bare(surface: Surface, name: &str) -> &str {
    name.strip_prefix(prefix(surface)).unwrap_or(name)
}

/// By our name for it, or else by the provider's.
fn place_of(call: &Call, asked: &str) -> Option<usize> {
    let (own, models) = (call.surface.dialect(), &call.plan.table.models);
    if let Taken::Model(place) = call.plan.without_rule(asked)
        && keeps_for(&models[place].provider, own)
    {
        return Some(place);
    }
    let is_it = |model: &Model| keeps_for(&model.provider, own) && model.provider.model == asked;
    models.iter().position(is_it)
}

/// Whether a provider keeps what callers of this dialect speak of; of one behind a gateway its label says it.
#[must_use]
pub fn keeps_for(provider: &Provider, own: Dialect) -> bool {
    let behind = provider.gateway.is_some();
    match own {
        Dialect::Messages if behind => provider.label == "anthropic",
        Dialect::Gemini if behind => provider.label == "google",
        Dialect::Messages => provider.kind == ProviderType::Anthropic,
        Dialect::Gemini => provider.kind == ProviderType::Gemini,
        _ => Dialect::of(provider.kind) == Dialect::Chat,
    }
}

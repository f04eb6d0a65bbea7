//! A table indexed for the path: URLs parsed, names resolved to places, header values and metric
//! handles made once. A Plan never changes but for the lambdas, which `tuning` moves.

mod health;
mod seen;
mod targets;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use bytes::Bytes;
use http::HeaderValue;
use parking_lot::Mutex;

use crate::attempt::RetryBudget;
use crate::breaker::Breaker;
use crate::budget::Subjects;
use crate::check::Rejected;
use crate::credentials::{CredentialHealth, Credentials};
use crate::fleet::{Fleet, Group};
use crate::pin::Account;
use crate::quota::Quota;
use crate::rules::{Glob, Rules};
use crate::score::Head;
use crate::stats::{ModelStats, Stats};
use crate::table::{Credential, DefaultKind, Model, Priority, Route, RouteTable, Strategy};
use crate::upstream::{Endpoint, Trust};
use crate::usage::Calibration;

pub use seen::{HealthSeen, seen};
pub use targets::{HealthError, Targets};

/// Breakers outlive tables: a target that is down stays known as down, and so does a credential.
#[derive(Debug, Default)]
pub struct Breakers {
    /// Of targets with one fixed address.
    pub targets: Targets,
    /// What targets share.
    pub credentials: Credentials,
    /// Endpoints that the hub tells.
    pub fleet: Fleet,
    /// By target, like `targets`.
    retries: Mutex<HashMap<String, Arc<RetryBudget>>>,
}

impl Breakers {
    fn retries_of(&self, model: &Model) -> Arc<RetryBudget> {
        // A model that moved to another URL begins anew.
        let target = format!("{} {}", model.name, model.provider.base_url);
        self.retries.lock().entry(target).or_default().clone()
    }

    /// Forgets targets that no table names any more.
    fn retain_used(&self) {
        self.retries.lock().retain(|_, budget| Arc::strong_count(budget) > 1);
        self.targets.retain_used();
        self.credentials.retain_used();
        self.fleet.retain_used();
    }
}

/// One table, ready to serve.
#[derive(Debug)]
pub struct Plan {
    /// The table as it came.
    pub table: RouteTable,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// `namespace/name` of the policy.
    pub policy: String,
    /// Signals and rules, compiled.
    pub rules: Rules,
    /// In table order.
    pub models: Vec<PlannedModel>,
    /// One a rule, then the default's, if it routes.
    pub routes: Vec<PlannedRoute>,
    /// Whether some rule or strategy reads the last user text.
    pub needs_text: bool,
    /// Whether some route is of high priority: a part of the room is kept for it.
    pub reserves_room: bool,
    /// Which Budgets bind which model.
    pub subjects: Arc<Subjects>,
    /// One a model: a route to it alone, for calls by name.
    by_model: Vec<PlannedRoute>,
    /// Prices calls under names that we do not know: the dearest model of the first one's provider.
    pass_through: usize,
    /// Names and aliases, in the order of precedence.
    names: Vec<(Glob, usize)>,
}

/// A model and what a call needs of it.
#[derive(Debug)]
pub struct PlannedModel {
    /// `pool/model`.
    pub name: Arc<str>,
    /// URLs.
    pub endpoint: Endpoint,
    /// Endpoints that the hub tells; `None`: `endpoint` is the only one.
    pub group: Option<Arc<Group>>,
    /// Compiled head.
    pub head: Option<Head>,
    /// Health; each endpoint of a group has its own.
    pub breaker: Arc<Breaker>,
    /// Further tries at it, over all rules, threads and tables.
    pub retry_budget: Arc<RetryBudget>,
    /// Health of its credential, shared with all who use it.
    pub credential: Option<Arc<CredentialHealth>>,
    /// Tokens per byte of its answers.
    pub calibration: Calibration,
    /// Metric handles.
    pub stats: ModelStats,
    /// For `x-pointsman-model`.
    pub header: HeaderValue,
    /// The upstream name as a JSON string, for the splice.
    pub upstream_name: Bytes,
    /// Who keeps what its answers refer to.
    pub account: Account,
    /// What its provider allows the fleet; `None`: no limits.
    pub quota: Option<Arc<Quota>>,
}

/// A route with its candidates resolved.
#[derive(Debug)]
pub struct PlannedRoute {
    /// Rule name, or `default`, or `model` for a call by name.
    pub name: Arc<str>,
    /// As in the table.
    pub route: Route,
    /// Places in `Plan::models`, in the order of `route.candidates`.
    pub candidates: Vec<usize>,
    /// The candidate of the highest quality (`Quality::prior`; of equals the cheaper one): what its
    /// calls would cost without a choice. `None`: no candidates.
    pub best: Option<usize>,
    lambda: AtomicI64,
}

impl PlannedRoute {
    /// Micro-probability per dollar now.
    #[must_use]
    pub fn lambda(&self) -> i64 {
        self.lambda.load(Relaxed)
    }
}

fn best_of(table: &RouteTable, candidates: &[usize]) -> Option<usize> {
    let price = |model: &Model| model.pricing.input.saturating_add(model.pricing.output);
    let rank = |place: &&usize| {
        let model = &table.models[**place];
        (model.quality.prior, Reverse(price(model)))
    };
    candidates.iter().max_by_key(rank).copied()
}

/// Which route a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// `Plan::routes` at this place.
    Route(usize),
    /// The caller named a model of the pool.
    Model(usize),
    /// To the first model's provider under the caller's own model name.
    PassThrough,
    /// Nothing takes it.
    Nothing,
}

impl Plan {
    /// Each target's credential, its host, and the hosts that its provider's type allows.
    pub fn credentials(&self) -> impl Iterator<Item = (&Credential, &str, &[String])> {
        self.table.models.iter().zip(&self.models).filter_map(|(model, planned)| {
            let provider = &model.provider;
            let credential = provider.credential.as_ref()?;
            Some((credential, &*planned.endpoint.origin.host, provider.allowed_hosts.as_slice()))
        })
    }

    /// Indexes a checked table.
    ///
    /// # Errors
    /// A base URL, a header value or a rule that cannot be used.
    pub fn build(
        table: RouteTable,
        digest: String,
        stats: &Stats,
        breakers: &Breakers,
    ) -> Result<Self, Rejected> {
        let rules =
            Rules::new(&table).map_err(|problems| Rejected::at("rules", problems.join("; ")))?;
        let models = table
            .models
            .iter()
            .enumerate()
            .map(|(index, model)| plan_model(index, model, stats, breakers))
            .collect::<Result<Vec<_>, _>>()?;
        breakers.retain_used();
        let places: HashMap<&str, usize> = table
            .models
            .iter()
            .enumerate()
            .map(|(index, model)| (model.name.as_str(), index))
            .collect();
        let plan_route = |name: &str, route: &Route| {
            let places = route.candidates.iter().filter_map(|one| places.get(one.model.as_str()));
            let candidates: Vec<usize> = places.copied().collect();
            PlannedRoute {
                name: name.into(),
                route: route.clone(),
                best: best_of(&table, &candidates),
                candidates,
                lambda: AtomicI64::new(route.quality.lambda0),
            }
        };
        let mut routes: Vec<_> =
            table.rules.iter().map(|rule| plan_route(&rule.name, &rule.route)).collect();
        routes.extend(table.default.route.iter().map(|route| plan_route("default", route)));
        let route_to = if table.gateway.is_some() { Route::of_gateway } else { Route::to };
        let by_model =
            table.models.iter().map(|model| plan_route("model", &route_to(&model.name))).collect();
        let scored = routes.iter().any(|route| route.route.strategy == Strategy::Quality);
        let needs = rules.needs();
        let needs_text = scored || needs.task || needs.keywords;
        let reserves_room = routes.iter().any(|it| it.route.priority == Priority::High);
        let policy = format!("{}/{}", table.policy.namespace, table.policy.name);
        Ok(Self {
            policy,
            needs_text,
            reserves_room,
            subjects: Arc::default(),
            rules,
            models,
            routes,
            by_model,
            pass_through: pass_through(&table),
            names: names(&table),
            digest,
            table,
        })
    }

    /// Gives each model its limits, in table order.
    pub fn limit(&mut self, quotas: Vec<Option<Arc<Quota>>>) {
        for (model, quota) in self.models.iter_mut().zip(quotas) {
            model.quota = quota;
        }
    }

    /// Applies `tuning`: lambdas by rule name. Unknown rules are another table's.
    pub fn tune(&self, lambdas: &HashMap<String, i64>) {
        for route in &self.routes {
            if let Some(lambda) = lambdas.get(&*route.name) {
                route.lambda.store(*lambda, Relaxed);
            }
        }
    }

    /// The route that a call takes; `None` for `Taken::Nothing`.
    #[must_use]
    pub fn route(&self, taken: Taken) -> Option<&PlannedRoute> {
        match taken {
            Taken::Route(place) => self.routes.get(place),
            Taken::Model(place) => self.by_model.get(place),
            Taken::PassThrough => self.by_model.get(self.pass_through),
            Taken::Nothing => None,
        }
    }

    /// Where a call goes that no rule took: by name, by alias, then the default.
    #[must_use]
    pub fn without_rule(&self, requested: &str) -> Taken {
        if let Some((_, place)) = self.names.iter().find(|(name, _)| name.matches(requested)) {
            return Taken::Model(*place);
        }
        match self.table.default.action {
            DefaultKind::Deny => Taken::Nothing,
            DefaultKind::PassThrough => Taken::PassThrough,
            DefaultKind::Route => Taken::Route(self.routes.len() - 1),
        }
    }
}

fn pass_through(table: &RouteTable) -> usize {
    let first = table.models.first().map(|model| &model.provider.base_url);
    let same = |(_, model): &(usize, &Model)| Some(&model.provider.base_url) == first;
    let dearness = |(_, model): &(usize, &Model)| (model.pricing.output, model.pricing.input);
    let models = table.models.iter().enumerate().filter(same);
    models.max_by_key(dearness).map_or(0, |(place, _)| place)
}

fn plan_model(
    index: usize,
    model: &Model,
    stats: &Stats,
    breakers: &Breakers,
) -> Result<PlannedModel, Rejected> {
    let path = |field: &str| format!("models[{index}].{field}");
    let endpoint = Endpoint::parse(&model.provider.base_url)
        .map_err(|message| Rejected::at(path("provider.baseURL"), message))?;
    let trust = if model.provider.gateway.is_some() { Trust::Hub } else { Trust::System };
    if trust == Trust::Hub && !endpoint.origin.tls {
        return Err(Rejected::at(path("provider.baseURL"), "a gateway is called by https only"));
    }
    // A head of another length belongs to other features: the quality prior stands in.
    let head = model.head.as_ref().and_then(Head::from_table);
    let header = HeaderValue::from_str(&model.name)
        .map_err(|_| Rejected::at(path("name"), "cannot be a header value"))?;
    let group = breakers.fleet.group_of(model);
    Ok(PlannedModel {
        name: model.name.as_str().into(),
        endpoint: endpoint.trusting(trust),
        group: group.map_err(|message| Rejected::at(path("provider.baseURL"), message))?,
        head,
        breaker: breakers.targets.of(model),
        retry_budget: breakers.retries_of(model),
        credential: model.provider.credential.as_ref().map(|it| breakers.credentials.of(it)),
        calibration: Calibration::default(),
        stats: stats.model(&model.name, &model.provider.label),
        header,
        upstream_name: serde_json::to_vec(&model.provider.model)?.into(),
        account: Account::of(model),
        quota: None,
    })
}

/// Full names first (at a gateway no others), then the part after the pool, then aliases; within each, table order.
fn names(table: &RouteTable) -> Vec<(Glob, usize)> {
    let models = || table.models.iter().enumerate();
    let full = models().map(|(place, model)| (Glob::new(&model.name), place));
    if table.gateway.is_some() {
        return full.collect();
    }
    let short = models().filter_map(|(place, model)| {
        model.name.split_once('/').map(|(_, short)| (Glob::new(short), place))
    });
    let aliases = models().flat_map(|(place, model)| {
        model.aliases.iter().map(move |alias| (Glob::new(alias), place))
    });
    full.chain(short).chain(aliases).collect()
}

//! The engine as its owner sees it: load a table, move the lambdas, run until drained, look inside.
//! What all threads share lives in [`Shared`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, watch};

use crate::admission::Gateway;
use crate::background::Background;
use crate::budget::{Book, Holder};
use crate::check::{self, Rejected};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::export::Spans;
use crate::fleet::{self, FleetError};
use crate::journal::{Journal, JournalError, Recovered};
use crate::plan::{Breakers, HealthError, Plan, seen};
use crate::quota::Quotas;
use crate::record::Records;
use crate::room::Room;
use crate::secrets::Secrets;
use crate::serve::{Phase, bind, run_data_thread};
use crate::stats::Stats;
use crate::swap::Current;
use crate::tickets::Tickets;
use crate::upstream::TlsRoots;

/// What all threads of an engine share.
#[derive(Debug)]
pub struct Shared {
    /// Fixed settings.
    pub config: Config,
    /// Identity of this engine start.
    pub boot: String,
    /// The Plan.
    pub current: Current,
    /// Metrics.
    pub stats: Stats,
    /// Records.
    pub records: Records,
    /// Spans; `None` unless tracing is configured.
    pub spans: Option<Arc<Spans>>,
    /// Provider keys.
    pub secrets: Secrets,
    /// For gateways of other namespaces.
    pub tickets: Tickets,
    /// What makes this engine a gateway; `None` for a sidecar.
    pub gateway: Option<Gateway>,
    /// Money.
    pub book: Arc<Book>,
    /// Shares of what providers allow the fleet.
    pub quotas: Arc<Quotas>,
    /// Time.
    pub clock: SharedClock,
    /// Calls in flight, and the bytes of their requests.
    pub room: Room,
    /// Boot clock at the start.
    pub started_ms: u64,
    /// Asks for the drain.
    pub shutdown: Notify,
    /// Health of targets and credentials, over tables.
    pub breakers: Breakers,
    tuning: Mutex<HashMap<String, i64>>,
    /// What former boots left in the journal folder, to be reported by the background thread.
    pub recovered: Mutex<Vec<Recovered>>,
}

/// Why an engine cannot start or run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration document is wrong.
    #[error("{0}")]
    Config(String),
    /// A port is taken.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A thread, runtime, signal handler or the TLS library failed.
    #[error("{0}")]
    Runtime(String),
}

/// A bound, not yet running engine.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    sockets: Mutex<Option<Sockets>>,
    data: SocketAddr,
    admin: SocketAddr,
    debug: SocketAddr,
}

#[derive(Debug)]
struct Sockets {
    data: Vec<std::net::TcpListener>,
    admin: std::net::TcpListener,
    debug: Option<std::net::TcpListener>,
}

impl Engine {
    /// Reads the configuration, replays the journal and binds the ports.
    ///
    /// # Errors
    /// [`EngineError::Config`] or [`EngineError::Bind`].
    pub fn new(config: &[u8]) -> Result<Self, EngineError> {
        let config = Config::read(config).map_err(EngineError::Config)?;
        Self::with_clock(config, Arc::new(SystemClock))
    }

    /// As `new`, with a clock of the caller's.
    ///
    /// # Errors
    /// As `new`.
    pub fn with_clock(config: Config, clock: SharedClock) -> Result<Self, EngineError> {
        let several = config.data_threads > 1;
        let (first, data) = listen(config.data.address, several)?;
        let mut data_sockets = vec![first];
        for _ in 1..config.data_threads {
            data_sockets.push(listen(data, true)?.0);
        }
        let (admin_socket, admin) = listen(config.admin.address, false)?;
        let same = config.admin.debug_address == config.admin.address;
        let (debug_socket, debug) = if same {
            (None, admin)
        } else {
            let (socket, address) = listen(config.admin.debug_address, false)?;
            (Some(socket), address)
        };
        let boot = format!("{:032x}", fastrand::u128(..));
        let (book, recovered) = open_book(&config, &boot, &clock);
        let stats = Stats::new();
        let spans = || Arc::new(Spans::new(stats.spans_dropped.clone()));
        let opened = |it| Gateway::new(it, &config, clock.clone());
        let gateway = config.gateway.as_ref().map(opened).transpose()?;
        let shared = Shared {
            tickets: Tickets::default(),
            gateway,
            spans: config.tracing.is_some().then(spans),
            secrets: Secrets::new(config.secrets_dir.clone(), config.secrets_from_env),
            room: Room::of(config.memory_bytes()),
            config,
            boot,
            current: Current::default(),
            stats,
            records: Records::default(),
            book,
            quotas: Arc::new(Quotas::new(clock.clone())),
            started_ms: clock.boot_ms(),
            clock,
            shutdown: Notify::new(),
            breakers: Breakers::default(),
            tuning: Mutex::default(),
            recovered: Mutex::new(recovered),
        };
        let sockets = Sockets { data: data_sockets, admin: admin_socket, debug: debug_socket };
        Ok(Self {
            shared: Arc::new(shared),
            sockets: Mutex::new(Some(sockets)),
            data,
            admin,
            debug,
        })
    }

    /// What the threads share; for tests and the shell.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Makes a table current and returns its digest. Calls in flight keep theirs.
    ///
    /// # Errors
    /// The table is refused whole; the one before stays.
    pub fn load(&self, table: &[u8]) -> Result<String, Rejected> {
        self.shared.load(table)
    }

    /// Applies a `tuning` document `{"lambda": {"<rule>": int}}`.
    ///
    /// # Errors
    /// It is no such document.
    pub fn tune(&self, document: &[u8]) -> Result<(), serde_json::Error> {
        #[derive(Deserialize)]
        struct Tuning {
            #[serde(default)]
            lambda: HashMap<String, i64>,
        }
        let tuning: Tuning = serde_json::from_slice(document)?;
        if let Some(plan) = self.shared.current.load() {
            plan.tune(&tuning.lambda);
        }
        *self.shared.tuning.lock() = tuning.lambda;
        Ok(())
    }

    /// Takes the `models` object of a `fleet` event: which endpoints there are, and how loaded.
    ///
    /// # Errors
    /// It is no such document; the fleet before stays.
    pub fn fleet(&self, document: &[u8]) -> Result<(), FleetError> {
        self.shared.breakers.fleet.take(document)
    }

    /// Takes the `down` object of a `health` event: which targets other sidecars find down.
    ///
    /// # Errors
    /// It is no such document; what was told before stays.
    pub fn hearsay(&self, document: &[u8]) -> Result<(), HealthError> {
        self.shared.breakers.targets.take(document, self.shared.clock.boot_ms())
    }

    /// What makes this engine a gateway; `None` for a sidecar.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.shared.gateway.as_ref()
    }

    /// Serves until SIGTERM, SIGINT or `shutdown`, then drains. Blocks; call it without the GIL.
    ///
    /// # Errors
    /// It ran before, or threads and runtimes cannot be made.
    pub fn run(&self) -> Result<(), EngineError> {
        let runtime_error = |error: std::io::Error| EngineError::Runtime(error.to_string());
        let sockets = self.sockets.lock().take();
        let sockets =
            sockets.ok_or_else(|| EngineError::Runtime("the engine ran before".to_owned()))?;
        let roots = TlsRoots::load(hub_authority(&self.shared.config))
            .map_err(|error| EngineError::Runtime(error.to_string()))?;
        let (phase, watched) = watch::channel(Phase::Serving);
        let mut threads = Vec::new();
        for (index, listener) in sockets.data.into_iter().enumerate() {
            let (shared, roots, watched) = (self.shared.clone(), roots.clone(), watched.clone());
            let thread = std::thread::Builder::new().name(format!("data-{index}"));
            let body = move || run_data_thread(listener, shared, roots, watched);
            threads.push(thread.spawn(body).map_err(runtime_error)?);
        }
        drop(watched); // the data threads hold the rest: when they are done, the drain is over
        let background = Background {
            shared: self.shared.clone(),
            admin: sockets.admin,
            debug: sockets.debug,
            roots,
        };
        let background = std::thread::Builder::new()
            .name("background".to_owned())
            .spawn(move || background.run(&phase))
            .map_err(runtime_error)?;
        for thread in threads.into_iter().chain([background]) {
            match thread.join() {
                Ok(ended) => ended.map_err(runtime_error)?,
                Err(_) => return Err(EngineError::Runtime("a thread panicked".to_owned())),
            }
        }
        Ok(())
    }

    /// Begins the drain, as SIGTERM does.
    pub fn shutdown(&self) {
        self.shared.shutdown.notify_one();
    }

    /// What the engine is doing, as JSON.
    #[must_use]
    pub fn state(&self) -> String {
        let mut state = self.shared.state();
        state["addresses"] = json!({
            "data": self.data.to_string(), "admin": self.admin.to_string(), "debug": self.debug.to_string(),
        });
        state.to_string()
    }
}

/// Who must have signed what the hub's own authority signs: gateways of other namespaces.
fn hub_authority(config: &Config) -> Option<PathBuf> {
    config.hub.as_ref().and_then(|hub| hub.ca_file.clone())
}

/// The book with its journal; without one nothing can be leased, and refusals say why.
fn open_book(config: &Config, boot: &str, clock: &SharedClock) -> (Arc<Book>, Vec<Recovered>) {
    let identity = &config.identity;
    let (journal, recovered) = match &config.state_dir {
        Some(folder) => Journal::open(&folder.join("journal"), &identity.sidecar, boot),
        None => (Journal::unavailable(&JournalError::NoFolder), Vec::new()),
    };
    let holder = Holder {
        sidecar: identity.sidecar.as_str().into(),
        boot: boot.into(),
        namespace: identity.namespace.as_str().into(),
        workload: identity.workload.as_str().into(),
    };
    let book = Book::new(clock.clone(), holder, journal);
    book.take_former(&recovered);
    (book, recovered)
}

fn listen(
    address: SocketAddr,
    shared_port: bool,
) -> Result<(std::net::TcpListener, SocketAddr), EngineError> {
    let bound = bind(address, shared_port)
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    bound.map_err(|source| EngineError::Bind { address, source })
}

impl Shared {
    /// Of a hundred calls without a trace, how many begin one; `None`: no call is traced.
    #[must_use]
    pub fn sample_percent(&self) -> Option<u8> {
        self.config.tracing.as_ref().map(|tracing| tracing.sample_percent)
    }

    /// See [`Engine::load`].
    ///
    /// # Errors
    /// The table is refused.
    pub fn load(&self, bytes: &[u8]) -> Result<String, Rejected> {
        let built = self.build(bytes);
        let plan = match built {
            Ok(plan) => plan,
            Err(rejected) => {
                self.stats.tables_rejected.inc();
                let current = self.current.load();
                let models = current.iter().flat_map(|plan| &plan.models);
                self.stats.keep(models.map(|model| &model.stats), self.clock.boot_ms());
                return Err(rejected);
            }
        };
        plan.tune(&self.tuning.lock());
        let models = plan.models.iter().map(|model| &model.stats);
        self.stats.table(&plan.digest, models, self.clock.boot_ms());
        let digest = plan.digest.clone();
        // What must be exchanged for tokens is, before a call needs it.
        self.secrets.survey(plan.credentials(), self.clock.boot_ms());
        self.current.store(Arc::new(plan));
        Ok(digest)
    }

    /// Everything that may refuse a table comes before the book changes.
    fn build(&self, bytes: &[u8]) -> Result<Plan, Rejected> {
        let table = check::read(bytes)?;
        let mut plan = Plan::build(table, check::digest(bytes), &self.stats, &self.breakers)?;
        self.quotas.check(&plan.table)?;
        let configured = self.book.configure(&plan.table);
        plan.subjects = configured.map_err(|error| Rejected::at("budgets", error.to_string()))?;
        plan.limit(self.quotas.configure(&plan.table));
        Ok(plan)
    }

    /// For `Engine::state` and the debug port.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        let now_ms = self.clock.boot_ms();
        let plan = self.current.load();
        let money = self.book.standings().into_iter().map(|at| {
            let standing = json!({
                "reserved": at.reserved, "free": at.free, "overrun": at.overrun, "percent": at.percent,
            });
            (at.account.to_string(), standing)
        });
        let groups = plan.iter().flat_map(|plan| &plan.models).filter_map(|model| {
            let group = model.group.as_ref()?;
            Some((model.name.to_string(), fleet::survey(group)))
        });
        let health = seen(plan.iter().flat_map(|plan| &plan.models), now_ms);
        json!({
            "boot": self.boot,
            "policy": plan.as_ref().map(|plan| &plan.policy),
            "digest": plan.as_ref().map(|plan| &plan.digest),
            "in_flight": self.room.calls(),
            "supervisor_heartbeat_age_ms": self.stats.heartbeat_age_ms(now_ms),
            "targets": health.targets,
            "outages": health.outages,
            "answered": health.answered,
            "told_down": health.told_down,
            "endpoints": groups.collect::<serde_json::Map<_, _>>(),
            "credentials": self.breakers.credentials.survey(
                &self.secrets, plan.iter().flat_map(|plan| plan.credentials()), now_ms
            ),
            "gateway": self.gateway.as_ref().map(|gateway| gateway.state(plan.is_some())),
            "journal": self.book.journal_trouble().unwrap_or("ok"),
            "ledger_is_away": self.book.ledger_is_away(),
            "spans_dropped": self.stats.spans_dropped.get(),
            "ledger": self.book.ledger_trouble().as_deref().unwrap_or("ok"),
            "money": money.collect::<serde_json::Map<_, _>>(),
            "limits": self.quotas.survey(),
        })
    }
}

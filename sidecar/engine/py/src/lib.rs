//! The PyO3 shell around `pointsman-core`: documents cross, never a call per request. Every call that
//! may block releases the GIL; `run` parks the main thread without it (I5).

use std::time::Duration;

use pointsman_core::admission::Gateway;
use pointsman_core::check::Rejected;
use pointsman_core::engine::{Engine as Core, EngineError as CoreError};
use pointsman_core::limits;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(_engine, EngineError, PyException, "The engine cannot go on.");
create_exception!(_engine, ConfigRejected, EngineError, "The configuration document is wrong.");
create_exception!(
    _engine,
    TableRejected,
    EngineError,
    "The table is refused whole; args: (reason, message)."
);
create_exception!(_engine, BindFailed, EngineError, "A port cannot be bound.");

fn engine_error(error: &CoreError) -> PyErr {
    let message = error.to_string();
    match error {
        CoreError::Config(_) => ConfigRejected::new_err(message),
        CoreError::Bind { .. } => BindFailed::new_err(message),
        CoreError::Runtime(_) => EngineError::new_err(message),
    }
}

fn table_error(error: &Rejected) -> PyErr {
    TableRejected::new_err((error.reason(), error.to_string()))
}

/// One data plane; a process runs exactly one.
#[pyclass(frozen)]
#[derive(Debug)]
struct Engine {
    core: Core,
    pid: u32,
}

impl Engine {
    /// A forked child shares sockets and threads that it does not have: refuse there.
    fn core(&self) -> PyResult<&Core> {
        if std::process::id() == self.pid {
            Ok(&self.core)
        } else {
            Err(EngineError::new_err("this engine belongs to the parent process; do not fork"))
        }
    }

    fn gateway(&self) -> PyResult<&Gateway> {
        let gateway = self.core()?.gateway();
        gateway.ok_or_else(|| EngineError::new_err("this engine is a sidecar's, no gateway's"))
    }
}

#[pymethods]
impl Engine {
    /// Reads the configuration, replays the journal, binds the ports.
    #[new]
    fn new(py: Python<'_>, config: &[u8]) -> PyResult<Self> {
        let core = py.detach(|| Core::new(config)).map_err(|error| engine_error(&error))?;
        Ok(Self { core, pid: std::process::id() })
    }

    /// Serves until drained. The process ends one second after this at the latest, even where another
    /// thread holds the GIL for ever.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core()?;
        py.detach(|| {
            let ended = core.run();
            let status = if ended.is_ok() { EX_OK } else { EX_SOFTWARE };
            std::thread::spawn(move || exit_soon(status));
            ended
        })
        .map_err(|error| engine_error(&error))
    }

    /// Makes a table current; returns its digest.
    fn load(&self, py: Python<'_>, table: &[u8]) -> PyResult<String> {
        let core = self.core()?;
        py.detach(|| core.load(table)).map_err(|error| table_error(&error))
    }

    /// Applies a `tuning` document.
    fn tuning(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let core = self.core()?;
        py.detach(|| core.tune(document)).map_err(|error| EngineError::new_err(error.to_string()))
    }

    /// Takes the `models` object of a `fleet` event.
    fn fleet(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let core = self.core()?;
        py.detach(|| core.fleet(document)).map_err(|error| EngineError::new_err(error.to_string()))
    }

    /// Takes the `down` object of a `health` event.
    fn hearsay(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let core = self.core()?;
        let taken = py.detach(|| core.hearsay(document));
        taken.map_err(|error| EngineError::new_err(error.to_string()))
    }

    /// A gateway's request for a certificate (PEM).
    fn certificate_request(&self) -> PyResult<String> {
        self.gateway()?.certificate.request().map_err(EngineError::new_err)
    }

    /// Takes the certificate that answers it (PEM, the leaf first).
    fn certificate(&self, py: Python<'_>, chain: &[u8]) -> PyResult<()> {
        let gateway = self.gateway()?;
        py.detach(|| gateway.certificate.install(chain)).map_err(EngineError::new_err)
    }

    /// Applies an `admission` document: how a gateway tells its callers apart.
    fn admission(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let gateway = self.gateway()?;
        py.detach(|| gateway.inform(document)).map_err(EngineError::new_err)
    }

    /// Takes the tickets for gateways of other namespaces, all there are.
    fn tickets(&self, py: Python<'_>, document: &[u8]) -> PyResult<()> {
        let core = self.core()?;
        py.detach(|| core.shared().tickets.replace(document)).map_err(EngineError::new_err)
    }

    /// What the engine is doing, as JSON.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let core = self.core()?;
        let state = py.detach(|| core.state());
        Ok(PyBytes::new(py, state.as_bytes()))
    }

    /// The record of a call, if the ring still has it.
    fn explain<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let found = self.core()?.shared().records.find(id);
        Ok(found.map(|record| PyBytes::new(py, record.as_bytes())))
    }

    /// All records since the last call, as a JSON array.
    fn drain_records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let core = self.core()?;
        let records = py.detach(|| core.shared().records.drain());
        Ok(PyBytes::new(py, records.as_bytes()))
    }

    /// Python is alive. `ask_ledger`: the hub's stream says so, or broke and was not taken up again.
    #[pyo3(signature = (*, ask_ledger = false))]
    fn heartbeat(&self, ask_ledger: bool) -> PyResult<()> {
        let shared = self.core()?.shared();
        shared.stats.beat(shared.clock.boot_ms());
        if ask_ledger {
            shared.book.call();
            shared.quotas.call();
        }
        Ok(())
    }
}

/// As `pointsman_sidecar.__main__` ends with, where Python still can.
const EX_OK: i32 = 0;
const EX_SOFTWARE: i32 = 70;

/// Python has had its second; the status tells how the engine ended all the same.
fn exit_soon(status: i32) {
    std::thread::sleep(Duration::from_millis(limits::PYTHON_EXIT_WAIT_MS));
    // SAFETY: `_exit` ends the process at once; it touches no memory of ours.
    unsafe { libc::_exit(status) }
}

/// The private native module of `pointsman_sidecar`.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::{BindFailed, ConfigRejected, Engine, EngineError, TableRejected};
}

"""The sidecar under test with everything on, as `pointsman up` runs it, but on its own core.

The hub, with the enforced Budget's ledger, runs beside the load; the sidecar's Python supervisor,
its reports and its lease renewals run on the proxy's core and are counted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bodies import write_bodies
from bench.children import STARTS_WITHIN_S, free_address, running, wait_for_status
from bench.load import Load, run
from bench.machine import LOAD_CORE, PROXY_CORE, BenchError, rss_mib
from bench.table import compile_table
from bench.targets import Target
from pointsman_operator.cli.hub_client import HubClient, HubError
from pointsman_operator.cli.local.stack import hub_command
from pointsman_operator.cli.state import State
from pointsman_operator.hub.settings import DATABASE

FIRST_REQUESTS = 100
"""After them the idle memory is read."""
BOOKED_WITHIN_S = 90.0
"""A few times the lease's renewal."""
MEMORY = Path("/dev/shm")  # noqa: S108  # a fresh private folder in it
"""Where the sidecar keeps its journal and last good table: in a pod, a memory-backed emptyDir."""
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Subject:
    """A running sidecar."""

    target: Target
    rss_idle_mib: float
    """After the first requests."""
    hub: HubClient
    """The hub that keeps its book."""
    hub_database: Path
    """The hub's store, decisions among it."""

    def check_books(self, requests: int) -> None:
        """Raise BenchError unless the hub's ledger learns of so many requests, within its limit.

        A bench whose Budget was not on would measure another product.
        """
        deadline = time.monotonic() + BOOKED_WITHIN_S
        booked = 0
        while booked < requests and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            booked = self.hub.spend("model")["total"]["requests"]
        accounts = self.hub.budgets()
        if booked < requests or not accounts or any(one["overrun"] for one in accounts):
            raise BenchError(f"{booked} of {requests} requests are booked, accounts: {accounts}")


@contextmanager
def sidecar(folder: Path, origin: str, secure: str, certificate: Path) -> Iterator[Subject]:
    """Hub and sidecar while the block runs; `origin` and `secure` are host:port."""
    state = State(folder / "state")
    state.prepare()
    hub_address, data = free_address(), free_address()
    with ExitStack() as stack:
        hub_log = folder / "hub.log"
        hub = stack.enter_context(
            running(LOAD_CORE, list(hub_command(state.path, hub_address)), hub_log, {})
        )
        wait_for_status(hub_address, "/healthz", hub, hub_log)
        client = stack.enter_context(HubClient(f"http://{hub_address}", state.token_file))
        table = compile_table(origin, secure)
        policy = f"{table.policy.namespace}/{table.policy.name}"
        fence = f"{state.installation()},{state.next_start()},bench"
        client.put_table(policy, table.data, fence)
        command = [sys.executable, "-P", "-m", "pointsman_sidecar"]
        memory = stack.enter_context(TemporaryDirectory(dir=MEMORY, prefix="pointsman-bench-"))
        environment = _sidecar_environment(state, hub_address, data) | {
            "POINTSMAN_STATE_DIR": memory,
            "POINTSMAN_NAMESPACE": table.policy.namespace,
            "POINTSMAN_WORKLOAD": table.policy.name,
            "SSL_CERT_FILE": str(certificate),
        }
        log = folder / "sidecar.log"
        process = stack.enter_context(running(PROXY_CORE, command, log, environment))
        _wait_in_force(client, table.digest, process, log)
        target = Target("sidecar", data, (process.pid,))
        bodies = folder / "first.jsonl"
        write_bodies(bodies, "auto", 1024)
        rss_idle_mib = _first_requests(target, bodies, folder)
        yield Subject(target, rss_idle_mib, client, state.path / DATABASE)


def _sidecar_environment(state: State, hub: str, data: str) -> dict[str, str]:
    return {
        "POINTSMAN_DATA_ADDRESS": data,
        "POINTSMAN_ADMIN_ADDRESS": free_address(),
        "POINTSMAN_DEBUG_ADDRESS": free_address(),
        "POINTSMAN_HUB_URL": f"http://{hub}",
        "POINTSMAN_HUB_TOKEN_FILE": str(state.token_file),
        "POINTSMAN_SECRETS_DIR": str(state.secrets),
        "POINTSMAN_SIDECAR": "bench-" + state.installation(),
        "POINTSMAN_POD": "bench",
    }


def _wait_in_force(
    client: HubClient, digest: str, process: subprocess.Popen[str], log: Path
) -> None:
    """Return once the sidecar says that it serves the table."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    seen: object = None
    while process.poll() is None and time.monotonic() < deadline:
        try:
            seen = client.sidecars()
        except HubError as error:
            raise BenchError(f"the hub of the bench: {error}") from error
        if any(one["connected"] and one.get("digest") == digest for one in client.sidecars()):
            return
        time.sleep(_LOOK_EVERY_S)
    raise BenchError(f"the sidecar does not serve {digest}: {seen}\n{log.read_text()[-2000:]}")


def _first_requests(target: Target, bodies: Path, folder: Path) -> float:
    """Resident memory after the first requests, in MiB."""
    run(target, Load(bodies, 1, 1.0, warmup_s=0.1, rate=float(FIRST_REQUESTS)), folder)
    return rss_mib(list(target.pids))

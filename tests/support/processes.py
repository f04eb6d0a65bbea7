"""Real processes for tests: simulated providers and a sidecar, on free loopback ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.free_port import free_port
from support.tree import ROOT

START_S = 45.0
# One for all: a client of its own a look would load the trust store each time.
CLIENT = httpx.Client(timeout=20)


def simulator_binary() -> Path:
    """The simulator that `make setup` built, newest profile first."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / profile / "pointsman-sim" for profile in ("debug", "demo", "release")]
    found = [path for path in built if path.exists()]
    assert found, "no simulator is built: run `make setup`"
    return max(found, key=lambda path: path.stat().st_mtime)


class Process:
    """A child process with its own log; ended by its id, never by name."""

    def __init__(self, arguments: Sequence[str | Path], log: Path, **variables: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, **variables},
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    def alive(self) -> bool:
        """Whether it has not ended; a dead one's log is shown."""
        assert self.child.poll() is None, self.log.read_text()
        return True

    def until(self, ready: Callable[[], object]) -> None:
        """Wait until it serves; one that does not is ended before that is told."""
        try:
            eventually(lambda: self.alive() and ready(), START_S)
        except BaseException:
            self.kill()
            raise

    def terminate(self, within_s: float = 30.0) -> int:
        """SIGTERM, then its status."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(within_s)

    def kill(self) -> None:
        """SIGKILL; harmless on one that has ended."""
        self.child.kill()
        self.child.wait()


class Simulator(Process):
    """A simulated provider."""

    def __init__(self, folder: Path, name: str = "sim", **config: Any) -> None:
        self.folder = folder
        self.announce = folder / f"{name}.announce.json"
        self.bill_path = folder / f"{name}.bill.jsonl"
        document = {
            "listen": "127.0.0.1:0",
            "announce": str(self.announce),
            "bill": str(self.bill_path),
            **config,
        }
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document))
        self.announce.unlink(missing_ok=True)
        super().__init__([simulator_binary(), "provider", "--config", path], folder / f"{name}.log")
        self.until(self.announce.exists)
        announced = json.loads(self.announce.read_text())
        self.address = str(announced["address"])
        self.control = f"http://{announced['control']}"
        scheme = "https" if "tls" in config else "http"
        self.url = f"{scheme}://{self.address}"

    def script(self, *rules: dict[str, Any]) -> None:
        """Replace its behaviour; rules are tried in order."""
        CLIENT.post(f"{self.control}/_sim/behaviour", json=list(rules)).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Its counts."""
        answer: dict[str, Any] = CLIENT.get(f"{self.control}/_sim/stats").json()
        return answer

    def bill(self) -> dict[str, dict[str, Any]]:
        """The last bill line of each call, by call id (`pm-….attempt`)."""
        lines = self.bill_path.read_text().splitlines() if self.bill_path.exists() else []
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return {entry["id"]: entry for entry in entries}


class Sidecar(Process):
    """A real sidecar process: engine and supervisor, fed from a table file or a hub."""

    def __init__(
        self,
        folder: Path,
        table: dict[str, Any] | None = None,
        python: str = sys.executable,
        program: Sequence[str | Path] = ("-m", "pointsman_sidecar"),
        **variables: str,
    ) -> None:
        self.folder = folder
        self.table_path = folder / "table.json"
        port = free_port
        self.url = f"http://127.0.0.1:{port()}"
        self.admin_url = f"http://127.0.0.1:{port()}"
        settings = {
            "POINTSMAN_DATA_ADDRESS": self.url.removeprefix("http://"),
            "POINTSMAN_ADMIN_ADDRESS": self.admin_url.removeprefix("http://"),
            "POINTSMAN_DEBUG_ADDRESS": self.admin_url.removeprefix("http://"),
            "POINTSMAN_STATE_DIR": str(folder / "state"),
            "POINTSMAN_SECRETS_DIR": str(folder / "secrets"),
            "POINTSMAN_SIDECAR": "sidecar-1",
            "POINTSMAN_NAMESPACE": "demo",
            "POINTSMAN_WORKLOAD": "app",
            "PYTHONSAFEPATH": "1",
        }
        if table is not None:
            self.write_table(table)
            settings["POINTSMAN_TABLE_PATH"] = str(self.table_path)
        super().__init__(
            [python, *program],
            folder / "sidecar.log",
            **{**settings, **variables},
        )
        self.until(lambda: self.probe("/startupz"))

    def probe(self, path: str) -> bool:
        """Whether a probe answers 200."""
        try:
            return CLIENT.get(self.admin_url + path).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def write_table(self, table: dict[str, Any]) -> None:
        """Put a table in place of the file's, atomically."""
        fresh = self.table_path.with_suffix(".new")
        fresh.write_bytes(canonical(table))
        fresh.replace(self.table_path)

    def rss_mib(self) -> float:
        """Resident memory of the process now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (row,) = [row for row in status.splitlines() if row.startswith("VmRSS:")]
        return int(row.split()[1]) / 1024

    def state(self) -> dict[str, Any]:
        """`/debug/state`."""
        answer: dict[str, Any] = CLIENT.get(f"{self.admin_url}/debug/state").json()
        return answer

    def record(self, request_id: str) -> dict[str, Any]:
        """The record of a call, as soon as the ring has it."""
        url = f"{self.admin_url}/debug/decisions/{request_id}"
        eventually(lambda: CLIENT.get(url).status_code == httpx.codes.OK)
        answer: dict[str, Any] = CLIENT.get(url).json()
        return answer

    def metric(self, line: str) -> float:
        """The value of one sample, named as in the exposition; 0 where it is absent."""
        text = CLIENT.get(f"{self.admin_url}/metrics").text
        values = [row.rsplit(" ", 1)[1] for row in text.splitlines() if row.startswith(line + " ")]
        return float(values[0]) if values else 0.0


def canonical(table: dict[str, Any]) -> bytes:
    """Canonical bytes of a table (docs/contracts.md, section 1)."""
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@contextmanager
def ended(*processes: Process) -> Iterator[None]:
    """Kill the processes at the end, whatever happened."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()

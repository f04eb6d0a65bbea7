"""A real hub process over real HTTP, and tables to give it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.processes import Process

FENCE = {"x-pointsman-fence": "installation,1,boot"}
ACCOUNT = "demo/team/day"
ENTRY = ("-m", "pointsman_operator.hub")
"""The hub as the image runs it."""
POSTGRESQL = "--postgresql-url-file"


def budget(amount: int, *, name: str = "team", **limit: Any) -> dict[str, Any]:
    """A Budget with one daily limit, downgrading at 80 % and blocking at 100 %."""
    window = {"calendar": "Day", "timeZone": "UTC"}
    return {
        "namespace": "demo",
        "name": name,
        "limits": [{"name": "day", "amount": amount, "window": window} | limit],
        "thresholds": [
            {"percent": 80, "action": "Downgrade", "maxTier": 1},
            {"percent": 100, "action": "Block"},
        ],
        "enforcement": {"mode": "Enforce", "outageHorizonSeconds": 900},
    }


def route_table(*budgets: dict[str, Any], policy: str = "support", **more: Any) -> bytes:
    """Canonical bytes of what the hub reads of a table."""
    table = {
        "version": 1,
        "minReader": 1,
        "policy": {"namespace": "demo", "name": policy},
        "budgets": list(budgets),
        **more,
    }
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class HubProcess:
    """One hub on a folder; it can be killed and started again on the same state."""

    folder: Path
    arguments: list[str] = field(default_factory=list)
    python: str = sys.executable
    entry: list[str] = field(default_factory=lambda: [*ENTRY])

    def start(self, *, wait: bool = True) -> None:
        """Start and wait until it says where it serves; unless told so, until its store is open."""
        announce = self.folder / "announce"
        announce.unlink(missing_ok=True)
        state = ["--state", str(self.folder), "--announce", str(announce)]
        command = [self.python, *self.entry, "--listen", "127.0.0.1:0"]
        self.process = Process([*command, *state, *self.arguments], self.folder / "log")
        self.process.until(announce.exists)
        self.address = json.loads(announce.read_text())["address"]
        # In a cluster there is no such file: callers bear the cluster's tokens.
        own = self.folder / "token"
        self.token = own.read_text().strip() if own.exists() else ""
        scheme = "https" if "--tls-cert" in self.arguments else "http"
        self.url = f"{scheme}://{self.address}"
        self.http = httpx.Client(base_url=self.url, headers=self.headers, timeout=30)
        if wait and POSTGRESQL in self.arguments:
            # It answers before its store is open, and says so.
            self.process.until(lambda: self.http.get("/readyz").status_code == 200)

    @property
    def headers(self) -> dict[str, str]:
        """What lets a caller in."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.child.poll() is None

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def put_table(self, content: bytes, policy: str = "support") -> str:
        """Put a table; its digest."""
        path = f"/v1/tables/demo/{policy}"
        answer = self.http.put(path, content=content, headers=FENCE)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["digest"])

    def sync(self, sidecar: str = "a", boot: str = "1", **more: Any) -> dict[str, Any]:
        """One ledger sync, answered."""
        body = {"sidecar": sidecar, "boot": boot, "seq": 1, **more}
        answer = self.http.post("/v1/ledger/sync", json=body)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def balance(self, account: str = ACCOUNT) -> dict[str, Any]:
        """The current window of an account."""
        found: list[dict[str, Any]] = self.http.get("/v1/budgets").json()
        return next(row for row in found if row["account"] == account)

    def _end(self, number: signal.Signals) -> int:
        self.http.close()
        self.process.child.send_signal(number)
        return self.process.child.wait(timeout=30)


def on_postgresql(url: str, folder: Path) -> list[str]:
    """The arguments of a hub whose ledger is there."""
    file = folder / "postgresql-url"
    file.write_text(url)
    return [POSTGRESQL, str(file)]


@contextmanager
def hub_process(
    folder: Path, *arguments: str, python: str = sys.executable
) -> Iterator[HubProcess]:
    """A running hub; ended with the block."""
    hub = HubProcess(folder, list(arguments), python)
    hub.start()
    try:
        yield hub
    finally:
        if hub.running:
            hub.kill()
        hub.http.close()

"""The far side of the border to Rust, as the sidecar's Python sees it: what came across."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pointsman_sidecar._engine import EngineError, TableRejected
from pointsman_sidecar.table import digest_of


@dataclass
class RecordingEngine:
    """Keeps what it is given; refuses tables that say so."""

    loaded: list[bytes] = field(default_factory=list)
    tunings: list[dict[str, object]] = field(default_factory=list)
    fleets: list[dict[str, object]] = field(default_factory=list)
    hearsays: list[dict[str, object]] = field(default_factory=list)
    records: list[dict[str, object]] = field(default_factory=list)
    ring: dict[str, dict[str, object]] = field(default_factory=dict)
    health: dict[str, object] = field(default_factory=dict)
    passes: list[tuple[str, bytes]] = field(default_factory=list)
    beats: int = 0
    ledger_calls: int = 0

    def load(self, table: bytes) -> str:
        """Take a table unless it holds the word `unreadable`."""
        if b"unreadable" in table:
            raise TableRejected("Invalid", "models[0].tier: not a number")
        self.loaded.append(table)
        return digest_of(table)

    def tuning(self, document: bytes) -> None:
        """Keep a tuning document."""
        self.tunings.append(json.loads(document))

    def fleet(self, document: bytes) -> None:
        """Take a fleet unless a model of it is called `unreadable`."""
        models = json.loads(document)
        if "unreadable" in models:
            raise EngineError("unreadable: no endpoints")
        self.fleets.append(models)

    def hearsay(self, document: bytes) -> None:
        """Take what others find down unless it is no object."""
        down = json.loads(document)
        if not isinstance(down, dict):
            raise EngineError("it cannot be read")
        self.hearsays.append(down)

    def tickets(self, document: bytes) -> None:
        """Keep tickets unless they are none."""
        if not isinstance(json.loads(document), dict):
            raise EngineError("no tickets document")
        self.passes.append(("tickets", document))

    def admission(self, document: bytes) -> None:
        """Keep who may enter."""
        self.passes.append(("admission", document))

    def certificate(self, chain: bytes) -> None:
        """Keep a certificate."""
        self.passes.append(("certificate", chain))

    def explain(self, request_id: str, /) -> bytes | None:
        """Answer from the ring."""
        record = self.ring.get(request_id)
        return None if record is None else json.dumps(record).encode()

    def drain_records(self) -> bytes:
        """Give what is new, once."""
        records, self.records = self.records, []
        return json.dumps(records).encode()

    def state(self) -> bytes:
        """What it is told to be."""
        return json.dumps({"boot": "boot-1", **self.health}).encode()

    def heartbeat(self, *, ask_ledger: bool = False) -> None:
        """Count."""
        self.beats += 1
        self.ledger_calls += ask_ledger

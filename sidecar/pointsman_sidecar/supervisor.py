"""Keeps the engine supplied: tables and tuning from the hub; `files` is for where there is none.

Started by `__main__` beside the parked main thread. Each duty is a loop in a thread of its own; one
that dies of an exception is logged and started again, requests never notice (I5).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol

from pointsman_sidecar import limits
from pointsman_sidecar.fleet import Fleet
from pointsman_sidecar.health import Health
from pointsman_sidecar.hub import FAILURES, Backoff, Hub
from pointsman_sidecar.passes import Passes
from pointsman_sidecar.table import Loader, TableError, Tables, unpack
from pointsman_sidecar.target import read_labels

LOGGER = logging.getLogger(__name__)
Duty = Callable[[threading.Event], None]


class Tunable(Loader, Protocol):
    """The part of the engine that the hub's stream speaks to."""

    def tuning(self, document: bytes) -> None:
        """Take new lambdas."""
        ...

    def heartbeat(self, *, ask_ledger: bool = False) -> None:
        """Python is alive; the ledger is to be asked now, where that is said."""
        ...


class Supervisor:
    """Runs duties until stopped, each in a thread that is replaced when it dies."""

    def __init__(self, duties: dict[str, Duty]) -> None:
        self._stop = threading.Event()
        self._keepers = [
            threading.Thread(target=self._keep, args=item, name=f"keep-{item[0]}", daemon=True)
            for item in duties.items()
        ]

    def start(self) -> None:
        """Begin all duties."""
        for keeper in self._keepers:
            keeper.start()

    def stop(self, within_s: float) -> None:
        """Ask all duties to end and wait for them together at most this long."""
        self._stop.set()
        for keeper in self._keepers:
            keeper.join(within_s / len(self._keepers))

    def _keep(self, name: str, duty: Duty) -> None:
        """Join the duty's thread for ever; threading's own hook logs what it died of."""
        backoff = Backoff()
        while not self._stop.is_set():
            worker = threading.Thread(target=duty, args=(self._stop,), name=name, daemon=True)
            worker.start()
            worker.join()
            if not self._stop.wait(backoff.wait_s()):
                LOGGER.error("%s ended and is started again", name)
            backoff = backoff.longer()


class HubSource:
    """Reads the hub's stream: tables, tuning, endpoints, questions; resumes by digest."""

    def __init__(
        self,
        hub: Hub,
        engine: Tunable,
        tables: Tables,
        fleet: Fleet,
        explain: Callable[[str], None],
        passes: Passes,
        health: Health,
    ) -> None:
        self._hub = hub
        self._engine = engine
        self._tables = tables
        self._fleet = fleet
        self._explain = explain
        self._passes = passes
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Connect, follow, and connect again, until told to stop.

        A break alone says little (a hub may roll); a hub that does not take the next connection
        either is gone, and the engine, which might be idle, looks for itself.
        """
        backoff = Backoff()
        broken = False
        while not stop.is_set():
            try:
                for event in self._events():
                    backoff = Backoff()
                    broken = False
                    self._tables.trouble.pop("hub", None)
                    self.take(event)
                    if stop.is_set():
                        return
                LOGGER.info("the stream from the hub ended")
            except (*FAILURES, StreamError) as error:
                LOGGER.warning("no stream from the hub: %s", repr(error))
                self._tables.trouble["hub"] = f"no stream from the hub: {error!r}"
                if broken:
                    self._engine.heartbeat(ask_ledger=True)
            broken = True
            self._fleet.age()
            stop.wait(backoff.wait_s())
            backoff = backoff.longer()

    def take(self, event: dict[str, Any]) -> None:
        """Act on one event; kinds that we do not know are a newer hub's and are left alone."""
        match event.get("event"):
            case "table":
                try:
                    self._tables.offer(unpack(event), authenticated=True)
                except TableError as error:
                    raise StreamError(str(error)) from error
            case "tuning":
                self._engine.tuning(json.dumps(event).encode())
            case "fleet":
                self._fleet.offer(event)
            case "health":
                self._health.offer(event)
            case "ledger":
                # Somebody waits for money that lies here unused.
                self._engine.heartbeat(ask_ledger=True)
            case "explain":
                self._explain(str(event.get("id", "")))
            case _:
                self._passes.take(event)

    def _events(self) -> Iterator[dict[str, Any]]:
        """One connection's events; it ends when the pod's labels, which it is chosen by, change."""
        labels = self._labels()
        query = {
            "sidecar": self._hub.sidecar,
            "boot": self._hub.boot,
            "namespace": self._hub.namespace,
            "workload": self._hub.workload,
            "digest": self._tables.digest_from_hub,
        }
        if self._hub.gateway:
            query["gateway"] = self._hub.gateway
        if labels is not None:
            query["labels"] = json.dumps(labels, sort_keys=True, separators=(",", ":"))
        with closing(self._hub.stream(query)) as pieces:
            self._health.begin_stream()
            for line in lines(pieces):
                self._tables.heard_hub()
                self._fleet.heard_hub()
                self._health.heard_hub()
                yield parsed(line)
                if self._labels() != labels:
                    LOGGER.info("the pod's labels changed: asking the hub again")
                    return

    def _labels(self) -> dict[str, str] | None:
        """The pod's labels; None where nobody says them."""
        if self._hub.labels_file is None:
            return None
        try:
            return read_labels(self._hub.labels_file)
        except (OSError, ValueError) as error:
            raise StreamError(f"the pod's labels cannot be read: {error}") from error


class StreamError(Exception):
    """What came on the stream is not what a hub sends; connecting again may help."""


def parsed(line: bytes) -> dict[str, Any]:
    """One line of the stream as an event."""
    try:
        event = json.loads(line)
    except ValueError as error:
        raise StreamError(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise StreamError("an event must be an object")
    return event


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut pieces into lines, none longer than its bound; an unfinished last line is dropped."""
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        *whole, tail = piece.split(b"\n")
        for part in whole:
            line = b"".join((*rest, part))
            rest, held = [], 0
            if line:
                yield line
        if tail:
            rest.append(tail)
            held += len(tail)
        if held > limits.MAX_LINE_BYTES:
            raise StreamError(f"a line of more than {limits.MAX_LINE_BYTES} bytes")

"""Tells the hub what this sidecar runs and decided, and the engine that Python is alive.

Started by `__main__` as one of the supervisor's duties. Money does not pass here: the engine
speaks the ledger's protocol itself, so a lost report loses no cent.
"""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Protocol

from pointsman_sidecar import __version__, limits
from pointsman_sidecar.hub import FAILURES, Backoff, Hub
from pointsman_sidecar.table import InForce, Tables

LOGGER = logging.getLogger(__name__)
NOTHING = b"[]"
OF_THE_STATE = ("ledger", "targets", "credentials")
"""What of the engine's state the hub is told (docs/contracts-kubernetes.md, section 4)."""

OF_AN_ENDPOINT = {
    "firstTokenMs": "first_token_ms",
    "betweenTokensMs": "between_tokens_ms",
    "inFlight": "in_flight",
    "served": "served",
    "failed": "failed",
}
"""The engine's names and the report's."""


class Recorder(Protocol):
    """The part of the engine that reports come from."""

    def drain_records(self) -> bytes:
        """New decisions as a JSON array."""
        ...

    def explain(self, request_id: str, /) -> bytes | None:
        """One decision, if the ring still holds it."""
        ...

    def state(self) -> bytes:
        """What the engine is doing."""
        ...

    def heartbeat(self) -> None:
        """Python is alive."""
        ...


class Reporter:
    """Sends decisions and the digest in force; answers the hub's `explain` questions."""

    def __init__(
        self,
        hub: Hub | None,
        engine: Recorder,
        tables: Tables,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """`facts` are told with every report: what does not change while the process lives."""
        self._facts = dict(facts or {})
        self._hub = hub
        self._engine = engine
        self._tables = tables
        self._questions: queue.Queue[str] = queue.Queue(limits.MAX_EXPLAIN_ANSWERS)
        self._unsent: deque[bytes] = deque(maxlen=limits.MAX_UNSENT_BATCHES)
        self._told: InForce | None = None
        self._told_at = 0.0
        self._health: dict[str, Any] = {}
        self._told_health: dict[str, Any] = {}
        self._looked_at = 0.0

    def ask(self, request_id: str) -> None:
        """Look a request up and report it soon; called by the stream's thread."""
        try:
            self._questions.put_nowait(request_id)
        except queue.Full:
            LOGGER.warning("too many explain questions at once; %s is left out", request_id)

    def run(self, stop: threading.Event) -> None:
        """Beat, collect and send, until told to stop; then send once more."""
        if self._hub is None:
            self._beat_only(stop)
            return
        backoff = Backoff()
        with closing(self._hub.connect(limits.REPORT_TIMEOUT_S)) as connection:
            while not stop.is_set():
                self._engine.heartbeat()
                self.collect()
                wait_s = limits.REPORT_EVERY_S
                try:
                    self.send(connection)
                    backoff = Backoff()
                except FAILURES as error:
                    LOGGER.warning("the hub took no report: %s", repr(error))
                    wait_s += backoff.wait_s()
                    backoff = backoff.longer()
                stop.wait(wait_s)
        self.collect()
        self._send_last()

    def collect(self) -> None:
        """Take what is new out of the engine; with the hub away too long the oldest go."""
        batch = self._engine.drain_records()
        answers = [self._engine.explain(request_id) for request_id in self._asked()]
        found = b",".join(answer for answer in answers if answer is not None)
        self._unsent += [item for item in (batch, b"[" + found + b"]") if item != NOTHING]
        while sum(map(len, self._unsent)) > limits.MAX_UNSENT_BYTES:
            self._unsent.popleft()

    def send(self, connection: http.client.HTTPConnection) -> None:
        """One report, if there is anything to say; raises one of the hub's FAILURES."""
        in_force = self._tables.in_force()
        silent_s = time.monotonic() - self._told_at
        due = silent_s > limits.REPORT_AT_LEAST_EVERY_S
        health = self._look()
        shown = without_ages(health)
        news = self._unsent or in_force != self._told or shown != self._told_health
        if self._hub is None or not (news or due):
            return
        batches = tuple(self._unsent)
        if silent_s > limits.KEEP_ALIVE_S:
            connection.close()
        self._hub.report(connection, report(self._hub, in_force, batches, health))
        for _ in batches:
            self._unsent.popleft()
        self._told, self._told_at = in_force, time.monotonic()
        self._told_health = shown

    def _look(self) -> dict[str, Any]:
        """What the engine and the sources say of themselves, looked at once a second."""
        if time.monotonic() - self._looked_at > limits.STATE_EVERY_S:
            state = json.loads(self._engine.state())
            self._health = {name: state[name] for name in OF_THE_STATE if name in state}
            self._health |= self._facts | seen_of_endpoints(state) | waits(state)
            self._health |= seen_of_targets(state)
            self._looked_at = time.monotonic()
        trouble = "; ".join(text for _, text in sorted(self._tables.trouble.items()))
        if not trouble:
            return self._health
        return {**self._health, "last_error": trouble[: limits.MAX_TROUBLE_CHARACTERS]}

    def _send_last(self) -> None:
        """What the drain left, within the second that the engine gives us."""
        if self._hub is None:
            return
        try:
            with closing(self._hub.connect(limits.FINAL_REPORT_S)) as connection:
                self.send(connection)
        except FAILURES as error:
            LOGGER.warning("the last report was not taken: %s", repr(error))

    def _asked(self) -> list[str]:
        """All questions that wait."""
        return [self._questions.get_nowait() for _ in range(self._questions.qsize())]

    def _beat_only(self, stop: threading.Event) -> None:
        """Without a hub nobody asks; the engine's ring keeps the decisions for its debug page."""
        while not stop.is_set():
            self._engine.heartbeat()
            stop.wait(limits.REPORT_EVERY_S)


def seen_of_endpoints(state: Mapping[str, Any]) -> dict[str, Any]:
    """What this sidecar saw of self-hosted endpoints, named as reports do; empty: it has none."""
    models = {
        model: {
            url: {name: figures[key] for key, name in OF_AN_ENDPOINT.items()}
            for url, figures in endpoints.items()
        }
        for model, endpoints in state.get("endpoints", {}).items()
    }
    return {"endpoints": models} if models else {}


def seen_of_targets(state: Mapping[str, Any]) -> dict[str, Any]:
    """Why breakers are not closed, what was answered of late, what others say; empty: nothing."""
    outages = {
        model: {"class": it["class"], "for_ms": it["forMs"], "failed_ms": it["failedMs"]}
        for model, it in state.get("outages", {}).items()
    }
    found = {
        "outages": outages,
        "answered": state.get("answered", {}),
        "told_down": state.get("told_down", []),
    }
    return {name: value for name, value in found.items() if value}


def without_ages(health: Mapping[str, Any]) -> dict[str, Any]:
    """What is news when it changes: how long ago something was changes by itself."""
    classes = {model: it["class"] for model, it in health.get("outages", {}).items()}
    return {**health, "outages": classes, "answered": None}


def waits(state: Mapping[str, Any]) -> dict[str, str]:
    """What a gateway waits for before it takes calls, empty: nothing; of a sidecar nothing."""
    gateway = state.get("gateway")
    if gateway is None:
        return {}
    return {"waiting": ", ".join(gateway["lacks"])}


def report(
    hub: Hub, in_force: InForce, batches: tuple[bytes, ...], health: Mapping[str, Any]
) -> bytes:
    """The body of `POST /v1/reports`; decisions stay as the engine wrote them, unparsed."""
    head: dict[str, Any] = {
        "sidecar": hub.sidecar,
        "boot": hub.boot,
        "digest": in_force.digest,
        "version": __version__,
        **health,
    }
    if in_force.rejected_digest:
        head["rejected"] = {
            "digest": in_force.rejected_digest,
            "reason": in_force.rejected_reason,
        }
    records = b",".join(batch.strip()[1:-1] for batch in batches)
    return json.dumps(head).encode()[:-1] + b',"records":[' + records + b"]}"

"""What the hub says of gateways: tickets for a sidecar; guests and a certificate for a gateway.

Used by `supervisor`. Tickets, and how a gateway tells them apart, are kept for the next start
beside the table, in the pod's memory: tickets are worth no more than the pod's own token, which
lies there as well, and what is told of guests is no secret. The engine keeps a certificate itself.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Protocol

from pointsman_sidecar._engine import EngineError
from pointsman_sidecar.whole import write_whole

LOGGER = logging.getLogger(__name__)
TICKETS, ADMISSION = "tickets.json", "admission.json"


class PassTaker(Protocol):
    """The part of the engine that this speaks to."""

    def tickets(self, document: bytes) -> None:
        """Take all tickets."""
        ...

    def admission(self, document: bytes) -> None:
        """Take who may enter."""
        ...

    def certificate(self, chain: bytes) -> None:
        """Take a gateway's certificate."""
        ...


class Passes:
    """Brings such events into the engine; used by one thread at a time."""

    def __init__(self, engine: PassTaker, folder: Path | None) -> None:
        """`folder` is where the next start finds what is known; it exists."""
        self._engine = engine
        self._folder = folder

    def restore(self) -> None:
        """Take what an earlier start kept; who is shown a ticket judges whether it is good."""
        for name, take in (
            (TICKETS, self._engine.tickets),
            (ADMISSION, self._engine.admission),
        ):
            if self._folder is None or not (self._folder / name).exists():
                continue
            try:
                take((self._folder / name).read_bytes())
            except (OSError, EngineError) as error:
                LOGGER.warning("what was kept in %s cannot be used: %s", name, error)

    def take(self, event: dict[str, Any]) -> None:
        """Act on an event if it is one of these; what the engine refuses changes nothing."""
        try:
            match event.get("event"):
                case "tickets":
                    document = json.dumps(event.get("tickets")).encode()
                    self._engine.tickets(document)
                    self._keep(TICKETS, document)
                case "admission":
                    told = {name: event[name] for name in ("keys", "revoked") if name in event}
                    document = json.dumps(told).encode()
                    self._engine.admission(document)
                    self._keep(ADMISSION, document)
                case "certificate":
                    self._engine.certificate(str(event.get("chain", "")).encode())
                    LOGGER.info("the gateway has a certificate")
        except EngineError as error:
            LOGGER.warning("event %s refused: %s", event.get("event"), error)

    def _keep(self, name: str, document: bytes) -> None:
        if self._folder is None:
            return
        try:
            write_whole(self._folder / name, document)
        except OSError as error:
            LOGGER.warning("%s cannot be kept: %s", name, error)

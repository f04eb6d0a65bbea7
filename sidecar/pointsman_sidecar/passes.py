"""What the hub says of gateways: tickets for a sidecar; guests and a certificate for a gateway.

Used by `supervisor`. Tickets are kept for the next start beside the table, in the pod's memory:
they are worth no more than the pod's own token, which lies there as well.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Protocol

from pointsman_sidecar._engine import EngineError
from pointsman_sidecar.whole import write_whole

LOGGER = logging.getLogger(__name__)


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

    def __init__(self, engine: PassTaker, kept: Path | None) -> None:
        self._engine = engine
        self._kept = kept

    def restore(self) -> None:
        """Take the tickets that an earlier start kept; gateways judge whether they are good."""
        if self._kept is None or not self._kept.exists():
            return
        try:
            self._engine.tickets(self._kept.read_bytes())
        except (OSError, EngineError) as error:
            LOGGER.warning("the last tickets cannot be read: %s", error)

    def take(self, event: dict[str, Any]) -> None:
        """Act on an event if it is one of these; what the engine refuses changes nothing."""
        try:
            match event.get("event"):
                case "tickets":
                    document = json.dumps(event.get("tickets")).encode()
                    self._engine.tickets(document)
                    self._keep(document)
                case "admission":
                    told = {name: event[name] for name in ("keys", "revoked") if name in event}
                    self._engine.admission(json.dumps(told).encode())
                case "certificate":
                    self._engine.certificate(str(event.get("chain", "")).encode())
                    LOGGER.info("the gateway has a certificate")
        except EngineError as error:
            LOGGER.warning("event %s refused: %s", event.get("event"), error)

    def _keep(self, document: bytes) -> None:
        if self._kept is None:
            return
        try:
            write_whole(self._kept, document)
        except OSError as error:
            LOGGER.warning("the tickets cannot be kept: %s", error)

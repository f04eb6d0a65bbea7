"""What other sidecars find down, on its way into the engine.

Used by `supervisor` on the hub's stream. The engine believes it for a while only, so it is said
again while the hub that said it is there; what an earlier stream said is not, and ends by itself.
"""

from __future__ import annotations

import json
import logging
import math
import time
from typing import Any, Protocol

from pointsman_sidecar import limits
from pointsman_sidecar._engine import EngineError

LOGGER = logging.getLogger(__name__)


class HealthLoader(Protocol):
    """The part of the engine that takes what others have seen."""

    def hearsay(self, document: bytes) -> None:
        """Take the whole state: which models are down."""
        ...


class Health:
    """Brings the hub's `health` events into the engine; used by one thread at a time."""

    def __init__(self, engine: HealthLoader) -> None:
        self._engine = engine
        self._down: bytes | None = None
        """What this stream said last, where it named any."""
        self._given_at = -math.inf

    def begin_stream(self) -> None:
        """Another stream, perhaps of another hub: it speaks for itself."""
        self._down = None

    def heard_hub(self) -> None:
        """The hub is there: what it said last holds on."""
        if self._down is not None and time.monotonic() - self._given_at > limits.HEALTH_AGAIN_S:
            self._give(self._down)

    def offer(self, event: dict[str, Any]) -> bool:
        """Take a `health` event, whole or not at all; whether it is taken."""
        down = event.get("down")
        document = json.dumps(down).encode()
        try:
            self._give(document)
        except EngineError as error:
            LOGGER.warning("health %s refused: %s", event.get("rev"), error)
            return False
        self._down = document if down else None
        return True

    def _give(self, document: bytes) -> None:
        self._engine.hearsay(document)
        self._given_at = time.monotonic()

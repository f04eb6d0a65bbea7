"""Endpoints of self-hosted models on their way into the engine, kept for the next start.

Used by `supervisor` on the hub's stream. The hub tells them when something changes, so what is old
is still right while the hub is there; without it their load is not known any more.
"""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path
from typing import Any, Protocol

from pointsman_sidecar import limits
from pointsman_sidecar._engine import EngineError
from pointsman_sidecar.whole import write_whole

LOGGER = logging.getLogger(__name__)


class FleetLoader(Protocol):
    """The part of the engine that takes fleets."""

    def fleet(self, document: bytes) -> None:
        """Take the whole state of all models."""
        ...


class Fleet:
    """Brings the hub's fleet into the engine; used by one thread at a time."""

    def __init__(self, engine: FleetLoader, kept: Path | None) -> None:
        self._engine = engine
        self._kept = kept
        self._models: dict[str, Any] = {}
        self._levelled = False
        self._heard_at = -math.inf

    def heard_hub(self) -> None:
        """The hub's stream has said something: what it told last is how things are."""
        self._heard_at = time.monotonic()

    def restore(self) -> None:
        """Take what an earlier start kept, so that the endpoints are known without the hub."""
        if self._kept is None or not self._kept.exists():
            return
        try:
            self._give(unlevelled(models_of(json.loads(self._kept.read_bytes()))))
        except (OSError, ValueError, EngineError) as error:
            LOGGER.warning("the last fleet cannot be read: %s", error)

    def offer(self, event: dict[str, Any]) -> bool:
        """Take a `fleet` event, whole or not at all; whether it is taken."""
        try:
            models = models_of(event)
            self._give(models)
        except (ValueError, EngineError) as error:
            LOGGER.warning("fleet %s refused: %s", event.get("rev"), error)
            return False
        self._levelled = True
        self._keep()
        return True

    def age(self) -> None:
        """With the hub away too long keep the endpoints and forget how loaded they were."""
        if not self._levelled or time.monotonic() - self._heard_at < limits.HUB_AWAY_S:
            return
        LOGGER.warning("the hub is away: how loaded endpoints are is not known any more")
        self._give(unlevelled(self._models))
        self._levelled = False

    def _give(self, models: dict[str, Any]) -> None:
        self._engine.fleet(json.dumps(models).encode())
        self._models = models

    def _keep(self) -> None:
        """Write it where the next start finds it, as another event."""
        if self._kept is None:
            return
        try:
            write_whole(self._kept, json.dumps({"models": self._models}).encode())
        except OSError as error:
            LOGGER.warning("the last fleet cannot be kept: %s", error)


def models_of(event: Any) -> dict[str, Any]:
    """The models of an event; the engine reads what is in them."""
    models = event.get("models") if isinstance(event, dict) else None
    if not isinstance(models, dict) or not all(isinstance(told, dict) for told in models.values()):
        raise ValueError("`models` must be an object of objects")
    return models


def unlevelled(models: dict[str, Any]) -> dict[str, Any]:
    """The same endpoints, none known to be more loaded than another."""
    return {
        name: {**told, "endpoints": [{"url": url} for url in urls_of(told)]}
        for name, told in models.items()
    }


def urls_of(told: dict[str, Any]) -> list[Any]:
    """The endpoints' addresses, wherever the document has some."""
    endpoints = told.get("endpoints") or []
    return [each["url"] for each in endpoints if isinstance(each, dict) and "url" in each]

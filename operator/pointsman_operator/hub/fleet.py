"""What the hub knows of each sidecar: is its stream open, what does it run, when did it speak."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pointsman_operator.hub import limits
from pointsman_operator.ledger.clock import Clock


@dataclass(frozen=True, slots=True)
class Rejected:
    """A table that a sidecar would not load, and why."""

    digest: str
    reason: str


@dataclass(slots=True)
class Sidecar:
    """One engine start of one sidecar."""

    sidecar: str
    boot: str
    digest: str = ""
    seen_ms: int = 0
    rejected: Rejected | None = None
    _streams: int = field(default=0)

    @property
    def connected(self) -> bool:
        """Its digest counts only while its stream is open."""
        return self._streams > 0

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a stream while the block runs."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1


class Fleet:
    """Sidecars by id and boot; when there are too many, those longest silent go first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sidecars: OrderedDict[tuple[str, str], Sidecar] = OrderedDict()

    def __iter__(self) -> Iterator[Sidecar]:
        """All, the one heard of last at the end."""
        return iter(self._sidecars.values())

    def heard(self, sidecar: str, boot: str) -> Sidecar:
        """The sidecar's entry; it has just spoken."""
        key = (sidecar, boot)
        found = self._sidecars.setdefault(key, Sidecar(sidecar, boot))
        self._sidecars.move_to_end(key)
        found.seen_ms = self._clock.now_ms()
        if len(self._sidecars) > limits.SIDECARS_MAX:
            self._forget_one()
        return found

    def _forget_one(self) -> None:
        oldest = next(iter(self._sidecars))
        silent = next((key for key, it in self._sidecars.items() if not it.connected), oldest)
        del self._sidecars[silent]

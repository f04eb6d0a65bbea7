"""What the hub knows of each sidecar: is its stream open, what does it run, what does it say.

Every change raises the revision, so that the controller can wait for news instead of polling.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pointsman_operator.hub import limits
from pointsman_operator.hub.targets import Served
from pointsman_operator.ledger.clock import Clock


@dataclass(frozen=True, slots=True)
class Rejected:
    """A table that a sidecar would not load, and why."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outage:
    """Why a breaker is not closed."""

    class_: str
    since_ms: int
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a sidecar last said of itself; comparing two tells whether there is news."""

    namespace: str = ""
    pod: str = ""
    workload: str = ""
    digest: str = ""
    rejected: Rejected | None = None
    version: str = ""
    ledger: str = ""
    """`ok`, or the engine's sentence why not."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Breaker states by model."""
    outages: Mapping[str, Outage] = field(default_factory=dict)
    """Of those that are not closed."""
    told_down: tuple[str, ...] = ()
    """Models that it tries last because others find them down."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """`ok`, `missing` or `host_not_allowed` by `secret/key`."""
    last_error: str = ""
    gateway: str = ""
    """`pool/NAME` or `policy/NAME`, as its ServiceAccount proves; empty: a sidecar."""
    csr: str = ""
    """A gateway's request for a certificate (PEM)."""
    waiting: str = ""
    """What a gateway still lacks before it takes calls; empty: nothing."""


class Sidecar:
    """One engine start of one sidecar."""

    __slots__ = (
        "_changed",
        "_streams",
        "boot",
        "facts",
        "seen_ms",
        "served",
        "sidecar",
        "written",
    )

    def __init__(self, sidecar: str, boot: str, changed: Callable[[], None]) -> None:
        self.sidecar = sidecar
        self.boot = boot
        self.facts = Facts()
        self.seen_ms = 0
        self.served: Served | None = None
        """What decides on its table; None until its first stream."""
        self.written: bytes | None = None
        """As the controller is told of it; None: that has changed."""
        self._changed = changed
        self._streams = 0

    @property
    def connected(self) -> bool:
        """Its digest counts only while its stream is open."""
        return self._streams > 0

    def says(self, **told: object) -> None:
        """Take what a call says of it; what it does not name stays."""
        facts = replace(self.facts, **told)  # type: ignore[arg-type]  # checked by `messages`
        if facts != self.facts:
            self.facts = facts
            self._tell()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a stream while the block runs."""
        self._streams += 1
        self._tell()
        try:
            yield
        finally:
            self._streams -= 1
            self._tell()

    def _tell(self) -> None:
        self.written = None
        self._changed()


class Fleet:
    """Sidecars by id and boot; when there are too many, those longest silent go first."""

    def __init__(self, clock: Clock) -> None:
        self.revision = 0
        self._clock = clock
        self._sidecars: OrderedDict[tuple[str, str], Sidecar] = OrderedDict()
        self._news: asyncio.Event = asyncio.Event()

    def __iter__(self) -> Iterator[Sidecar]:
        """All, the one heard of last at the end."""
        return iter(self._sidecars.values())

    def heard(self, sidecar: str, boot: str) -> Sidecar:
        """The sidecar's entry; it has just spoken."""
        key = (sidecar, boot)
        found = self._sidecars.get(key)
        if found is None:
            found = self._sidecars[key] = Sidecar(sidecar, boot, self.changed)
            self.changed()
        self._sidecars.move_to_end(key)
        found.seen_ms = self._clock.now_ms()
        if len(self._sidecars) > limits.SIDECARS_MAX:
            self._forget_one()
        return found

    def forget(self, sidecar: str) -> None:
        """Its pod is gone: nobody waits for it to come back."""
        gone = [key for key in self._sidecars if key[0] == sidecar]
        for key in gone:
            del self._sidecars[key]
        if gone:
            self.changed()

    async def news(self, after: int, wait_s: float) -> None:
        """Wait until there is something after that revision, at most so long.

        A revision of an earlier start is larger than ours, and anything is news to its holder.
        """
        if after != self.revision:
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return

    def changed(self) -> None:
        """There is news for the controller."""
        self.revision += 1
        # Who waits now is woken by the one, who comes later waits again by the other.
        self._news.set()
        self._news.clear()

    def _forget_one(self) -> None:
        oldest = next(iter(self._sidecars))
        silent = next((key for key, it in self._sidecars.items() if not it.connected), oldest)
        del self._sidecars[silent]
        self.changed()

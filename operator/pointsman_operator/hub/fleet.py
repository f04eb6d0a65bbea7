"""What the hub knows of each sidecar: is its stream open, what does it run, what does it say.

Every change raises the revision, so that the controller can wait for news instead of polling, and
is told of what has changed since its last question alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile

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
        "revision",
        "seen_ms",
        "served",
        "sidecar",
        "written",
    )

    def __init__(self, sidecar: str, boot: str, changed: Callable[[Sidecar], None]) -> None:
        self.sidecar = sidecar
        self.boot = boot
        self.facts = Facts()
        self.revision = 0
        """The fleet's when it last changed."""
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
        self._changed(self)


@dataclass(frozen=True, slots=True)
class News:
    """What is different after a revision."""

    whole: bool
    """`entries` are all that there are: nobody knows what the asker has."""
    entries: tuple[Sidecar, ...]
    """The one that changed last at the end."""
    gone: tuple[tuple[str, str], ...]
    """Sidecar and boot; one may have come back since, and is among the entries then."""


class Fleet:
    """Sidecars by id and boot; when there are too many, those longest silent go first."""

    def __init__(self, clock: Clock) -> None:
        # Above every revision of an earlier start, unless that had a thousand changes a second.
        self.revision = clock.now_ms()
        self._clock = clock
        self._sidecars: OrderedDict[tuple[str, str], Sidecar] = OrderedDict()
        self._by_change: OrderedDict[tuple[str, str], Sidecar] = OrderedDict()
        self._gone: deque[tuple[int, tuple[str, str]]] = deque()
        self._told_from = self.revision
        """Of what went before this revision nobody knows any more."""
        self._news: asyncio.Event = asyncio.Event()

    def __iter__(self) -> Iterator[Sidecar]:
        """All, the one heard of last at the end."""
        return iter(self._sidecars.values())

    def heard(self, sidecar: str, boot: str) -> Sidecar:
        """The sidecar's entry; it has just spoken."""
        key = (sidecar, boot)
        found = self._sidecars.get(key)
        if found is None:
            found = self._sidecars[key] = Sidecar(sidecar, boot, self._entry_changed)
            self._entry_changed(found)
        self._sidecars.move_to_end(key)
        found.seen_ms = self._clock.now_ms()
        if len(self._sidecars) > limits.SIDECARS_MAX:
            self._forget_one()
        return found

    def forget(self, sidecar: str) -> None:
        """Its pod is gone: nobody waits for it to come back."""
        for key in [key for key in self._sidecars if key[0] == sidecar]:
            self._drop(key)

    def since(self, after: int) -> News:
        """What has changed after that revision; everything where it is not one of ours."""
        if not self._told_from <= after <= self.revision:
            return News(True, tuple(self._by_change.values()), ())
        changed = takewhile(lambda it: it.revision > after, reversed(self._by_change.values()))
        left = takewhile(lambda it: it[0] > after, reversed(self._gone))
        return News(False, tuple(changed)[::-1], tuple(key for _, key in left))

    async def news(self, after: int, wait_s: float) -> None:
        """Wait until there is something after that revision, at most so long.

        A revision of an earlier start is not ours, and anything is news to its holder.
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

    def _entry_changed(self, entry: Sidecar) -> None:
        key = (entry.sidecar, entry.boot)
        if self._sidecars.get(key) is not entry:
            # Forgotten, and its stream ends now.
            return
        self.changed()
        entry.revision = self.revision
        self._by_change[key] = entry
        self._by_change.move_to_end(key)

    def _forget_one(self) -> None:
        oldest = next(iter(self._sidecars))
        self._drop(next((key for key, it in self._sidecars.items() if not it.connected), oldest))

    def _drop(self, key: tuple[str, str]) -> None:
        del self._sidecars[key], self._by_change[key]
        self.changed()
        self._gone.append((self.revision, key))
        if len(self._gone) > limits.GONE_REMEMBERED:
            self._told_from, _ = self._gone.popleft()

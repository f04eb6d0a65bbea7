"""Leader election by a coordination Lease: one controller writes, a standby waits.

`leaseTransitions` counts the changes of leader and is the fence: what an earlier leader still
writes is refused by it. While the API server is away nobody can take the Lease, so its holder
stops writing and goes on once it has renewed; only a Lease in another's hands ends a leadership.

Who remembers a fence outlives the Lease: the hub's ledger, sidecars, ConfigMaps. A Lease that is
made anew (after an uninstallation, or because somebody deleted it) therefore does not begin at 0,
but at the seconds since 2020: above every count of a Lease that changed hands less than once a
second, and within the field's 31 bits until 2088.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pointsman_operator.kube import limits
from pointsman_operator.kube.api import CONFLICT, Api, ApiError

_log = logging.getLogger(__name__)


class NotLeadingError(Exception):
    """This process must not write now."""


class LeadershipLostError(Exception):
    """Another process holds the Lease: this one must end."""


@dataclass(frozen=True)
class Fence:
    """What every table is published under (docs/contracts.md 3)."""

    installation: str
    transitions: int
    boot: str

    @property
    def header(self) -> str:
        """`x-pointsman-fence`."""
        return f"{self.installation},{self.transitions},{self.boot}"

    def as_dict(self) -> dict[str, Any]:
        """As envelopes hold it."""
        return {
            "installation": self.installation,
            "transitions": self.transitions,
            "boot": self.boot,
        }


class Leadership:
    """Whether this process may write: until a moment, which every renewal moves on."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until = float("-inf")

    @property
    def leading(self) -> bool:
        """Whether the Lease is certainly still ours."""
        return self._now() < self._until

    def check(self) -> None:
        """Raise `NotLeadingError` unless the Lease is certainly still ours."""
        if not self.leading:
            raise NotLeadingError("the Lease has not been renewed in time: writing waits")

    def extend(self, asked_at: float) -> None:
        """The Lease was renewed by a call that was sent at `asked_at`."""
        self._until = asked_at + limits.LEASE_S - limits.LEASE_MARGIN_S

    def end(self) -> None:
        """Stop writing at once."""
        self._until = float("-inf")

    def now(self) -> float:
        """The clock that renewals are measured by."""
        return self._now()


class Elector:
    """One candidate for one Lease."""

    def __init__(self, api: Api, namespace: str, name: str, holder: str, own: Leadership) -> None:
        """`api` must not be the one whose writes need the leadership; `holder` is unique."""
        self._api = api
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._folder}/{name}"
        self._name = name
        self._holder = holder
        self._own = own
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = 0.0
        self._lease: dict[str, Any] = {}

    async def acquire(self) -> int:
        """Wait until the Lease is ours; its `leaseTransitions`."""
        while True:
            try:
                if await self._try():
                    transitions = int(self._lease["spec"]["leaseTransitions"])
                    _log.info("leading, with %d transitions", transitions)
                    return transitions
            except (ApiError, TimeoutError) as error:
                _log.warning("lease: %s", error)
            await asyncio.sleep(limits.LEASE_LOOK_S)

    async def keep(self) -> None:
        """Renew for ever; raises `LeadershipLostError` once another holds the Lease."""
        while True:
            await asyncio.sleep(limits.LEASE_RENEW_S)
            try:
                await self._renew()
            except (ApiError, TimeoutError) as error:
                _log.warning("lease: %s", error)

    async def release(self) -> None:
        """Let another take over at once."""
        self._own.end()
        spec = {**self._lease.get("spec", {}), "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._put(spec)
        except (ApiError, TimeoutError) as error:
            _log.warning("lease is not released, the next leader waits for its end: %s", error)

    async def _try(self) -> bool:
        asked_at = self._own.now()
        found = await self._get()
        if found is None:
            spec = self._spec(_first_transitions(), None)
            metadata = {"name": self._name}
            created = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            async with asyncio.timeout(limits.LEASE_CALL_S):
                self._lease = await self._api.create(self._folder, created)
            self._own.extend(asked_at)
            return True
        spec = found.get("spec", {})
        holder = spec.get("holderIdentity") or ""
        seen = (holder, str(spec.get("renewTime")))
        if seen != self._seen:
            self._seen, self._seen_at = seen, asked_at
        lasts_s = float(spec.get("leaseDurationSeconds") or limits.LEASE_S)
        if holder and asked_at < self._seen_at + lasts_s:
            return False
        self._lease = found
        taken = self._spec(int(spec.get("leaseTransitions") or 0) + 1, None)
        try:
            await self._put(taken)
        except ApiError as error:
            if error.status == CONFLICT:
                return False
            raise
        self._own.extend(asked_at)
        return True

    async def _renew(self) -> None:
        asked_at = self._own.now()
        spec = self._lease["spec"]
        try:
            await self._put(self._spec(spec["leaseTransitions"], spec["acquireTime"]))
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            # An answer that was lost, or somebody else's hand: look, and renew at once if ours.
            found = await self._get()
            if found is None or found["spec"].get("holderIdentity") != self._holder:
                self._own.end()
                raise LeadershipLostError("another controller holds the Lease") from error
            self._lease = found
            await self._put(self._spec(spec["leaseTransitions"], spec["acquireTime"]))
        self._own.extend(asked_at)

    async def _get(self) -> dict[str, Any] | None:
        async with asyncio.timeout(limits.LEASE_CALL_S):
            return await self._api.get(self._path)

    async def _put(self, spec: dict[str, Any]) -> None:
        metadata = {
            "name": self._name,
            "resourceVersion": self._lease["metadata"]["resourceVersion"],
        }
        document = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        async with asyncio.timeout(limits.LEASE_CALL_S):
            self._lease = await self._api.update(self._path, document)

    def _spec(self, transitions: int, acquired: str | None) -> dict[str, Any]:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": limits.LEASE_S,
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


def _first_transitions() -> int:
    """Of a Lease that is made now: above those of any before it."""
    return int((dt.datetime.now(dt.UTC) - limits.LEASES_COUNTED_FROM).total_seconds())

"""Tables to where sidecars find them: the hub first, then the namespace's ConfigMap.

Both are compared before they are written; a ConfigMap that somebody changed is put right, and the
policies whose tables lie in it are told so by an Event.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.compile.gateway import is_gateway_table
from pointsman_operator.compile.precedence import selects_pods, target_of
from pointsman_operator.controller.pools import PoolPublisher
from pointsman_operator.controller.truth_policy import Trouble
from pointsman_operator.controller.world import World
from pointsman_operator.controller.written import Written
from pointsman_operator.kube.api import Api, ApiError
from pointsman_operator.kube.events import Events
from pointsman_operator.kube.hub import Hub, HubRefusedError
from pointsman_operator.kube.lease import Fence, Leadership
from pointsman_operator.kube.reasons import Reason
from pointsman_operator.owned.marks import MANAGED_BY, MANAGER
from pointsman_operator.owned.tables_config_map import (
    BYTES_MAX,
    NAME,
    SUFFIX,
    Entry,
    read_entry,
    size,
    tables_config_map,
)

_log = logging.getLogger(__name__)

TAMPERED = "ConfigMapCorrected"
"""The Event's reason."""


class Publisher:
    """Knows what the hub and the ConfigMaps hold, and brings them to what the world says."""

    def __init__(
        self, world: World, api: Api, hub: Hub, events: Events, leadership: Leadership, fence: Fence
    ) -> None:
        self.bundle = ""
        """Whom sidecars are to trust (PEM); each ConfigMap holds it."""
        self.trouble: dict[ObjectName, Trouble] = {}
        self._world = world
        self._api = api
        self._hub = hub
        self._events = events
        self._leadership = leadership
        self._fence = fence
        self.pools = PoolPublisher(world, hub, leadership, fence)
        self._at_hub: dict[ObjectName, tuple[str, Mapping[str, Any]]] = {}
        self._written = Written()

    async def to_hub(self, name: ObjectName) -> bool:
        """Publish one policy's table at the hub, or withdraw it; whether anything was sent.

        Raises `HubUnreachableError`, `HubRefusedError`, `FencedError`, `NotLeadingError`.
        """
        policy = self._world.snapshot.policies.get(name)
        if policy is None:
            if ObjectRef(RoutingPolicy.KIND, name.namespace, name.name) in self._world.held:
                # Our models refuse what it says now: its last good table stays in force.
                return False
            return await self._withdraw(name)
        compiled = self._world.compiled(name)
        try:
            sent = await self.put(name, compiled.data, compiled.digest, target_of(policy))
        except HubRefusedError as error:
            self.trouble[name] = Trouble(Reason.HUB_REFUSED, str(error))
            raise
        self._untroubled(name, Reason.HUB_REFUSED)
        return sent

    async def put(
        self, name: ObjectName, data: bytes, digest: str, target: Mapping[str, Any]
    ) -> bool:
        """Bring the hub one table, unless it has it; whether it was sent. Raises as `to_hub`."""
        if self._at_hub.get(name) == (digest, target):
            return False
        self._leadership.check()
        await self._hub.put_table(name, data, self._fence, target)
        self._at_hub[name] = (digest, target)
        return True

    async def withdraw_gateways(self, wanted: set[ObjectName]) -> None:
        """Take tables of gateways that are not wanted from the hub. Raises as `to_hub`."""
        for name in [it for it in self._at_hub if is_gateway_table(it) and it not in wanted]:
            await self._withdraw(name)

    async def compare_hub(self) -> set[ObjectName]:
        """Ask the hub what it serves; the policies that must be put or withdrawn.

        At least one table is among them where none bears our fence, so that a leader that was
        replaced without noticing is refused from now on.
        """
        held = await self._hub.tables()
        self.pools.compare(held.pools)
        rows = held.tables
        self._at_hub = {
            name: (str(row["digest"]), row["target"])
            for name, row in rows.items()
            if row["fence"]["installation"] == self._fence.installation
        }
        wanted = set(self._world.snapshot.policies)
        if not any(row["fence"] == self._fence.as_dict() for row in rows.values()) and wanted:
            self._at_hub.pop(min(wanted), None)
        return wanted | {name for name in rows if not is_gateway_table(name)}

    async def to_config_map(self, namespace: str) -> bool:
        """Bring the namespace's ConfigMap to its policies; whether anything was written.

        Raises `ApiError`, `NotLeadingError`.
        """
        if not self._world.writable(namespace):
            # The hub may still hold tables of a namespace that is gone or served no more.
            return False
        known = self._written.trusted(namespace)
        if known is None:
            self._written.asked(namespace)
            existing = await self._api.get(_path(namespace))
            return await self._bring(namespace, existing)
        try:
            return await self._bring(namespace, known, known["metadata"]["resourceVersion"])
        except ApiError:
            # Somebody was faster than the watch: look, and say so.
            self._written.doubt(namespace)
            return await self.to_config_map(namespace)

    def noticed(self, namespace: str, version: str | None) -> bool:
        """What a watch says of a ConfigMap; whether it may be otherwise than we left it."""
        return self._written.noticed(namespace, version)

    def doubt(self) -> None:
        """Look at every ConfigMap before it is written again."""
        self._written.doubt_all()

    async def _bring(
        self, namespace: str, existing: Mapping[str, Any] | None, version: str = ""
    ) -> bool:
        """From what is there to what should be; a given `version` must still be there then."""
        path = _path(namespace)
        if not self._world.policy_names(namespace):
            return await self._delete(namespace, path, existing)
        wanted = self._wanted(namespace, existing)
        over = size(wanted) - BYTES_MAX
        self._judge_size(namespace, over)
        if over > 0:
            return False
        foreign = _foreign(existing, wanted)
        if existing is not None and not foreign and _says(existing, wanted):
            self._written.keep(namespace, existing)
            return False
        await self._tell_if_tampered(namespace, existing)
        if existing is not None and existing.get("immutable"):
            await self._api.delete(path, str(existing["metadata"]["uid"]))
        elif foreign:
            await self._api.merge(path, foreign)
        elif version:
            wanted["metadata"]["resourceVersion"] = version
        self._written.keep(namespace, await self._api.apply(path, wanted))
        return True

    async def _withdraw(self, name: ObjectName) -> bool:
        self._world.forget(name)
        self.trouble.pop(name, None)
        self._leadership.check()
        await self._hub.delete_table(name, self._fence)
        self._at_hub.pop(name, None)
        return True

    async def _delete(self, namespace: str, path: str, existing: Mapping[str, Any] | None) -> bool:
        self._written.forget(namespace)
        self._judge_size(namespace, 0)
        labels = (existing or {}).get("metadata", {}).get("labels") or {}
        if existing is None or labels.get(MANAGED_BY) != MANAGER:
            return False
        await self._api.delete(path, str(existing["metadata"]["uid"]))
        return True

    def _wanted(self, namespace: str, existing: Mapping[str, Any] | None) -> dict[str, Any]:
        """The ConfigMap as it should be; entries that are right already stay byte by byte."""
        there: Mapping[str, str] = (existing or {}).get("binaryData") or {}
        packed: dict[str, str] = {}
        for own in sorted(self._world.policy_names(namespace)):
            name = ObjectName(namespace, own)
            value = there.get(name.name + SUFFIX, "")
            policy = self._world.snapshot.policies.get(name)
            if policy is not None:
                if selects_pods(policy):
                    packed[name.name] = self._packed(policy, value)
            elif read_entry(value) is not None:
                packed[name.name] = value
        return tables_config_map(namespace, self._fence.installation, self.bundle, packed)

    def _packed(self, policy: RoutingPolicy, there: str) -> str:
        compiled, target = self._world.compiled(policy.object_name), target_of(policy)
        known = read_entry(there) if there else None
        if (
            known is not None
            and (known.digest, known.target) == (compiled.digest, target)
            and known.fence.get("installation") == self._fence.installation
            and _at_most(known.fence.get("transitions"), self._fence.transitions)
        ):
            # Under a new leader, too: the same table is no reason for a write.
            return there
        fence = self._fence.as_dict()
        name = policy.metadata.name
        return Entry(name, compiled.digest, fence, target, compiled.data).packed()

    def _judge_size(self, namespace: str, over: int) -> None:
        for name in [name for name in self.trouble if name.namespace == namespace]:
            self._untroubled(name, Reason.TOO_LARGE)
        if over > 0:
            text = f"the tables of {namespace} are {over} bytes too large for its ConfigMap"
            for policy in self._world.snapshot.policies_by_namespace.get(namespace, ()):
                self.trouble.setdefault(policy.object_name, Trouble(Reason.TOO_LARGE, text))

    def _untroubled(self, name: ObjectName, reason: Reason) -> None:
        """What one of the two places knows to be over; the other's trouble stays."""
        trouble = self.trouble.get(name)
        if trouble is not None and trouble.reason is reason:
            del self.trouble[name]

    async def _tell_if_tampered(self, namespace: str, existing: Mapping[str, Any] | None) -> None:
        left_at = self._written.version(namespace)
        if left_at is None:
            return
        version = None if existing is None else existing["metadata"]["resourceVersion"]
        if version == left_at:
            return
        did = "deleted" if existing is None else "changed"
        text = f"somebody {did} ConfigMap {namespace}/{NAME}: it is put right; the hub's tables win"
        _log.warning(text)
        for policy in self._world.snapshot.policies_by_namespace.get(namespace, ()):
            held = self._world.held[policy.ref]
            await self._events.tell(policy.ref, held.uid, "Warning", TAMPERED, text)


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"


def _foreign(existing: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch that removes entries that are not ours."""
    patch: dict[str, Any] = {}
    for part in ("data", "binaryData"):
        there = (existing or {}).get(part) or {}
        strange = dict.fromkeys(sorted(there.keys() - wanted[part].keys()))
        if strange:
            patch[part] = strange
    return patch


def _says(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    labels = existing["metadata"].get("labels") or {}
    return (
        wanted["metadata"]["labels"].items() <= labels.items()
        and all((existing.get(part) or {}) == wanted[part] for part in ("data", "binaryData"))
        and not existing.get("immutable")
    )


def _at_most(value: Any, most: int) -> bool:
    return isinstance(value, int) and value <= most

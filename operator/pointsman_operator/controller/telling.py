"""Status of every resource: computed from the world, compared, applied, told of by Events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pointsman_operator.api.kinds import BY_KIND
from pointsman_operator.api.meta import API_VERSION, GROUP, VERSION, ObjectName, ObjectRef
from pointsman_operator.controller import limits
from pointsman_operator.controller.findings import GOOD, conditions, moment
from pointsman_operator.controller.held import Held
from pointsman_operator.controller.publishing import Publisher
from pointsman_operator.controller.statuses import Draft, draft
from pointsman_operator.controller.world import World
from pointsman_operator.kube.api import NOT_FOUND, Api, ApiError
from pointsman_operator.kube.events import Events
from pointsman_operator.kube.reasons import Reason

MONEY = ("limits", "worst")
"""What of a Budget's status moves with every call."""
HEALTH = "targets"
REACHABLE = "ProvidersReachable"
"""What of a status moves with a target that fails and answers by turns."""
SPARED = {"ProvidersReachable", "HasCapacity"}
"""Told by an Event, too, where they are False, though they hold nothing up."""
BAD_IF_TRUE = {"Conflicted", "NearLimit", "Exhausted"}
QUIET = {Reason.UPDATING.value, Reason.PROGRAMMING.value}
"""Passes by itself within a second: no Event."""


class Teller:
    """Writes statuses; one that says what is there already is not written."""

    def __init__(self, world: World, api: Api, events: Events, publisher: Publisher) -> None:
        self._world = world
        self._api = api
        self._events = events
        self._publisher = publisher
        self._money_at: dict[ObjectRef, float] = {}
        self._health_at: dict[ObjectRef, float] = {}

    async def tell(self, ref: ObjectRef) -> float | None:
        """Bring one object's status to the truth; seconds until it must be looked at again.

        Raises `ApiError`, `NotLeadingError`.
        """
        held = self._world.held.get(ref)
        if held is None or ref.namespace in self._world.leaving:
            self._money_at.pop(ref, None)
            self._health_at.pop(ref, None)
            return None
        now = time.time()
        made = draft(self._world, held, self._publisher.trouble.get(_name(ref)), now)
        status = _status(made, held, now)
        before = known_part(ref.kind, held.status)
        if status == before:
            return made.look_again_s
        wait_s = self._early_s(ref, before, status, now)
        if wait_s > 0:
            return min(wait_s, made.look_again_s or wait_s)
        await self._apply(ref, held, status)
        if any(part in status for part in MONEY):
            self._money_at[ref] = now
        if HEALTH in status:
            self._health_at[ref] = now
        await self._tell_changes(ref, held, before, status)
        return made.look_again_s

    def _early_s(
        self, ref: ObjectRef, before: Mapping[str, Any], status: Mapping[str, Any], now: float
    ) -> float:
        """Seconds for which a status waits that differs only in what moves all the time."""
        never = float("-inf")
        if _without_money(status) == _without_money(before):
            return self._money_at.get(ref, never) + limits.MONEY_EVERY_S - now
        if _without_health(status) == _without_health(before):
            return self._health_at.get(ref, never) + limits.HEALTH_EVERY_S - now
        return never

    async def _apply(self, ref: ObjectRef, held: Held, status: Mapping[str, Any]) -> None:
        plural = BY_KIND[ref.kind].plural
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{ref.namespace}/{plural}/{ref.name}/status"
        document = {
            "apiVersion": API_VERSION,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": held.uid},
            "status": status,
        }
        try:
            answer = await self._api.apply(path, document)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
        else:
            self._world.told(ref, answer)

    async def _tell_changes(
        self, ref: ObjectRef, held: Held, before: Mapping[str, Any], status: Mapping[str, Any]
    ) -> None:
        earlier = {it["type"]: it for it in before.get("conditions", ())}
        for fields in status["conditions"]:
            known = earlier.get(fields["type"], {})
            kind, reason = fields["type"], fields["reason"]
            if (known.get("status"), known.get("reason")) == (fields["status"], reason):
                continue
            good = kind in GOOD or kind in SPARED
            bad = (
                fields["status"] == "False"
                if good
                else (kind in BAD_IF_TRUE and fields["status"] == "True")
            )
            if bad and reason not in QUIET:
                note = fields["message"] or reason
                await self._events.tell(ref, held.uid, "Warning", reason, note)
            elif kind == "Ready" and fields["status"] == "True" and _was_bad(known):
                await self._events.tell(ref, held.uid, "Normal", reason, "works again")


def known_part(kind: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """A status as it is, without fields and conditions that are not ours; `Ready` last."""
    fields = {field.alias or name for name, field in BY_KIND[kind].status.model_fields.items()}
    kept = {name: value for name, value in status.items() if name in fields}
    if "conditions" in kept:
        kept["conditions"] = sorted(kept["conditions"], key=_order)
    return kept


def _status(made: Draft, held: Held, now: float) -> dict[str, Any]:
    previous = held.status.get("conditions") or ()
    generation = held.generation
    found = conditions(made.compiled, made.findings, previous, generation, moment(now))
    return {**made.facts, "conditions": sorted(found, key=_order)}


def _was_bad(condition: Mapping[str, Any]) -> bool:
    """Whether an Event told of it."""
    return condition.get("status") == "False" and condition.get("reason") not in QUIET


def _order(condition: Mapping[str, Any]) -> tuple[bool, str]:
    return condition["type"] == "Ready", condition["type"]


def _name(ref: ObjectRef) -> ObjectName:
    return ObjectName(ref.namespace, ref.name)


def _without_money(status: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in status.items() if name not in MONEY}


def _without_health(status: Mapping[str, Any]) -> dict[str, Any]:
    conditions = [it for it in status.get("conditions", ()) if it["type"] != REACHABLE]
    kept = {name: value for name, value in status.items() if name != HEALTH}
    return kept | {"conditions": conditions}

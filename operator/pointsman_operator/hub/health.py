"""Health of providers' targets, shared: what some sidecars found down all avoid (`health` events).

Tenancy: a sidecar hears of the targets of its own table only, and a namespace's sidecars speak for
the namespace alone; those of a pool's own namespace, its gateway among them, speak for all who use
the pool. What is known lives in memory: after a restart it comes again with the reports.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from pointsman_operator.hub import limits
from pointsman_operator.hub.fleet import Outage
from pointsman_operator.hub.moments import rfc3339
from pointsman_operator.hub.tables import PolicyName, Tables, TargetOf
from pointsman_operator.hub.verdict import SHARED, Evidence, Verdict, Voice
from pointsman_operator.ledger.clock import Clock

Ago = Annotated[int, Field(ge=0, le=limits.AGO_MS_MAX)]
ModelName = tuple[str, str, str]
"""A pool's namespace and name, and the model's name in it."""


class Reported(BaseModel):
    """Why a sidecar's breaker is not closed, and for how long (docs/contracts.md 3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    class_: Annotated[str, Field(alias="class", max_length=limits.LABEL_CHARACTERS_MAX)]
    for_ms: Ago
    failed_ms: Ago


class Place(NamedTuple):
    """A target, and for whom what is said of it counts."""

    scope: str
    """A namespace; the pool's own: for all."""
    model: ModelName
    url: str


class Listeners(Protocol):
    """Who is told."""

    def changed(self, namespace: str) -> None:
        """A policy of that namespace has news for its sidecars."""
        ...


class Health:
    """Evidence by target, and what each policy's sidecars are told of it."""

    def __init__(self, tables: Tables, streams: Listeners, clock: Clock) -> None:
        self._tables = tables
        self._streams = streams
        self._clock = clock
        self._evidence: dict[Place, Evidence] = {}
        self._claimed: dict[str, set[Place]] = {}
        """By pod: what it finds down."""
        self._stirred: set[Place] = set()
        self._down: dict[ModelName, dict[Place, Verdict]] = {}
        self._told: dict[PolicyName, tuple[int, dict[str, int]]] = {}
        """The revision of what each policy's sidecars are told, and the outages in it by number."""
        self._lines: dict[PolicyName, tuple[int, int, bytes]] = {}

    def take(
        self,
        policy: PolicyName,
        pod: str,
        outages: Mapping[str, Reported],
        answered: Mapping[str, int],
    ) -> None:
        """What a pod has seen of the targets of its own table."""
        now_s = self._now_s()
        targets = self._tables.targets_of(policy)
        claimed: set[Place] = set()
        for name, outage in outages.items():
            target = targets.get(name)
            if target is None or outage.class_ not in SHARED:
                continue
            place = _place(policy, name, target)
            voice = self._voice(place, pod)
            if voice is not None:
                voice.class_ = outage.class_
                voice.since_s = now_s - outage.for_ms / 1000
                voice.failed_s = now_s - outage.failed_ms / 1000
                claimed.add(place)
        for name, ago_ms in answered.items():
            if (target := targets.get(name)) is not None:
                voice = self._voice(_place(policy, name, target), pod)
                if voice is not None:
                    voice.answered_s = max(voice.answered_s, now_s - ago_ms / 1000)
        self._settle_claims(pod, claimed)

    def forget(self, pod: str) -> None:
        """It is gone: it has no voice any more."""
        self._settle_claims(pod, set())
        for evidence in self._evidence.values():
            evidence.forget(pod)

    def news(self, policy: PolicyName) -> tuple[int, bytes] | None:
        """Revision and line of the `health` event for a policy's sidecars; None: nothing ever."""
        if policy not in self._told:
            return None
        revision = self._told[policy][0]
        # It says how long ago; a second more or less is nothing to a sidecar.
        second = int(self._now_s())
        known = self._lines.get(policy)
        if known is None or known[:2] != (revision, second):
            down = {
                name: {"id": it.number, "class": it.class_, "for_ms": self._for_ms(it)}
                for name, it in self._down_for(policy)
            }
            event = {"event": "health", "rev": revision, "down": down}
            text = json.dumps(event, sort_keys=True, separators=(",", ":"))
            known = self._lines[policy] = (revision, second, text.encode() + b"\n")
        return revision, known[2]

    def told(self) -> list[dict[str, Any]]:
        """What of pools the controller is told, in order."""
        return [
            {
                "namespace": model[0],
                "pool": model[1],
                "model": model[2],
                "class": verdict.class_,
                "since": rfc3339(int(verdict.since_s * 1000)),
            }
            for model, verdict in sorted(self._down_for_all(), key=itemgetter(0))
        ]

    async def run(self, changed: Callable[[], None]) -> None:
        """Judge for ever; `changed` hears of what concerns the controller."""
        while True:
            await asyncio.sleep(limits.JUDGED_EVERY_S)
            if self.judge():
                changed()

    def judge(self) -> bool:
        """Bring all verdicts to what is known and tell whom it concerns; whether any changed."""
        now_s = self._now_s()
        told = {place for places in self._down.values() for place in places}
        stirred, self._stirred = self._stirred | told, set()
        changed: set[ModelName] = set()
        for place in stirred:
            evidence = self._evidence.get(place)
            if evidence is None:
                continue
            if evidence.judge(now_s):
                changed.add(place.model)
                self._keep(place, evidence.verdict)
            if evidence.claims(now_s):
                self._stirred.add(place)
        if changed:
            self._tell(changed)
        return bool(changed)

    def _keep(self, place: Place, verdict: Verdict | None) -> None:
        places = self._down.setdefault(place.model, {})
        if verdict is None:
            places.pop(place, None)
        else:
            places[place] = verdict
        if not places:
            del self._down[place.model]

    def _tell(self, changed: set[ModelName]) -> None:
        served = set(self._tables.policies())
        for gone in self._told.keys() - served:
            del self._told[gone]
            self._lines.pop(gone, None)
        for policy in served:
            targets = self._tables.targets_of(policy)
            if not any(_model(name, target) in changed for name, target in targets.items()):
                continue
            revision, before = self._told.get(policy, (0, {}))
            down = {name: verdict.number for name, verdict in self._down_for(policy)}
            if down != before:
                self._told[policy] = (revision + 1, down)
                self._streams.changed(policy[0])

    def _down_for_all(self) -> Iterator[tuple[ModelName, Verdict]]:
        for model, places in self._down.items():
            own = [verdict for place, verdict in places.items() if place.scope == model[0]]
            if own:
                yield model, own[0]

    def _down_for(self, policy: PolicyName) -> Iterator[tuple[str, Verdict]]:
        for name, target in self._tables.targets_of(policy).items():
            own = _place(policy, name, target)
            places = self._down.get(own.model, {})
            for place, verdict in places.items():
                # A provider that its own namespace finds down is down behind its gateway, too.
                if place == own or place.scope == own.model[0]:
                    yield name, verdict
                    break

    def _voice(self, place: Place, pod: str) -> Voice | None:
        evidence = self._evidence.get(place)
        if evidence is None:
            if len(self._evidence) >= limits.TARGETS_MAX:
                self._make_room()
            if len(self._evidence) >= limits.TARGETS_MAX:
                return None
            evidence = self._evidence[place] = Evidence()
        return evidence.says(pod)

    def _make_room(self) -> None:
        now_s = self._now_s()
        for place in [it for it, evidence in self._evidence.items() if evidence.idle(now_s)]:
            del self._evidence[place]

    def _settle_claims(self, pod: str, claimed: set[Place]) -> None:
        before = self._claimed.pop(pod, set())
        for place in before - claimed:
            evidence = self._evidence.get(place)
            if evidence is not None:
                evidence.says(pod).class_ = ""
        if claimed:
            self._claimed[pod] = claimed
        self._stirred |= before | claimed

    def _for_ms(self, verdict: Verdict) -> int:
        return max(0, int((self._now_s() - verdict.since_s) * 1000))

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000


def _place(policy: PolicyName, name: str, target: TargetOf) -> Place:
    return Place(policy[0], _model(name, target), target.url)


def _model(name: str, target: TargetOf) -> ModelName:
    return (*target.pool, name.partition("/")[2])


def settled(
    known: Mapping[str, Outage], said: Mapping[str, Reported], now_ms: int
) -> dict[str, Outage]:
    """The same for the controller and for people, with moments that do not waver."""
    found = {}
    for name, outage in said.items():
        made = Outage(outage.class_, now_ms - outage.for_ms)
        before = known.get(name)
        if before and abs(before.since_ms - made.since_ms) < limits.WAVERING_MS:
            made = Outage(made.class_, before.since_ms)
        found[name] = made
    return found

"""What is seen of a cluster beside the resources: pods, sidecars' reports, accounts. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.inject.names import INJECT, INJECTED, NOT_INJECTED, STATUS

ASKING = frozenset({"enabled", "required"})
"""Values of the namespace's label with which its pods get a router."""
MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod's metadata, as far as it concerns us."""

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    created: float
    """Unix seconds."""
    leaving: bool
    """Being deleted: it counts no more."""
    asked: bool | None
    """Its own label; None: its namespace decides."""
    injected: bool
    obstacle: str
    """Why it cannot have a router, as the injector marked it; empty: nothing stands against it."""
    conflicts: str
    """Containers that set a base URL themselves, with the variables."""
    undetermined: str
    """Containers whose `envFrom` may set one."""

    def asks(self, namespace_label: str) -> bool:
        """Whether it is meant to have a router."""
        return self.asked if self.asked is not None else namespace_label in ASKING


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One engine start, as the hub knows it."""

    uid: str
    """Its pod's UID."""
    boot: str
    namespace: str
    pod: str
    digest: str
    connected: bool
    seen_at: str
    rejected_digest: str
    rejected_reason: str
    ledger: str
    """`ok`, or the engine's sentence why not; empty before its first report."""
    targets: Mapping[str, str]
    """Model -> breaker's state."""
    credentials: Mapping[str, str]
    """`secret/key` -> `ok`, `missing`, `host_not_allowed`."""
    outages: Mapping[str, str]
    """Model -> class of the error for which its breaker is not closed."""
    gateway: str = ""
    """`pool/NAME` or `policy/NAME`; empty: a sidecar."""
    csr: str = ""
    """A gateway's request for a certificate (PEM)."""
    waiting: str = ""
    """What a gateway still lacks before it takes calls; empty: nothing."""


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A self-hosted model whose endpoints the hub finds."""

    name: str
    """Within its pool."""
    state: str
    """`Ready`, `Starting`, `Asleep`, `Absent`."""
    ready: int
    endpoints: int
    asleep: int
    saturated: bool
    message: str
    """What is missing; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Down:
    """A model that sidecars have found down, so that all try it last."""

    name: str
    """Within its pool."""
    class_: str
    since: str


@dataclass(frozen=True, slots=True)
class Strained:
    """A limit of a model that is nearly used up, or for which calls are refused."""

    name: str
    """The model within its pool."""
    limit: str
    """The field of `limits`."""
    refusing_since: str
    """Empty: it refuses none."""


@dataclass(frozen=True, slots=True)
class Account:
    """One limit's current window at the hub; picodollars."""

    limit: int
    used: int
    leased: int
    overrun: int
    turned_away: int
    """The smallest need that was refused since one was met; 0: none."""
    resets_at: str


def read_pod(metadata: Mapping[str, Any]) -> Pod:
    """A pod's metadata, without all that we never look at."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    marks = _document(annotations.get(STATUS))
    asked = {"true": True, "false": False}.get(labels.get(INJECT, ""))
    return Pod(
        uid=str(metadata["uid"]),
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        labels=labels,
        created=unix_seconds(str(metadata.get("creationTimestamp", ""))),
        leaving="deletionTimestamp" in metadata,
        asked=False if MIRROR in annotations else asked,
        injected=labels.get(INJECTED) == "true",
        obstacle=_obstacle(_document(annotations.get(NOT_INJECTED))),
        conflicts="; ".join(
            f"{container} sets {', '.join(map(str, names))}"
            for container, names in sorted(_mapping(marks.get("conflicts")).items())
        ),
        undetermined=", ".join(map(str, marks.get("undetermined") or ())),
    )


def read_sidecar(row: Mapping[str, Any]) -> Sidecar:
    """A row of `GET /v1/fleet`."""
    rejected = _mapping(row.get("rejected"))
    return Sidecar(
        uid=str(row["sidecar"]),
        boot=str(row["boot"]),
        namespace=str(row.get("namespace", "")),
        pod=str(row.get("pod", "")),
        digest=str(row.get("digest") or ""),
        connected=bool(row["connected"]),
        seen_at=str(row.get("seen_at", "")),
        rejected_digest=str(rejected.get("digest", "")),
        rejected_reason=str(rejected.get("reason", "")),
        ledger=str(row.get("ledger") or ""),
        targets=_mapping(row.get("targets")),
        credentials=_mapping(row.get("credentials")),
        outages={model: str(it["class"]) for model, it in _mapping(row.get("outages")).items()},
        gateway=str(row.get("gateway") or ""),
        csr=str(row.get("csr") or ""),
        waiting=str(row.get("waiting") or ""),
    )


def read_models(document: Mapping[str, Any]) -> dict[ObjectName, tuple[OwnModel, ...]]:
    """Self-hosted models by pool, as the hub sees them."""
    found: dict[ObjectName, list[OwnModel]] = {}
    for row in document["models"]:
        pool = ObjectName(str(row["namespace"]), str(row["pool"]))
        model = OwnModel(
            name=str(row["model"]).partition("/")[2],
            state=str(row["state"]),
            ready=int(row["ready"]),
            endpoints=int(row["endpoints"]),
            asleep=int(row["asleep"]),
            saturated=bool(row["saturated"]),
            message=str(row.get("message") or ""),
        )
        found.setdefault(pool, []).append(model)
    return {pool: tuple(models) for pool, models in found.items()}


def read_down(document: Mapping[str, Any]) -> dict[ObjectName, tuple[Down, ...]]:
    """Models that are down, by pool, as the hub judges by what sidecars report."""
    found: dict[ObjectName, list[Down]] = {}
    # An older hub judges nothing.
    for row in document.get("down", ()):
        pool = ObjectName(str(row["namespace"]), str(row["pool"]))
        down = Down(str(row["model"]), str(row["class"]), str(row["since"]))
        found.setdefault(pool, []).append(down)
    return {pool: tuple(models) for pool, models in found.items()}


def read_strained(document: Mapping[str, Any]) -> dict[ObjectName, tuple[Strained, ...]]:
    """Limits of models that are used up or nearly so, by pool."""
    found: dict[ObjectName, list[Strained]] = {}
    # An older hub tells of none.
    for row in document.get("strained", ()):
        pool = ObjectName(str(row["namespace"]), str(row["pool"]))
        refusing_since = str(row.get("refusing_since") or "")
        strained = Strained(str(row["model"]), str(row["limit"]), refusing_since)
        found.setdefault(pool, []).append(strained)
    return {pool: tuple(each) for pool, each in found.items()}


def read_account(row: Mapping[str, Any]) -> Account:
    """A row of `GET /v1/budgets`."""
    return Account(
        limit=int(row["limit"]),
        used=int(row["settled"]) + int(row["unconfirmed"]),
        leased=int(row["leased"]),
        overrun=int(row["overrun"]),
        turned_away=int(row["turned_away"]),
        resets_at=str(row["resets_at"]),
    )


def unix_seconds(moment: str) -> float:
    """Of an RFC 3339 time; 0 where there is none."""
    try:
        return dt.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0


def _obstacle(refused: Mapping[str, Any]) -> str:
    reason = refused.get("reason")
    return f"{reason}: {refused.get('message', '')}" if reason else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _document(text: str | None) -> dict[str, Any]:
    """An annotation's JSON object; anybody may have written it, so what is none counts as empty."""
    try:
        return _mapping(json.loads(text)) if text else {}
    except ValueError:
        return {}

"""What a controller may see: pods, sidecars, accounts, a world of resources."""

from __future__ import annotations

from typing import Any

from pointsman_operator.controller.observed import Account, Pod, Sidecar, read_pod, read_sidecar
from pointsman_operator.controller.world import World

NOW = 1_795_370_000.0
"""2026-11-22T17:53:20Z."""
LONG_AGO = "2026-11-22T00:00:00Z"


def pod(name: str, *, injected: bool = True, created: str = LONG_AGO, **marks: str) -> Pod:
    """A pod that asks for a router; `marks` are annotations below `pointsman.dev/`."""
    labels = {"pointsman.dev/inject": "true"}
    labels |= {"pointsman.dev/injected": "true"} if injected else {}
    annotations = {f"pointsman.dev/{key.replace('_', '-')}": text for key, text in marks.items()}
    return read_pod(
        {
            "uid": f"uid-{name}",
            "namespace": "demo",
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "creationTimestamp": created,
        }
    )


def sidecar(name: str, digest: str = "", **fields: Any) -> Sidecar:
    """A connected sidecar of a pod."""
    row: dict[str, Any] = {"sidecar": f"uid-{name}", "boot": "1", "namespace": "demo", "pod": name}
    row |= {"digest": digest, "connected": True, "seen_at": LONG_AGO, "ledger": "ok"}
    return read_sidecar(row | fields)


def account(used: int, limit: int = 5 * 10**12, **fields: Any) -> Account:
    """An account's window; dollars in picodollars."""
    held: dict[str, Any] = {"leased": 0, "overrun": 0, "turned_away": 0}
    return Account(limit=limit, used=used, resets_at="2026-11-23T00:00:00Z", **(held | fields))


def world(*documents: dict[str, Any]) -> World:
    """A world that holds these resources, counted up as their versions."""
    made = World(hub="")
    for version, document in enumerate(documents, 1):
        made.take(stored(document, version))
    return made


def stored(document: dict[str, Any], version: int, **more: Any) -> dict[str, Any]:
    """A document as the API server holds it."""
    own = document["metadata"]
    metadata = {"uid": f"uid-{document['kind']}-{own['name']}", "generation": 1}
    metadata |= {"creationTimestamp": LONG_AGO, "resourceVersion": str(version)}
    return {**document, "metadata": {**own, **metadata, **more}}

"""Sidecars as the API shows them; what one has not said is left out.

The controller is told of all of them whenever one has changed: what has not is not written anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pointsman_operator.hub import limits
from pointsman_operator.hub.fleet import Sidecar
from pointsman_operator.hub.moments import rfc3339

ALWAYS = frozenset({"namespace", "pod", "workload", "digest"})


def shown(entry: Sidecar) -> dict[str, Any]:
    """One of them."""
    return {"seen_at": rfc3339(entry.seen_ms), **_said(entry)}


async def shown_all(entries: Sequence[Sidecar]) -> bytes:
    """All of them, as the members of a JSON array; others have their turn meanwhile."""
    written: list[bytes] = []
    for number, entry in enumerate(entries):
        if number % limits.LISTED_AT_ONCE == limits.LISTED_AT_ONCE - 1:
            await asyncio.sleep(0)
        if entry.written is None:
            entry.written = json.dumps(_said(entry)).encode()[1:]
        written.append(b'{"seen_at": "%b", ' % rfc3339(entry.seen_ms).encode() + entry.written)
    return b", ".join(written)


def _said(entry: Sidecar) -> dict[str, Any]:
    facts = asdict(entry.facts)
    facts["outages"] = {
        model: {"class": outage.class_, "since": rfc3339(outage.since_ms)}
        for model, outage in entry.facts.outages.items()
    }
    told = {name: value for name, value in facts.items() if value or name in ALWAYS}
    return {
        "sidecar": entry.sidecar,
        "boot": entry.boot,
        "connected": entry.connected,
        **told,
    }

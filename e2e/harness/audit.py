"""The API server's audit log: who asked for what, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FORBIDDEN = 403
DECISION = "authorization.k8s.io/decision"
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""
"""Every request, without bodies: enough to judge permissions, and no secret comes near it."""


@dataclass(frozen=True, order=True)
class Access:
    """A permission as RBAC would grant it."""

    verb: str
    group: str
    resource: str
    """With its subresource, as in `pods/status`; the path for what is no resource."""
    namespace: str = ""
    name: str = ""


class Audit:
    """Reads a log that grows; one for each test that wants only what happens from now on."""

    def __init__(
        self,
        path: Path,
        *,
        from_now: bool = False,
        excused: Sequence[tuple[datetime, datetime]] = (),
    ) -> None:
        self._path = path
        self._excused = excused
        self._offset = path.stat().st_size if from_now and path.exists() else 0

    def events(self) -> Iterator[dict[str, Any]]:
        """All events since this reader was made, oldest first."""
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def by(self, user: str) -> list[dict[str, Any]]:
        """Events of one caller, for example `system:serviceaccount:pointsman:controller`."""
        return [event for event in self.events() if event["user"].get("username") == user]

    def used(self, user: str) -> set[Access]:
        """What a caller did, whatever was answered."""
        return {access(event) for event in self.by(user)}

    def forbidden(self, user: str) -> set[Access]:
        """What a caller was refused for want of a permission.

        An API server that has just started refuses everybody until it has read the roles: what
        it said before it was ready counts for nothing.
        """
        return {
            access(event)
            for event in self.by(user)
            if code(event) == FORBIDDEN and not allowed(event) and not self._is_excused(event)
        }

    def _is_excused(self, event: dict[str, Any]) -> bool:
        asked = datetime.fromisoformat(event["requestReceivedTimestamp"])
        return any(start <= asked <= end for start, end in self._excused)


def access(event: dict[str, Any]) -> Access:
    """The permission that a request needed."""
    asked = event.get("objectRef")
    if asked is None:
        return Access(event["verb"], "", event["requestURI"].partition("?")[0])
    subresource = f"/{asked['subresource']}" if asked.get("subresource") else ""
    return Access(
        event["verb"],
        asked.get("apiGroup", ""),
        asked["resource"] + subresource,
        asked.get("namespace", ""),
        asked.get("name", ""),
    )


def allowed(event: dict[str, Any]) -> bool:
    """Whether the authorizer let it through, whatever became of it then."""
    return bool(event.get("annotations", {}).get(DECISION) == "allow")


def code(event: dict[str, Any]) -> int:
    """The HTTP status of the answer; 0 where there was none."""
    return int(event.get("responseStatus", {}).get("code", 0))

"""When each key was last used, by what the hub has booked; without a hub that is not known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.place import Place, reached


@dataclass(frozen=True)
class Uses:
    """By key's name; with why nothing is known, if so."""

    last: dict[str, dt.datetime] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    cost: dict[str, int] = field(default_factory=dict)
    trouble: str = ""


def uses(place: Place) -> Uses:
    """What the hub says of all keys of the namespace."""
    try:
        with reached(place) as hub:
            rows = hub.client.spend("key", namespace=hub.namespace)["rows"]
    except HubError as error:
        return Uses(trouble=str(error))
    return Uses(
        {row["key"]: dt.datetime.fromisoformat(row["last"]) for row in rows},
        {row["key"]: row["requests"] for row in rows},
        {row["key"]: row["cost"] for row in rows},
    )

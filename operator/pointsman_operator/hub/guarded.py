"""What gateways and their callers are told beside tables: tickets, keys, certificates."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_operator.hub import limits
from pointsman_operator.hub.tickets import Bearer, Tickets


@dataclass(frozen=True, slots=True)
class Ways:
    """The gateways that a table uses, and how long its tickets must last."""

    audiences: tuple[str, ...] = ()
    life_s: int = limits.TICKET_LIFE_S


NO_WAYS = Ways()


@dataclass(slots=True)
class Told:
    """What one stream was told; nothing at its begin."""

    ways: Ways = NO_WAYS
    again_at_s: float = 0.0
    """When its tickets are half used up, on the monotonic clock."""
    revision: int = -1
    certificate: str = ""


class Guarded:
    """Makes the lines that a stream has not been told yet."""

    def __init__(self, tickets: Tickets) -> None:
        self.tickets = tickets
        self._certificates: OrderedDict[str, str] = OrderedDict()

    def certify(self, pod: str, chain: str) -> None:
        """The controller has signed for a gateway's pod (PEM)."""
        self._certificates[pod] = chain
        self._certificates.move_to_end(pod)
        while len(self._certificates) > limits.CERTIFICATES_MAX:
            self._certificates.popitem(last=False)

    def forget(self, pod: str) -> None:
        """The pod is gone."""
        self._certificates.pop(pod, None)

    def for_caller(self, told: Told, ways: Ways, bearer: Bearer) -> list[bytes]:
        """Tickets, where the table's gateways are others or those before are half used up."""
        now_s = time.monotonic()
        if told.ways == ways and (not ways.audiences or now_s < told.again_at_s):
            return []
        told.ways, told.again_at_s = ways, now_s + ways.life_s / 2
        minted = {
            audience: self.tickets.mint(bearer, audience, ways.life_s)
            for audience in ways.audiences
        }
        return [_line({"event": "tickets", "tickets": minted})]

    def for_gateway(self, told: Told, pod: str) -> list[bytes]:
        """Keys and void tickets where they have changed, and its own certificate."""
        lines = []
        if told.revision != self.tickets.revision:
            told.revision = self.tickets.revision
            lines.append(self.tickets.admission())
        chain = self._certificates.get(pod, "")
        if chain and chain != told.certificate:
            told.certificate = chain
            lines.append(_line({"event": "certificate", "chain": chain}))
        return lines


def ways_of(table: Mapping[str, Any]) -> Ways:
    """The gateways that a table's models are behind."""
    providers = [model.get("provider") or {} for model in table.get("models") or ()]
    found = {str(it["gateway"]["audience"]) for it in providers if it.get("gateway")}
    horizons = [
        int(budget["enforcement"].get("outageHorizonSeconds", 0))
        for budget in table.get("budgets") or ()
    ]
    life_s = max(limits.TICKET_LIFE_S, *horizons, 0)
    return Ways(tuple(sorted(found)), min(life_s, limits.TICKET_LIFE_MAX_S))


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"

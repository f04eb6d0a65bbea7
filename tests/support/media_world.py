"""A sidecar before a simulator that hears, speaks and draws, by the token and by what it counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.processes import Sidecar, Simulator, ended
from support.tables import model, table
from support.worlds import SIDECAR_PYTHON

BY_TOKEN = {"input": 2_500_000, "output": 10_000_000}
MEDIA = {"input": 6_000_000, "output": 40_000_000}
UNIT = 100_000_000
UPSTREAM = {"by-token": "gpt-all-2026", "by-unit": "whisper-all-2026"}
"""By the table's name. The simulator bills names such as the second one by what it counts."""
CAPABILITIES = ["transcription", "speech", "images"]


@dataclass(frozen=True)
class MediaWorld:
    """The pair of them."""

    upstream: Simulator
    sidecar: Sidecar

    def booked(self, request_id: str) -> int:
        """Picodollars of a call, by the sidecar's record."""
        cost: int = self.sidecar.record(request_id)["cost"]
        return cost


@contextmanager
def media_world(folder: Path) -> Iterator[MediaWorld]:
    """Two models, each asked for by its name."""
    prices = {
        UPSTREAM["by-token"]: {
            **BY_TOKEN,
            "mediaInput": MEDIA["input"],
            "mediaOutput": MEDIA["output"],
        },
        UPSTREAM["by-unit"]: {"input": 0, "output": 0, "unit": UNIT},
    }
    upstream = Simulator(folder, prices=prices)
    try:
        token = {**BY_TOKEN, "media": MEDIA, "source": "pool"}
        unit = {"input": 0, "output": 0, "media": {"unit": UNIT}, "source": "pool"}
        models = [
            model(
                name,
                upstream.url,
                provider={"model": UPSTREAM[name]},
                pricing=pricing,
                capabilities=CAPABILITIES,
            )
            for name, pricing in (("by-token", token), ("by-unit", unit))
        ]
        sidecar = Sidecar(folder, table(models, []), python=SIDECAR_PYTHON)
        with ended(sidecar):
            yield MediaWorld(upstream, sidecar)
    finally:
        upstream.kill()

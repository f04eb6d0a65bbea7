"""An app's calls that go on as long as a block of a test does, and what they came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness import apps, inside
from harness.kubectl import Kubectl
from support.eventually import eventually

SHORT_CALLS = (apps.PROGRAMS / "short_calls.py").read_text()
WITHIN_S = 90.0
FEW = 5


class Calls:
    """All calls so far of one program, by the lines that it writes to a file."""

    def __init__(self, said: Path) -> None:
        self._said = said

    def models(self) -> list[str]:
        """Who answered each; what went wrong, instead, where nobody did."""
        return [row.get("model") or row["failed"] for row in self._rows()]

    def reach(self, model: str) -> None:
        """Return when a call from now on was answered by this model."""
        before = len(self.models())
        eventually(lambda: model in self.models()[before:], WITHIN_S)

    def go_on(self, times: int = FEW) -> list[str]:
        """Wait for so many more calls; who answered them."""
        before = len(self.models())
        eventually(lambda: len(self.models()) >= before + times, WITHIN_S)
        return self.models()[before:]

    def cost(self, prices: Mapping[str, tuple[str, str]]) -> Decimal:
        """Dollars, by each model's price of a token in and out."""
        total = Decimal(0)
        for row in self._rows():
            of_in, of_out = prices[row["model"]]
            total += row["in"] * Decimal(of_in) + row["out"] * Decimal(of_out)
        return total

    def __str__(self) -> str:
        """How many calls each model answered."""
        return ", ".join(f"{model}: {count}" for model, count in Counter(self.models()).items())

    def _rows(self) -> list[dict[str, Any]]:
        whole, _, _ = self._said.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


@contextmanager
def short_calls(kubectl: Kubectl, pod: str, said: Path, how: str = "plain") -> Iterator[Calls]:
    """An app's calls for a few tokens, one after another, `plain` or `streamed`."""
    with inside.running(kubectl, (pod, "app"), said, SHORT_CALLS, how):
        yield Calls(said)

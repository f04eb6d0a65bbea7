"""`make scale`: what the parts hold at the size they are meant for; writes build/scale.json.

Each part prints its figures with method and limit. Exit statuses: 0 every limit holds, 1 one is
missed. docs/scale.md has the figures of the machine that it names.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scale import (
    controller_edits,
    flapping_health,
    hub_reconnects,
    hub_streams,
    lease_holders,
    overload,
    real_sidecars,
    rows,
    shared_health,
    shared_limits,
    watched,
    webhook_reviews,
)
from scale.size import Size


@dataclass(frozen=True)
class Part:
    """One program of the suite."""

    name: str
    says: str
    seconds: int
    """About how long it takes on two idle cores."""
    measure: Callable[[Path, Size], list[rows.Row]]


PARTS = tuple(
    Part(module.NAME, str(module.__doc__).partition("\n")[0], module.SECONDS, module.measure)
    for module in (
        hub_streams,
        hub_reconnects,
        lease_holders,
        overload,
        real_sidecars,
        shared_health,
        flapping_health,
        shared_limits,
        webhook_reviews,
        controller_edits,
    )
)


def main() -> int:
    """Run the wanted parts one after the other."""
    options = _options()
    chosen = [part for part in PARTS if not options.only or part.name in options.only]
    about = watched.machine()
    size = Size(options.scale, options.minutes)
    found: list[rows.Row] = []
    for number, part in enumerate(chosen, start=1):
        _say(f"[{number}/{len(chosen)}] {part.name}: {part.says} (about {part.seconds} s)")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pointsman-scale-") as folder:
            measured = part.measure(Path(folder), size)
        _say(rows.table(measured), f"{part.name} took {time.monotonic() - began:.0f} s", "")
        found += measured
        rows.write_json(found, about | {"scale": options.scale}, options.output)
    missed = [f"{row.part} {row.name}" for row in found if not row.holds]
    _say(f"written: {options.output}", f"missed: {', '.join(missed) if missed else 'none'}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    names = [part.name for part in PARTS]
    parser.add_argument("--only", action="append", choices=names, help="this part (repeatable)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="a share of the full size, to try a part"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="how long the controller's memory is watched"
    )
    parser.add_argument("--output", type=Path, default=Path("build/scale.json"))
    return parser.parse_args()


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

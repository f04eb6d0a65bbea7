"""Measure how a hub takes a whole fleet back after its end: `python tests/scale/hub_reconnects.py`.

A real hub process serves TLS; this process holds N streams, each with a pod's token of its own. The
hub is killed, the cluster's signing key changes, half of the tokens are new, and the hub starts
again with the keys that it has kept. Printed: seconds until the last stream is back, TokenReviews
in all and the most in any second, seconds until deleted pods' tokens are refused. 1 where one of
the promises (docs/decisions.md) does not hold. Open files: twice N at least (`ulimit -n`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.reconnects import measure

BACK_S, REVIEWS_PER_S, REFUSED_S = 30.0, 20, 10.0


def main() -> int:
    """Print one JSON line; 0 where every promise holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(measure(Path(folder), arguments.streams))
    sys.stdout.write(json.dumps(asdict(row)) + "\n")
    held = (
        row.back_s <= BACK_S
        and row.most_reviews_in_a_second <= REVIEWS_PER_S
        and max(row.gone_refused_s, row.deleted_refused_s) <= REFUSED_S
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

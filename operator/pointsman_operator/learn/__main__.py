"""`python -m pointsman_operator.learn fit | evaluate | demo-data --data FOLDER`.

`FOLDER` holds `zeroeval_*.csv.gz`. `fit` and `demo-data` write into the package's own source, for
a person to review and commit. `pointsman learn` offers the first two to users.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pointsman_operator.learn import demo_rows

try:
    from pointsman_operator.learn import reports
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is missing; install pointsman-operator[learn]")

PACKAGE = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pointsman_operator.learn", description=__doc__)
    parser.add_argument("command", choices=("fit", "evaluate", "demo-data"))
    parser.add_argument("--data", type=Path, required=True, help="folder of zeroeval_*.csv.gz")
    parser.add_argument("--out", type=Path, help="where to write; default: the package itself")
    options = parser.parse_args(arguments)
    try:
        report = _run(options.command, options.data, options.out)
    except FileNotFoundError as missing:
        sys.stderr.write(f"{missing.filename}: no such file; --data names its folder\n")
        return 2
    sys.stdout.write(report + "\n")
    return 0


def _run(command: str, data: Path, out: Path | None) -> str:
    if command == "fit":
        return reports.fit_report(data, out or PACKAGE / "learn" / "artefacts")
    if command == "evaluate":
        return reports.evaluation_report(data)
    return f"{demo_rows.write(data, out or PACKAGE / 'demo_data')} questions"


if __name__ == "__main__":
    sys.exit(main())

"""`python -m pointsman_operator.learn fit | evaluate | demo-data --data FOLDER`.

`FOLDER` holds `zeroeval_*.csv.gz`. `fit` and `demo-data` write into the package's own source, for
a person to review and commit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pointsman_operator.learn import demo_rows, evaluate, fit

PACKAGE = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pointsman_operator.learn", description=__doc__)
    parser.add_argument("command", choices=("fit", "evaluate", "demo-data"))
    parser.add_argument("--data", type=Path, required=True, help="folder of zeroeval_*.csv.gz")
    parser.add_argument("--out", type=Path, help="where to write; default: the package itself")
    options = parser.parse_args(arguments)
    if options.command == "fit":
        report = fit_report(options.data, options.out or PACKAGE / "learn" / "artefacts")
    elif options.command == "evaluate":
        report = evaluation_report(options.data)
    else:
        count = demo_rows.write(options.data, options.out or PACKAGE / "demo_data")
        report = f"{count} questions"
    sys.stdout.write(report + "\n")
    return 0


def fit_report(data: Path, out: Path) -> str:
    """Fit, write, and say what came out, a line a model."""
    lines = [f"{'model':<44} {'mean %':>6} {'AUC':>6} {'ECE':>6}"]
    for name, entry in fit.fit(data, out).items():
        held = entry["provenance"]["heldOut"]
        lines.append(f"{name:<44} {entry['quality']['prior']:>6} {held['auc']:>6} {held['ece']:>6}")
    return "\n".join(lines)


def evaluation_report(data: Path) -> str:
    """Evaluate on five folds of the training buckets and say what came out."""
    lines = []
    for found in evaluate.evaluate(data):
        lines.append(
            f"target {found.target} % of the best single model's mean: "
            f"reached {found.reached_percent:.1f} % at {found.cost_percent:.1f} % of its cost "
            f"(zero router, for the same quality: {found.zero_cost_percent:.1f} %)"
        )
        for line in found.lines:
            right, cost = line.percent, line.cost
            lines.append(
                f"  {line.name:<40} {right.mean:5.1f} % [{right.low:.1f}, {right.high:.1f}]  "
                f"${cost.mean / 1e9:.3f} per 1,000 [{cost.low / 1e9:.3f}, {cost.high / 1e9:.3f}]  "
                f"{line.policy}{'; ' + line.verdict if line.verdict else ''}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

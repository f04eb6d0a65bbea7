"""Fit and evaluate, and say in text what came out; needs the extra `learn`."""

from __future__ import annotations

from pathlib import Path

from pointsman_operator.learn import evaluate, fit


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

"""`make bench`: start everything, measure in rounds, print the table, write build/bench.json.

Exit statuses: 0 all figures hold, 1 a figure is missed, 2 the bench cannot vouch for its numbers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import report, targets
from bench.cases import Case, cases
from bench.machine import BenchError, check_machine
from bench.measure import check_baseline, measure
from bench.rows import Row, rows
from bench.subject import sidecar

ROUNDS_MIN = 5
QUICK = 0.2


def main() -> int:
    """Run the bench."""
    options = _options()
    plan = [case for case in cases() if not options.only or case.name in options.only]
    if options.quick:
        plan = [case.faster(QUICK) for case in plan]
    try:
        check_machine()
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder, ExitStack() as stack:
            found = _measure(plan, options, Path(folder), stack)
    except BenchError as error:
        _say(f"bench: {error}")
        return 2
    report.write_json(found, options.output)
    _say("", report.table(found), "")
    lines, hold = report.judge(found)
    _say(*lines, f"written: {options.output}")
    return 0 if hold else 1


def _measure(
    plan: list[Case], options: argparse.Namespace, folder: Path, stack: ExitStack
) -> list[Row]:
    certificate = folder / "origin.pem"
    origin = stack.enter_context(targets.origin(folder))
    secure = stack.enter_context(targets.origin(folder, tls_certificate=certificate))
    present = {
        "direct": origin,
        "nginx": stack.enter_context(targets.nginx(folder, origin.address)),
        "hyper": stack.enter_context(targets.hyper(folder, origin.address)),
    }
    subject = None
    if not options.without_sidecar:
        subject = stack.enter_context(sidecar(folder, origin.address, secure.address, certificate))
        present["sidecar"] = subject.target
    results = measure(plan, present, options.rounds, folder, _say)
    if results.has("throughput", "hyper"):
        check_baseline(results)
    found = rows(results, subject)
    if subject is not None:
        subject.check_books(results.requests("sidecar"))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN, help="interleaved rounds")
    parser.add_argument("--quick", action="store_true", help="short windows: try the bench itself")
    parser.add_argument("--only", action="append", default=[], help="only this case (repeatable)")
    parser.add_argument("--without-sidecar", action="store_true", help="the baselines alone")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    return parser.parse_args()


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

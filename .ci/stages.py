"""Run the checks of `make verify` or `make test`, stage by stage, and say what each took.

A failed stage does not stop the next one: one run shows everything that is wrong. The exit status
is 0 only if every stage passed. What a run leaves out is printed, never silent. The end of the
output repeats what failed and why: it is what a CI shows.

The long stages of `test` mostly wait, so they run in three lanes: one is about the node, two share
the others, and whichever is done first takes from what is left; each one's output comes in one
piece when it ends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from failures import told

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "sidecar" / "engine"
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
# Folders of whole-process proofs; `make verify` leaves them to `make test`.
LONG_FOLDERS = ("chart", "clients", "controlplane", "faults", "images", "sdk", "wheels", "demo")
# Ten real minutes to two hours a test: never part of `make test`, which names it.
SOAK_FOLDER = "soak"
# Chart, images and the node that runs them: beside all that needs no node, which takes as long.
WITH_NODE = ("chart", "images", "e2e")
SECONDS_A_MINUTE = 60
LOOK_EVERY_S = 0.1
"""How soon a stage's output is on ours."""
COLOURED = {"PY_COLORS": "1", "CARGO_TERM_COLOR": "always"}
"""For programs whose output goes to a file where the user has a terminal."""


@dataclass(frozen=True)
class Stage:
    """One check: a name, what it proves, and the program that proves it."""

    name: str
    proves: str
    arguments: tuple[str, ...]
    folder: Path = ROOT


@dataclass(frozen=True)
class Outcome:
    """How one stage ended and after how long."""

    stage: Stage
    status: int
    seconds: float
    output: str


def main() -> int:
    """Run one list of stages and print the closing table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("verify", "test"))
    parser.add_argument("--only", default="", help="comma-separated stage names")
    arguments = parser.parse_args()
    stages = verify_stages() + (test_stages() if arguments.kind == "test" else [])
    chosen = [name for name in arguments.only.split(",") if name]
    unknown = set(chosen) - {stage.name for stage in stages}
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    wanted = [stage for stage in stages if not chosen or stage.name in chosen]
    began = time.monotonic()
    outcomes = run_all(wanted)
    report(outcomes, time.monotonic() - began)
    if chosen:
        print(f"left out by --only: {', '.join(s.name for s in stages if s.name not in chosen)}")
    elif arguments.kind == "verify":
        left_out = [f"{stage.name} ({stage.proves})" for stage in test_stages()]
        print(f"left to `make test`: {', '.join(left_out)}")
    print(f"left to `make soak`: tests/{SOAK_FOLDER} (what takes its real time: hours)")
    repeat_failures(outcomes)
    failed = sum(outcome.status != 0 for outcome in outcomes)
    print(f"stages: {len(outcomes) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def verify_stages() -> list[Stage]:
    """What every change is held to: no cluster, no release build, ten minutes at most."""
    return [
        Stage("rustfmt", "Rust is formatted", ("cargo", "fmt", "--all", "--check"), ENGINE),
        Stage("ruff", "Python is clean", (str(BIN / "ruff"), "check", ".")),
        Stage("format", "Python is formatted", (str(BIN / "ruff"), "format", "--check", ".")),
        Stage(
            "mypy",
            "types hold, strictly",
            (PYTHON, "-m", "mypy", "operator", "sidecar", "tests", "e2e", ".ci"),
        ),
        Stage("imports", "layers hold", (str(BIN / "lint-imports"),)),
        Stage(
            "generated",
            "generated files are what their sources say",
            (PYTHON, "-m", "pointsman_operator.generate", "--mode", "check"),
        ),
        Stage(
            "licences",
            "the wheel names the licence of every crate in it",
            (PYTHON, ".ci/licences.py", "--mode", "check"),
        ),
        Stage(
            "clippy",
            "Rust is clean",
            ("cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"),
            ENGINE,
        ),
        Stage(
            "cargo-test",
            "the engine's own tests",
            ("cargo", "test", "--locked", "--workspace", "--exclude", "pointsman-py"),
            ENGINE,
        ),
        Stage(
            "pytest",
            "units, properties, golden cases, engine, architecture",
            (PYTHON, "-m", "pytest", "-n", "2", "-m", "not slow", "tests", *ignored()),
        ),
    ]


def test_stages() -> list[Stage]:
    """What is proven beside: a real API server, whole processes, faults, SDKs, built wheels."""
    pytest = (PYTHON, "-m", "pytest")
    return [
        Stage("slow", "the long properties", (*pytest, "-m", "slow", "tests", *ignored())),
        Stage(
            "controlplane",
            "resources and controllers against a real API server",
            (*pytest, "tests/controlplane"),
        ),
        Stage("chart", "what Helm renders and refuses", (*pytest, "tests/chart")),
        Stage("images", "both images as users build them", (*pytest, "tests/images")),
        Stage("e2e", "a real node with real pods", (*pytest, "e2e/scenarios")),
        Stage("faults", "kills, cuts and money under both", (*pytest, "tests/faults")),
        Stage("sdk", "the official SDK 3.x, two simulators", (*pytest, "tests/sdk")),
        Stage("clients", "every client package, every provider", (*pytest, "tests/clients")),
        Stage(
            "sdk2",
            "the same with the SDK 2.x",
            # That environment holds the SDK and pytest only, not what tests/conftest.py needs.
            (
                str(ROOT / ".venv-sdk2" / "bin" / "python"),
                *("-m", "pytest", "--confcutdir=tests/sdk", "tests/sdk"),
            ),
        ),
        Stage("wheels", "the built wheels in a clean environment", (*pytest, "tests/wheels")),
        Stage("demo", "the demo as a new user runs it", (*pytest, "tests/demo")),
    ]


def ignored() -> list[str]:
    """The long folders, each of which is a stage of its own, and the soak."""
    return [f"--ignore=tests/{folder}" for folder in (*LONG_FOLDERS, SOAK_FOLDER)]


def run_all(stages: list[Stage]) -> list[Outcome]:
    """The quick ones in turn, with their output on ours; then the long ones in three lanes."""
    long = {stage.name for stage in test_stages()}
    outcomes = [run(stage) for stage in stages if stage.name not in long]
    rest = [stage for stage in stages if stage.name in long]
    node = [stage for stage in rest if stage.name in WITH_NODE]
    others = deque(stage for stage in rest if stage not in node)
    with ThreadPoolExecutor(3) as pool:
        lanes = [pool.submit(lane, own, others) for own in (node, [], [])]
        return outcomes + [outcome for each in lanes for outcome in each.result()]


def lane(own: list[Stage], shared: deque[Stage]) -> list[Outcome]:
    """Its own stages first, then what is left of the shared: from the far end where it had own."""
    take = shared.pop if own else shared.popleft
    outcomes = [run_beside(stage) for stage in own]
    while True:
        try:
            stage = take()
        except IndexError:
            return outcomes
        outcomes.append(run_beside(stage))


def run(stage: Stage) -> Outcome:
    """Run one stage with its output on ours as it comes."""
    print(f"--- {stage.name}: {stage.proves}", flush=True)
    began = time.monotonic()
    # A file, not a pipe: what a stage leaves running could hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            stage.arguments,
            cwd=stage.folder,
            env=environment() | (COLOURED if sys.stdout.isatty() else {}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        seen, status = b"", None
        while status is None:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(LOOK_EVERY_S)
            seen += (new := _beyond(output.fileno(), len(seen)))
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()
    return Outcome(stage, status, time.monotonic() - began, seen.decode("utf-8", "replace"))


def _beyond(descriptor: int, position: int) -> bytes:
    """What was written there since; the writer's own position stays as it is."""
    return os.pread(descriptor, os.fstat(descriptor).st_size - position, position)


PRINTING = threading.Lock()


def run_beside(stage: Stage) -> Outcome:
    """Run one stage beside others; its output comes when it has ended."""
    with PRINTING:
        print(f"... {stage.name} begins: {stage.proves}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        status = subprocess.run(
            stage.arguments,
            cwd=stage.folder,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
        output.seek(0)
        seen = output.read().decode("utf-8", "replace")
    with PRINTING:
        print(f"--- {stage.name}: {stage.proves}", flush=True)
        sys.stdout.write(seen)
        sys.stdout.flush()
    return Outcome(stage, status, time.monotonic() - began, seen)


def report(outcomes: list[Outcome], seconds: float) -> None:
    """One line a stage, in minutes; in all fewer than their sum, for some run beside others."""
    print()
    for outcome in outcomes:
        verdict = "ok" if outcome.status == 0 else f"FAILED ({outcome.status})"
        print(f"{outcome.stage.name:12} {outcome.seconds / SECONDS_A_MINUTE:6.2f} min  {verdict}")
    print(f"{'in all':12} {seconds / SECONDS_A_MINUTE:6.2f} min", flush=True)


def repeat_failures(outcomes: list[Outcome]) -> None:
    """Of each failed stage what failed and why."""
    for outcome in outcomes:
        if outcome.status != 0:
            print(f"\n=== {outcome.stage.name} failed ({outcome.status})")
            print("\n".join(told(outcome.output)), flush=True)


def environment() -> dict[str, str]:
    """The caller's environment with .venv active and build outputs inside the checkout."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "CARGO_TARGET_DIR": target, "PYTHONSAFEPATH": "1"}


if __name__ == "__main__":
    sys.exit(main())

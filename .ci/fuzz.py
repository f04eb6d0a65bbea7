"""`make fuzz`: every target of sidecar/engine/fuzz under libFuzzer; what fails is kept and named.

Builds with the instrumentation that `cargo fuzz` asks for, which stable Rust has too; without a
sanitizer, since the engine forbids unsafe code. What is found goes to build/fuzz/TARGET, beside a
corpus that grows there; the committed one (sidecar/engine/fuzz/corpus) only seeds it. Exit
statuses: 0 nothing was found, 1 a target failed, 2 the build did.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "sidecar" / "engine" / "fuzz"
FOUND = ROOT / "build" / "fuzz"
FLAGS = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
)
MOST_BYTES = 16_384
"""Of one input; longer ones find little more and take long."""
MOST_MIB = 2_048
INPUT_S = 10
"""A single input that takes longer is a finding."""


@dataclass(frozen=True)
class Outcome:
    """How one target fared."""

    name: str
    status: int
    runs: int
    features: int
    said: str


def main() -> int:
    """Build all, then run the wanted ones, so many at a time."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    names = sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))
    parser.add_argument("--only", action="append", choices=names, help="this target (repeatable)")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    options = parser.parse_args()
    built = build()
    if built is None:
        return 2
    wanted = options.only or names
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda name: run(built, name, options.seconds), wanted))
    failed = [outcome for outcome in outcomes if outcome.status != 0]
    for outcome in outcomes:
        verdict = "ok" if outcome.status == 0 else "FOUND"
        counts = f"{outcome.runs:>12,} runs {outcome.features:>7,} features"
        print(f"{verdict:6} {outcome.name:14} {counts}")
    for outcome in failed:
        print(f"\n=== {outcome.name}\n{outcome.said[-3000:]}")
    return 1 if failed else 0


def build() -> Path | None:
    """The folder of the instrumented programs; None where they cannot be built."""
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.findall(r"^host: (.+)$", version, re.MULTILINE)[0]
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "fuzz"
    # With a target named, build scripts and macros are not instrumented.
    command = ["cargo", "build", "--locked", "--release", "--bins", "--target", host]
    environment = os.environ | {"RUSTFLAGS": " ".join(FLAGS), "CARGO_TARGET_DIR": str(target)}
    status = subprocess.run(command, cwd=FUZZ, env=environment, check=False).returncode
    return target / host / "release" if status == 0 else None


def run(built: Path, name: str, seconds: int) -> Outcome:
    """One target for so long; its growing corpus is kept for the next time."""
    folder = FOUND / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-rss_limit_mb={MOST_MIB}",
        f"-timeout={INPUT_S}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        str(folder / "corpus"),
        str(FUZZ / "corpus" / name),
    ]
    ended = subprocess.run(
        [built / name, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    said = ended.stderr.decode("utf-8", "replace")
    return Outcome(
        name,
        ended.returncode,
        int(last(r"stat::number_of_executed_units: (\d+)", said)),
        int(last(r" ft: (\d+)", said)),
        said,
    )


def last(pattern: str, text: str) -> str:
    """The last match's group; `0` where there is none."""
    return next(reversed(re.findall(pattern, text)), "0")


if __name__ == "__main__":
    sys.exit(main())

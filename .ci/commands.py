"""How setup runs programs: the pinned uv, Debian's packages, this checkout's environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def apt_install(*packages: str) -> None:
    """Debian packages, where we may; else say how."""
    if not may_install():
        raise SystemExit(f"as root: apt-get install {' '.join(packages)}")
    print(f"  apt-get install {' '.join(packages)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
        check=True,
        env=quiet,
    )


def may_install() -> bool:
    """Whether Debian packages can be installed by us."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def uv(*arguments: str) -> None:
    """The pinned uv of .venv."""
    command("uv", [str(VENV / "bin" / "uv"), "--quiet", *arguments])


def pins(name: str) -> str:
    """The path of one file of pins."""
    return str(ROOT / "requirements" / f"{name}.txt")


def command(name: str, arguments: list[str], cwd: Path = ROOT) -> None:
    """Run one program; its own output says what went wrong."""
    status = subprocess.run(arguments, cwd=cwd, env=environment(), check=False).returncode
    if status != 0:
        raise SystemExit(f"{name} failed with status {status}: {' '.join(arguments)}")


def environment() -> dict[str, str]:
    """The caller's environment with .venv active and build outputs inside the checkout."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    active = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
    return active | {"VIRTUAL_ENV": str(VENV), "PATH": path, "CARGO_TARGET_DIR": target}

"""The sidecar's image of an earlier commit, for upgrades: built once from that commit's tree.

The layer is kept in the cache by the commit's name, outside the checkout. The image differs from
what users had then in one thing: its base is Debian's Python here, as everywhere in the harness.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from harness import images
from harness.binaries import UnavailableError, cache, only_one
from harness.images import Image
from harness.production import PACKAGES, ROOT

COMMIT = "9097a0ba92f5a3b1890a1f40a539c50e3d853e2c"
"""Where injection first worked on real pods."""
TAG = "older"
SITE = "/opt/pointsman"
BUILD_S = 900.0


def image() -> Image:
    """What `localhost/pointsman-sidecar:older` is; raises UnavailableError without the history."""
    return Image(
        f"pointsman-sidecar:{TAG}",
        (*images.python(PACKAGES).layers, _layer()),
        ("/usr/bin/python3", "-m", "pointsman_sidecar"),
        environment={"PYTHONPATH": SITE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
    )


def _layer() -> Path:
    path = cache() / "images" / f"sidecar-{COMMIT[:16]}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_one(path.with_suffix(".lock")), tempfile.TemporaryDirectory() as folder:
        if not path.exists():
            fresh = path.with_suffix(".new.tar")
            images.folder_layer(fresh, _site(Path(folder)), SITE)
            fresh.replace(path)
    return path


def _site(folder: Path) -> Path:
    """The unpacked wheel.

    Its builds lie apart: maturin keeps the library of a checkout under one name, and other stages
    make today's wheels at the same time.
    """
    tree, wheels, site = (folder / name for name in ("tree", "wheels", "site"))
    tree.mkdir()
    archive = folder / "tree.tar"
    builds = {"CARGO_TARGET_DIR": str(folder / "builds")}
    _run(["git", "archive", "--output", str(archive), COMMIT], ROOT)
    _run(["tar", "-xf", str(archive)], tree)
    maturin = [str(Path(sys.executable).parent / "maturin"), "build", "--quiet", "--locked"]
    more = ["--profile", "demo", "--interpreter", sys.executable, "--out", str(wheels)]
    _run([*maturin, *more], tree / "sidecar", builds)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as unpacked:
        unpacked.extractall(site)
    return site


def _run(arguments: list[str], folder: Path, told: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=os.environ | dict(told or {}),
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(f"{' '.join(arguments[:2])} at {COMMIT[:7]}: {done.stderr.strip()}")

"""The images that users run: their Dockerfiles, built by buildah on a base made here."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import images
from harness.binaries import UnavailableError
from harness.images import REGISTRY
from harness.prerequisites import lacking

ROOT = Path(__file__).resolve().parents[2]
BASE = f"{REGISTRY}/base:1"
"""Debian's Python, as the distroless image that the Dockerfiles name has it: no registry here."""
TAG = "test"
PACKAGES = (*images.PYTHON_PACKAGES, "libstdc++6")
"""As the distroless image has them: some packages of the operator are written in C++."""
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
AUTHORITIES = "./usr/share/ca-certificates/"
NAMES = ("pointsman-operator", "pointsman-sidecar")
BUILD_S = 900.0


class Builder:
    """buildah with a store of its own in a folder; raises UnavailableError where it cannot run."""

    def __init__(self, folder: Path, trust: str = "") -> None:
        """`trust`: an authority (PEM) that images made on our base trust as they do the world's."""
        reasons = list(lacking())
        if reasons:
            raise UnavailableError("; ".join(reasons))
        self._folder, self._trust = folder, trust
        storage, engine = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\n'
            f'runroot = "{folder}/run"\n'
        )
        engine.write_text('[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n')
        self._environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(engine),
        }

    def build(self, profile: str = "demo") -> None:
        """Both images as `make images` builds them, tagged `localhost/NAME:test`."""
        self._base()
        options = ["--builder", "buildah", "--base", BASE, "--prefix", f"{REGISTRY}/"]
        script = [str(ROOT / ".venv/bin/python"), str(ROOT / ".ci/images.py")]
        self._run([*script, *options, "--tag", TAG, "--profile", profile])

    def archive(self, name: str) -> Path:
        """One image as a docker-archive; `Cluster.load` imports it."""
        path = self._folder / f"{name}.tar"
        path.unlink(missing_ok=True)
        reference = self.reference(name)
        self._run(["buildah", "push", "--quiet", reference, f"docker-archive:{path}:{reference}"])
        return path

    def inspect(self, name: str) -> dict[str, Any]:
        """Its OCI configuration."""
        said = self._run(["buildah", "inspect", "--type", "image", self.reference(name)])
        document: dict[str, Any] = json.loads(said)
        return document

    @staticmethod
    def reference(name: str) -> str:
        """What a pod names."""
        return f"{REGISTRY}/{name}:{TAG}"

    def _base(self) -> None:
        (layer,) = images.python(PACKAGES).layers
        container = self._run(["buildah", "from", "scratch"]).strip()
        self._run(["buildah", "add", "--quiet", container, str(layer), "/"])
        # As the distroless image has it; Debian's packages make it when they are configured.
        bundle = self._folder / "ca-certificates.crt"
        bundle.write_text(_well_known(layer) + self._trust)
        self._run(["buildah", "copy", "--quiet", container, str(bundle), BUNDLE])
        self._run(["buildah", "commit", "--quiet", "--rm", container, BASE])

    def _run(self, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            arguments,
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout


def _well_known(layer: Path) -> str:
    """Debian's authorities, one after another."""
    with tarfile.open(layer) as tar:
        files = [tar.extractfile(each) for each in tar if each.isfile()
                 and each.name.startswith(AUTHORITIES)]  # fmt: skip
        return "".join(file.read().decode() for file in files if file is not None)

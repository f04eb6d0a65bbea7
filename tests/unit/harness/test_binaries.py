"""The cluster's programs: found by what they are made from, refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import binaries
from harness.binaries import DNS, KUBERNETES, UnavailableError, compiler


def _go(folder: Path, says: str) -> None:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(0o755)


def test_versions_come_from_go_mod() -> None:
    """One place says which Kubernetes is tested: go.mod, and every stamp agrees with it."""
    version = KUBERNETES.version
    assert version.startswith("v1.")
    minor = version.split(".")[1]
    text = (KUBERNETES.folder / "go.mod").read_text()
    assert {f"v0.{version[3:]}"} == {
        line.split()[-1] for line in text.splitlines() if " => k8s.io/" in line
    }
    flags = KUBERNETES.linker_flags()
    assert flags.count(f"k8s.io/client-go/pkg/version.gitVersion={version}") == 1
    assert flags.count(f"k8s.io/component-base/version.gitMinor={minor}") == 1


def test_another_source_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is keyed by the sources: a change builds anew, the same sources never twice."""
    (tmp_path / "dns").mkdir()
    for source in DNS.folder.iterdir():
        (tmp_path / "dns" / source.name).write_bytes(source.read_bytes())
    before = DNS.path
    monkeypatch.setattr(binaries, "HERE", tmp_path / "harness")
    assert DNS.path == before
    with (tmp_path / "dns" / "main.go").open("a") as main:
        main.write("// changed\n")
    assert DNS.path != before


def test_the_cache_moves_with_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built into the checkout; $XDG_CACHE_HOME says where else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert KUBERNETES.path.is_relative_to(tmp_path / "pointsman" / "cluster")


def test_no_go_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Go is told what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "USUAL_GO", tmp_path / "none")
    with pytest.raises(UnavailableError, match=r"install Go 1\.26 or newer"):
        compiler()


def test_an_old_go_is_said_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an old Go is told which one it has."""
    _go(tmp_path, "go1.22.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UnavailableError, match=r"newer Go than go1\.22\.1"):
        compiler()


def test_a_failed_build_says_what_the_compiler_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler's own words reach whoever waits, and nothing half-built stays."""
    go = tmp_path / "go"
    go.write_text(
        "#!/bin/sh\ncase $1 in env) echo go1.26.8;; list) echo a;; "
        "*) echo a >&2; echo 'main.go:1: no such thing' >&2; exit 1;; esac\n"
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"main\.go:1: no such thing"):
        binaries.built(DNS)
    assert not DNS.path.exists()

"""A machine that cannot run pods is told why, and what would help."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import prerequisites
from harness.binaries import UnavailableError
from harness.fixtures import REQUIRE_ALL, unavailable
from harness.prerequisites import hierarchies, lacking, missing_packages


def test_missing_programs_are_named_by_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line to copy installs all of them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prerequisites, "CNI_PLUGINS", tmp_path)
    packages = missing_packages()
    assert {"containerd", "runc", "iproute2", "containernetworking-plugins"} <= set(packages)
    assert any(f"apt-get install {' '.join(packages)}" in reason for reason in lacking())


def test_without_root_there_are_no_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces, mounts and cgroups are root's; the reason says so."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert any("need root" in reason for reason in lacking())


def test_both_versions_of_cgroups_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hierarchy in version 2; in version 1 one a controller, without the unified one."""
    monkeypatch.setattr(prerequisites, "CGROUPS", tmp_path)
    for name in ("memory", "cpu", "unified"):
        (tmp_path / name).mkdir()
    assert hierarchies() == [tmp_path / "cpu", tmp_path / "memory"]
    (tmp_path / "cgroup.controllers").touch()
    assert hierarchies() == [tmp_path]


def test_what_cannot_run_is_skipped_or_fails_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason in either case; CI sets what turns a skip into a failure."""
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Go here"):
        unavailable(UnavailableError("no Go here"))
    monkeypatch.setenv(REQUIRE_ALL, "1")
    with pytest.raises(pytest.fail.Exception, match="no Go here"):
        unavailable(UnavailableError("no Go here"))

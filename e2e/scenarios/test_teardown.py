"""A cluster goes without a trace, however it ends."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest

from harness.binaries import UnavailableError
from harness.fixtures import unavailable
from harness.prerequisites import hierarchies, lacking
from support.eventually import eventually
from support.held import Held, below

pytestmark = pytest.mark.timeout(240)

PLACES = ("/var/lib/cni", "/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/run/netns",
          "/run/containerd", "/etc/cni", "/opt/cni", "/usr/libexec/kubernetes")  # fmt: skip
SYSCTLS = ("net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def test_the_last_machine_is_as_the_first(tmp_path: Path) -> None:
    """Killed or interrupted: no process, mount, cgroup, link, rule, file or setting is left."""
    if list(lacking()):
        unavailable(UnavailableError("; ".join(lacking())))
    before = _machine()
    for number, end in enumerate((Held.kill, Held.interrupt)):
        folder = tmp_path / str(number)
        folder.mkdir()
        held = Held("cluster.Cluster", folder)
        family = below(held.supervisor)
        assert len(family) > 8
        assert any(hierarchy.glob("pointsman-*") for hierarchy in hierarchies())
        end(held)
        eventually(partial(_gone, family, held.folder), 20)
        eventually(lambda: _machine() == before, 20)


def _gone(family: list[int], folder: Path) -> bool:
    return not folder.exists() and not any(Path(f"/proc/{pid}").exists() for pid in family)


def _machine() -> dict[str, list[str]]:
    """What a node could leave on the machine it ran on."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    groups = [
        str(path)
        for hierarchy in hierarchies()
        for pattern in ("pointsman-*", "kubepods*", "k8s.io*")
        for path in hierarchy.glob(pattern)
    ]
    return {
        "mounts": sorted(mounts),
        "cgroups": sorted(groups),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "rules": _rules(),
        "places": [place for place in PLACES if Path(place).exists()],
        "settings": [(Path("/proc/sys") / name).read_text() for name in SYSCTLS],
    }


def _rules() -> list[str]:
    """Packet filter rules, without their counters."""
    said = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if line.startswith("-A")]

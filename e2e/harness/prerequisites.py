"""What a machine must have to run real pods, and how to get it. Standard library only."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

CNI_PLUGINS = Path("/usr/lib/cni")
CGROUPS = Path("/sys/fs/cgroup")
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "busybox": "busybox-static",
    "catatonit": "catatonit",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "buildah": "buildah",
    "promtool": "prometheus",
}
"""Program -> the Debian package that has it."""


def missing_packages() -> list[str]:
    """Debian packages to install."""
    packages = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if not (CNI_PLUGINS / "bridge").exists():
        packages.add("containernetworking-plugins")
    return sorted(packages)


def lacking() -> Iterator[str]:
    """Why this machine cannot run pods; nothing where it can."""
    if sys.platform != "linux":
        yield "real pods need Linux"
        return
    if os.geteuid() != 0:
        yield "real pods need root: namespaces, mounts and cgroups of their own"
    packages = missing_packages()
    if packages:
        yield f"missing Debian packages: apt-get install {' '.join(packages)}"
    if not any(line.split()[-1] == "overlay" for line in _filesystems()):
        yield "the kernel has no overlay filesystem"
    if not (CGROUPS / "memory").is_dir() and not (CGROUPS / "cgroup.controllers").exists():
        yield "no memory cgroup is mounted below /sys/fs/cgroup"


def hierarchies() -> list[Path]:
    """The tops of all cgroup hierarchies: one in version 2, one a controller in version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return sorted(path for path in CGROUPS.iterdir() if path.is_dir() and path.name != "unified")


def _filesystems() -> list[str]:
    return Path("/proc/filesystems").read_text().splitlines()


if __name__ == "__main__":
    print("\n".join(missing_packages()))

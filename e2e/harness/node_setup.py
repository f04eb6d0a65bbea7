"""Makes fresh namespaces look like a machine of its own, before the node's daemons start.

Run as a program inside the namespaces, standard library only: `node_setup.py FOLDER HOST CGROUP
ADDRESS/BITS SERVICES HIERARCHY…`. All that it changes goes with the namespaces, but for the
cgroups, which the janitor removes.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet sets on its machine, which is ours: it gets files that hold the values."""
PRIVATE = ("/var/lib", "/var/log")
"""Where the daemons write without asking: /var/lib/cni, /var/log/pods and the like."""
BRIDGE = "cni0"
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


def main() -> None:
    """In order; the first failure ends it with its reason."""
    folder, host, cgroup, address, services, *hierarchies = sys.argv[1:]
    socket.sethostname(host)
    _mounts(Path(folder))
    _network(address, services)
    for hierarchy in hierarchies:
        _cgroup(Path(hierarchy), cgroup)


def _mounts(folder: Path) -> None:
    # Shared among ourselves, or what the kubelet mounts would not be seen in containers.
    _run("mount", "--make-rshared", "/")
    # Network namespaces and sockets are files of /run: in the machine's they would stay behind.
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for number, place in enumerate(PRIVATE):
        source = folder / f"private{number}"
        source.mkdir()
        _run("mount", "--bind", str(source), place)
    for name, value in SYSCTLS.items():
        path = folder / f"sysctl.{name.replace('/', '_')}"
        path.write_text(value + "\n")
        _run("mount", "--bind", str(path), f"/proc/sys/{name}")


def _network(address: str, services: str) -> None:
    """A bridge for the pods and no way out: no packet of theirs leaves the machine."""
    for name in ("ip_forward", "conf/all/route_localnet"):
        Path(f"/proc/sys/net/ipv4/{name}").write_text("1")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", address, "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    # Without a default route the addresses of Services would lead nowhere before any rule acts.
    _run("ip", "route", "add", services, "dev", BRIDGE)


def _cgroup(hierarchy: Path, name: str) -> None:
    made = hierarchy / name
    made.mkdir()
    for file in CPUSET_FILES:
        # Version 1 refuses processes in a cpuset that says neither.
        if (made / file).exists() and (hierarchy / file).exists():
            (made / file).write_text((hierarchy / file).read_text())


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.strip()}")


if __name__ == "__main__":
    main()

"""Starts the bench's processes on their cores and ends them, whatever happens in between."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.machine import BenchError

STARTS_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02


def program(name: str) -> str:
    """The full path of a program of the machine; Debian keeps servers off users' paths."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{name} is not installed: make bench installs it, or apt-get install")
    return found


def simulator() -> str:
    """The simulator's binary: the release build that `make bench` put beside this Python."""
    path = Path(os.environ.get("POINTSMAN_SIM") or Path(sys.executable).with_name("pointsman-sim"))
    if not path.is_file():
        raise BenchError(f"{path} is missing: run make bench, it builds it")
    return str(path)


@contextmanager
def running(
    core: int, command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process on one core while the block runs; its output goes to `log`."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [program("taskset"), "-c", str(core), *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment} if environment is not None else None,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_address() -> str:
    """A loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def wait_for_port(address: str, process: subprocess.Popen[str], log: Path) -> None:
    """Return once somebody listens there; raise BenchError when the process died or is late."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(_LOOK_EVERY_S)
        else:
            return
    raise BenchError(f"{process.args!r} does not listen on {address}:\n{log.read_text()[-2000:]}")


def wait_for_status(address: str, path: str, process: subprocess.Popen[str], log: Path) -> None:
    """Return once GET `path` answers 200; raise BenchError when the process died or is late."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    said = ""
    while process.poll() is None and time.monotonic() < deadline:
        try:
            status, said = get(address, path)
        except OSError as error:
            said = str(error)
        else:
            if status == http.client.OK:
                return
        time.sleep(_LOOK_EVERY_S)
    raise BenchError(f"http://{address}{path} is not ready: {said}\n{log.read_text()[-2000:]}")


def get(address: str, path: str) -> tuple[int, str]:
    """Status and body of one GET."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()

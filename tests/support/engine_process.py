"""Simulated self-hosted engines as processes, on the loopback addresses of pods."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.processes import CLIENT, START_S, Process, simulator_binary

SLOTS = {"slots": 2, "kvTokens": 65_536}


class EngineProcess(Process):
    """A simulated vLLM with two slots (docs/contracts.md 7)."""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        folder.mkdir()
        announce, self.host, self.port = folder / "announce", host, port
        config = {
            "listen": f"{host}:{port}",
            "announce": str(announce),
            "engine": "vLLM",
            "model": "smollm2",
            "preset": "vllm-0.24-h100-8b",
            "overrides": SLOTS,
            "answerTokens": 20,
        }
        (folder / "config.json").write_text(json.dumps(config))
        command: list[str | Path] = [
            simulator_binary(),
            "engine",
            "--config",
            folder / "config.json",
        ]
        super().__init__(command, folder / "log")
        eventually(lambda: self.alive() and announce.exists(), within_s=START_S)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    def tell(self, path: str, **body: Any) -> None:
        """POST something to it."""
        CLIENT.post(self.url + path, json=body).raise_for_status()

    def calls(self) -> int:
        """How many chat calls it was sent."""
        return int(CLIENT.get(f"{self.url}/control/stats").json()["calls"])


@contextmanager
def crowd(*engines: EngineProcess, callers: int = 8) -> Iterator[None]:
    """Callers that go around the router and fill the engines as long as the block runs."""
    ending = threading.Event()
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "x"}], "max_tokens": 4_000}

    def call(url: str) -> None:
        with httpx.Client(timeout=2) as http:
            while not ending.is_set():
                try:
                    # Gone after two seconds, so that nothing of it is left behind the block.
                    http.post(f"{url}/v1/chat/completions", json=body)
                except httpx.HTTPError:
                    continue

    threads = [
        threading.Thread(target=call, args=(engine.url,))
        for engine in engines
        for _ in range(callers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()

"""The injector as a process of its own, as its image runs it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from support.eventually import eventually

NOWHERE = """\
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: a, user: {token: none}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""
"""A kubeconfig of an API server that is not there."""
START_S = 40.0


class InjectorProcess:
    """Started at once; `folder` holds its certificate (`tls.crt`, `tls.key`) or will."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None, **settings: str) -> None:
        self.folder = folder
        self._announced = folder / "injector.json"
        self.log = folder / "injector.log"
        if kubeconfig is None:
            kubeconfig = folder / "nowhere.conf"
            kubeconfig.write_text(NOWHERE)
        options = {
            "image": "registry.example/pointsman-sidecar:test",
            "hub-url": "https://pointsman-hub.pointsman.svc:443",
            "namespace": "pointsman",
            "tls-cert": str(folder / "tls.crt"),
            "tls-key": str(folder / "tls.key"),
            "listen": "127.0.0.1:0",
            "probes": "127.0.0.1:0",
            "kubeconfig": str(kubeconfig),
            "announce": str(self._announced),
        } | {name.replace("_", "-"): value for name, value in settings.items()}
        argv = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pointsman_operator.injector", *argv],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_serving(self) -> str:
        """`HOST:PORT` of the webhooks, once there is a certificate."""
        eventually(lambda: self._announced.exists() or self._process.poll() is not None, START_S)
        assert self._process.poll() is None, self.log.read_text()
        return str(self._told()["address"])

    def wait_ready(self) -> str:
        """As `wait_serving`, with the first lists taken."""
        address = self.wait_serving()
        eventually(lambda: self.probe("/readyz").status_code == httpx.codes.OK, START_S)
        return address

    def probe(self, path: str) -> httpx.Response:
        """One of the plain pages."""
        return httpx.get(f"http://{self._told()['probes']}{path}", trust_env=False)

    def client(self, trust: ssl.SSLContext) -> httpx.Client:
        """A client of the webhooks."""
        return httpx.Client(
            base_url=f"https://{self.wait_serving()}", verify=trust, trust_env=False
        )

    def terminate(self) -> None:
        """As a kubelet does first."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, within_s: float) -> int:
        """Its exit code."""
        return self._process.wait(within_s)

    def _told(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._announced.read_text())
        return document

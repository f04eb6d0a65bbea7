"""Self-hosted engines as pods: a real llama.cpp server, and simulated vLLM."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from harness import apps, images, inside, pods
from harness.binaries import cache, only_one
from harness.images import Image
from harness.kubectl import Kubectl
from harness.production import PACKAGES, ROOT
from harness.provider import ASK
from harness.sdk import UV
from pointsman_operator.hub.engines.exposition import Reading, read

PORT = 8000
SERVES = "serves"
"""The label of the engines of one model."""
LLAMA, SITE = "llama:1", "/opt/llama"
LIBRARIES = (*PACKAGES, "libgomp1")
PINS = [ROOT / "requirements" / f"{name}.txt" for name in ("llama", "demo-model")]
CROWD = (apps.PROGRAMS / "crowd.py").read_text()
PATIENT = {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 10}
"""A busy machine is no sick engine."""
TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the pod


class Engine:
    """One engine: a Deployment of one pod. A subclass says what runs in it."""

    speaks = ""
    """Whose figures its page has."""

    def __init__(self, kubectl: Kubectl, name: str, model: str) -> None:
        """`model`: the name under which it serves, and the label that finds its pod."""
        self._kubectl, self.name, self.model = kubectl, name, model

    def documents(self) -> list[dict[str, Any]]:
        """What is to be applied."""
        raise NotImplementedError

    @property
    def pod(self) -> str:
        """The pod's name."""
        (pod,) = apps.running(self._kubectl, self.name)
        return str(pod["metadata"]["name"])

    def wait(self) -> None:
        """Return when it serves."""
        self._kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=120s")

    def figures(self) -> Reading:
        """What its page says."""
        return read(self.speaks, self.ask("/metrics"))

    def crowd(self, said: Path, callers: int, tokens: int) -> AbstractContextManager[None]:
        """Callers in its own pod, who go around the router."""
        told = (f"http://127.0.0.1:{PORT}", self.model, str(callers), str(tokens))
        return inside.running(self._kubectl, (self.pod, self.name), said, CROWD, *told)

    def ask(self, path: str, *body: str) -> str:
        """GET, or POST with a body; what it says."""
        call = ("python3", "-c", ASK, f"http://127.0.0.1:{PORT}{path}", *body)
        return self._kubectl.exec(f"deployment/{self.name}", *call, container=self.name)

    def _deployment(self, *command: str, image: str, **volumes: Any) -> dict[str, Any]:
        mounts = [TMP, *({"name": name, "mountPath": f"/etc/{name}"} for name in volumes)]
        serves = pods.container(
            self.name,
            *command,
            image=f"{images.REGISTRY}/{image}",
            readinessProbe={"httpGet": {"path": "/health", "port": PORT}, **PATIENT},
            volumeMounts=mounts,
        )
        given = [{"name": "tmp", "emptyDir": {}}]
        given += [{"name": name, **source} for name, source in volumes.items()]
        made = pods.deployment(self.name, serves, volumes=given)
        made["spec"]["template"]["metadata"]["labels"][SERVES] = self.model
        return made


class Llama(Engine):
    """A real llama.cpp server with SmolLM2-135M and two slots, behind a Service on port 80."""

    speaks = "LlamaCpp"

    def __init__(self, kubectl: Kubectl, name: str = "llama") -> None:
        super().__init__(kubectl, name, "smollm2")

    def documents(self) -> list[dict[str, Any]]:
        """Deployment and Service."""
        program = (apps.PROGRAMS / "llama.py").read_text()
        command = ("python3", "-c", program, str(PORT))
        return [self._deployment(*command, image=LLAMA), pods.service(self.name, 80, PORT)]


class Simulated(Engine):
    """A simulated vLLM."""

    speaks = "vLLM"

    def __init__(self, kubectl: Kubectl, name: str, model: str, **overrides: float) -> None:
        """`overrides`: what it can do (docs/contracts.md 7)."""
        super().__init__(kubectl, name, model)
        self._config = {
            "listen": f"0.0.0.0:{PORT}",
            "announce": "/tmp/announce.json",  # noqa: S108 - of the pod
            "engine": "vLLM",
            "model": model,
            "preset": "vllm-0.24-h100-8b",
            "overrides": overrides,
        }

    def documents(self) -> list[dict[str, Any]]:
        """Deployment and its configuration."""
        command = ("pointsman-sim", "engine", "--config", "/etc/sim/sim.json")
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name},
            "data": {"sim.json": json.dumps(self._config)},
        }
        source = {"configMap": {"name": self.name}}
        return [config, self._deployment(*command, image="sim:1", sim=source)]

    def tell(self, path: str) -> None:
        """POST to it."""
        self.ask(path, "{}")

    def calls(self) -> int:
        """How many chat calls it was sent since it began."""
        return int(json.loads(self.ask("/control/stats"))["calls"])


def llama_image() -> Image:
    """Server and model from the pins of the demo, on Debian's Python."""
    environment = {"PYTHONPATH": SITE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    layers = (*images.python(LIBRARIES).layers, _llama_layer())
    return Image(LLAMA, layers, ("/usr/bin/python3",), environment=environment)


def _llama_layer() -> Path:
    """200 MB, kept in the cache as long as the pins are the same."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in PINS)).hexdigest()[:16]
    path = cache() / "images" / f"llama-{digest}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_one(path.with_suffix(".lock")), tempfile.TemporaryDirectory() as folder:
        if not path.exists():
            # Not the temporary folder itself, which nobody but us may read.
            site = Path(folder) / "site"
            install = [str(UV), "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
            given = [part for pin in PINS for part in ("-r", str(pin))]
            target = ["--target", str(site), "--python", sys.executable]
            subprocess.run([*install, *target, *given], check=True)
            fresh = path.with_suffix(".new.tar")
            images.folder_layer(fresh, site, SITE)
            fresh.replace(path)
    return path

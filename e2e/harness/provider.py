"""A simulated provider as a pod behind a Service, scripted and read from the tests."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from harness import images, pods
from harness.cluster import Cluster
from harness.images import Image

PORT, TLS_PORT = 8080, 8443
FRONT = (Path(__file__).resolve().parents[1] / "scenarios/in_pods/tls_front.py").read_text()
SIMULATOR = Path(sys.executable).parent / "pointsman-sim"
CONFIG = "/etc/sim/sim.json"
ASK = """\
import sys, urllib.request
url, body = sys.argv[1], sys.argv[2].encode() if len(sys.argv) > 2 else None
print(urllib.request.urlopen(urllib.request.Request(url, body), timeout=10).read().decode())
"""


def image(folder: Path) -> Image:
    """The simulator on Debian's Python, whose C library it needs."""
    layer = images.files_layer(folder / "sim.tar", {"/usr/bin/pointsman-sim": SIMULATOR})
    return Image("sim:1", (*images.python().layers, layer), ("/usr/bin/pointsman-sim",))


class Provider:
    """One simulated provider in one namespace, under its own name.

    `url` is in plain HTTP; `https_url`, at `host`, with a certificate of the cluster's authority,
    which is also good for `known_as`, a provider's real name that a test points here.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, name: str = "provider", known_as: str = ""
    ) -> None:
        self._kubectl = cluster.kubectl.within(namespace)
        self._name = name
        self.host = f"{name}.{namespace}.svc"
        self.url = f"http://{self.host}:{PORT}/v1"
        self.https_url = f"https://{self.host}/v1"
        issued = cluster.authority.issue(name, hosts=(self.host, known_as or self.host))
        pair = {"tls.crt": issued.certificate, "tls.key": issued.key}
        config = {
            "listen": f"0.0.0.0:{PORT}",
            "announce": "/tmp/announce.json",  # noqa: S108 - of the pod
            "bill": "/tmp/bill.jsonl",  # noqa: S108
        }
        self._kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name},
                "data": {"sim.json": json.dumps(config)},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{name}-tls"},
                "data": {key: base64.b64encode(text).decode() for key, text in pair.items()},
            },
            pods.deployment(name, *self._containers(), volumes=self._volumes()),
            self._service(),
        )
        self.wait()
        if known_as:
            service = self._kubectl.json("get", "service", name)
            cluster.point(known_as, service["spec"]["clusterIP"])

    def wait(self) -> None:
        """Return when it serves."""
        self._kubectl("rollout", "status", f"deployment/{self._name}", "--timeout=180s")

    def script(self, *rules: dict[str, Any]) -> None:
        """Replace its behaviour (docs/contracts.md 7)."""
        self._ask("_sim/behaviour", json.dumps(list(rules)))

    def take(self, key: str) -> None:
        """Answer whoever bears this key, and nobody else."""
        right = {"match": {"header": {"authorization": f"Bearer {key}"}}, "do": {}}
        self.script(right, {"do": {"status": 401}})

    def stats(self) -> dict[str, Any]:
        """Its counts."""
        found: dict[str, Any] = json.loads(self._ask("_sim/stats"))
        return found

    def scale(self, replicas: int) -> None:
        """As many pods as said, there or gone."""
        target = f"deployment/{self._name}"
        self._kubectl("scale", target, f"--replicas={replicas}")
        if replicas:
            self.wait()
        else:
            self._kubectl(
                "wait", "--for=delete", "pod", "-l", f"app={self._name}", "--timeout=180s"
            )

    def _ask(self, path: str, *body: str) -> str:
        url = f"http://127.0.0.1:{PORT}/{path}"
        place = f"deployment/{self._name}"
        return self._kubectl.exec(place, "python3", "-c", ASK, url, *body, container="sim")

    def _containers(self) -> list[dict[str, Any]]:
        serves = pods.container(
            "sim",
            *("pointsman-sim", "provider", "--config", CONFIG),
            image="localhost/sim:1",
            readinessProbe={"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            volumeMounts=[
                {"name": "config", "mountPath": "/etc/sim"},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            ],
        )
        front = pods.container(
            "front",
            *("python3", "-c", FRONT, str(TLS_PORT), str(PORT)),
            image=pods.PYTHON,
            readinessProbe={"tcpSocket": {"port": TLS_PORT}, "periodSeconds": 1},
            volumeMounts=[{"name": "tls", "mountPath": "/tls"}],
        )
        return [serves, front]

    def _volumes(self) -> list[dict[str, Any]]:
        config = {"name": "config", "configMap": {"name": self._name}}
        tls = {"name": "tls", "secret": {"secretName": f"{self._name}-tls"}}
        return [config, tls, {"name": "tmp", "emptyDir": {}}]

    def _service(self) -> dict[str, Any]:
        made = pods.service(self._name, PORT, PORT)
        made["spec"]["ports"] = [
            {"name": "http", "port": PORT, "targetPort": PORT},
            {"name": "https", "port": 443, "targetPort": TLS_PORT},
        ]
        return made

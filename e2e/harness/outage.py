"""Parts of an installation that go away and come back, as an admin or a broken node does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.installation import Installation

HUB, CONTROLLER = "statefulset/pointsman-hub", "deployment/pointsman-controller"
REPLICAS = {HUB: 1, CONTROLLER: 2}


@contextmanager
def scaled_down(installed: Installation, *targets: str) -> Iterator[None]:
    """No pod of these runs in the block; at its end they are made again, not waited for."""
    kubectl = installed.kubectl
    for target in targets:
        kubectl("scale", target, "--replicas=0")
    try:
        for target in targets:
            selector = f"app.kubernetes.io/component={target.rpartition('-')[2]}"
            kubectl("wait", "--for=delete", "pod", "-l", selector, "--timeout=60s")
        yield
    finally:
        for target in targets:
            kubectl("scale", target, f"--replicas={REPLICAS[target]}")


@contextmanager
def without_api_server(installed: Installation) -> Iterator[None]:
    """No API server in the block; at its end there is one that serves."""
    cluster = installed.cluster
    cluster.kill("kube-apiserver")
    try:
        yield
    finally:
        cluster.start("kube-apiserver")
        cluster.wait_ready()

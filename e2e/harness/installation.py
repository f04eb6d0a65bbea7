"""Pointsman installed on the test cluster as users do it: built images, the chart, real Helm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cluster import Cluster
from harness.helm import Helm, HelmError
from harness.images import REGISTRY
from harness.production import NAMES, ROOT, TAG, Builder

CHART = ROOT / "charts" / "pointsman"
RELEASE, HOME = "pointsman", "pointsman-system"
CLAIM = f"state-{RELEASE}-hub-0"
"""Of the volume that the ledger lies on; the chart's default."""
INSTALL_S = 240
VALUES: Mapping[str, Any] = {
    "image.registry": REGISTRY,
    "image.pullPolicy": "Never",
    "image.operator.tag": TAG,
    "image.sidecar.tag": TAG,
}


class Installation:
    """One release; `upgrade` and `uninstall` are Helm's."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.helm = Helm(folder, cluster.kubeconfig)
        self.kubectl = cluster.kubectl.within(HOME)

    def load(self, builder: Builder) -> None:
        """Bring both images to the node."""
        for name in NAMES:
            archive = builder.archive(name)
            self.cluster.load(archive)
            archive.unlink()

    def install(self) -> str:
        """Install and wait until everything is ready; Helm's own words."""
        # The harness has applied the CRDs for all of its tests before: Helm takes them over.
        more = ["--create-namespace", "--take-ownership"]
        return self.upgrade("--install", *more)

    def upgrade(self, *more: str, **values: Any) -> str:
        """Another revision, with other values (dots written as `__`); Helm's own words.

        An error of Helm's tells what the cluster looks like, for "not ready" alone helps nobody.
        """
        patience = ["--wait", f"--timeout={INSTALL_S}s"]
        place: list[str | Path] = [RELEASE, CHART, "--namespace", HOME]
        told = flags(**values)
        try:
            return self.helm("upgrade", *place, *told, *patience, *more, within_s=INSTALL_S + 30)
        except HelmError as error:
            error.add_note(self.state())
            raise

    def replaced(self, component: str) -> bool:
        """Whether no pod of a component is on its way out any more, which no `--wait` waits for."""
        found = self.kubectl.json("get", "pods", "-l", f"app.kubernetes.io/component={component}")
        return not any("deletionTimestamp" in it["metadata"] for it in found["items"])

    def uninstall(self) -> str:
        """Remove the release and wait until its objects are gone; Helm's own words."""
        return self.helm("uninstall", RELEASE, "--namespace", HOME, "--wait", within_s=INSTALL_S)

    def test(self) -> str:
        """`helm test`, with the logs of its pods."""
        return self.helm("test", RELEASE, "--namespace", HOME, "--logs", within_s=INSTALL_S)

    def state(self) -> str:
        """What a failed test wants to know: pods, events and logs of the release."""
        said = [self.kubectl("get", "pods,events", "-A", "-o", "wide")]
        for role in ("controller", "injector", "hub"):
            selector = f"app.kubernetes.io/component={role}"
            said.append(self.kubectl("logs", "-l", selector, "--tail=40", "--prefix"))
        return "\n".join(said)


def flags(**values: Any) -> list[str]:
    """What the test cluster needs, and other values (dots written as `__`), for Helm."""
    told = {**VALUES, **{key.replace("__", "."): value for key, value in values.items()}}
    return [part for key, value in told.items() for part in ("--set-json", _set(key, value))]


def _set(key: str, value: Any) -> str:
    return f"{key}={json.dumps(value)}"

"""A gateway as it is to be run: what its four objects are made of, and the marks that they bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_operator.api.gateways import Kind, service_name
from pointsman_operator.api.meta import GROUP, ObjectName
from pointsman_operator.owned.marks import marks

LABEL = f"{GROUP}/gateway"
"""`pool.NAME` or `policy.NAME`: by it the objects of gateways that are not needed are found."""
INJECT = f"{GROUP}/inject"
HTTPS_PORT, DATA_PORT, ADMIN_PORT = 443, 4617, 4618


@dataclass(frozen=True)
class Site:
    """How this installation runs gateways: the same for each."""

    image: str
    """The sidecar's."""
    hub_url: str
    hub_ca: str
    """Whom to trust (PEM)."""
    installation: str
    pull_policy: str = "IfNotPresent"
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    """Collector of spans; empty: none are made."""
    otlp_sample_percent: int = 100
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gateway:
    """One gateway."""

    kind: Kind
    of: ObjectName
    """The pool or policy; the objects are in its namespace."""
    replicas: int = 2

    @property
    def name(self) -> str:
        """Of all its objects."""
        return service_name(self.kind, self.of.name)

    @property
    def role(self) -> str:
        """`pool/NAME` or `policy/NAME`: what the process is told that it is."""
        return f"{self.kind}/{self.of.name}"

    def selector(self) -> dict[str, str]:
        """By which its pods are known."""
        return {LABEL: f"{self.kind}.{self.of.name}"[:63].rstrip("-.")}

    def metadata(self, site: Site) -> dict[str, Any]:
        """Name, namespace and labels of an object of it."""
        labels = {**marks(site.installation), **self.selector()}
        return {"name": self.name, "namespace": self.of.namespace, "labels": labels}


Object = Mapping[str, Any]
"""A Kubernetes object as JSON."""

"""The controller's settings: command line over environment, every problem at once."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FilePath

from pointsman_operator.api.collector import CollectorURL, SamplePercent
from pointsman_operator.api.meta import Name
from pointsman_operator.controller import limits

PREFIX = "POINTSMAN_CONTROLLER_"
FLAGS = {"address": "--listen"}
"""Options that are not called like their field."""
PORT_MAX = 65_535
EXITS = """\
exit codes:
  0   told to end (SIGTERM, SIGINT)
  64  a setting that cannot be
  69  no way to an API server
  70  a defect; the log says where
  75  another controller leads now: start again
"""


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise ValueError("HOST:PORT, the port 0 for any free one")
    return text


def _names(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[Name, ...], BeforeValidator(_names)]


class ControllerSettings(BaseModel):
    """All that a controller is told; field names in capitals behind `POINTSMAN_CONTROLLER_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    namespace: Name
    """The operator's own namespace: its Lease, Secrets and ConfigMap are there."""
    prefix: Name = "pointsman"
    """How the names of the operator's own objects begin."""
    identity: Annotated[str, Field(min_length=1)] = Field(default_factory=socket.gethostname)
    """Who this replica is, in the Lease and in Events; in a cluster the pod's name."""
    kubeconfig: FilePath | None = None
    """The kubeconfig to use; default: the ServiceAccount of the pod that this is."""
    context: str = ""
    """The kubeconfig's context; default: its current one."""
    namespaces: Names = ()
    """Namespaces to serve, separated by commas; default: all."""
    platform_namespaces: Names = ()
    """Namespaces whose Budgets may bind other namespaces, separated by commas."""
    gateway_namespaces: Names = ()
    """Namespaces in which gateways for their pools may run, separated by commas."""
    sidecar_image: str = "pointsman-sidecar"
    """The image of gateways, as pods shall pull it."""
    sidecar_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When kubelets pull it."""
    sidecar_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What gateways log."""
    otlp_endpoint: CollectorURL = ""
    """Collector that gateways send their spans to by OTLP/HTTP; empty: none."""
    otlp_sample_percent: SamplePercent = 100
    """Of a hundred calls that bring no `traceparent`, how many they trace."""
    pull_secrets: Names = ()
    """Secrets with which gateways' pods pull, in their own namespaces, separated by commas."""
    hub_url: str = ""
    """The hub; default: https://PREFIX-hub.NAMESPACE.svc:443."""
    hub_token_file: Path = Path("/var/run/pointsman/token/token")
    """File with a token for the audience `pointsman`; read again at every call."""
    webhooks: Names = ()
    """MutatingWebhookConfigurations whose caBundle is kept true, separated by commas."""
    authority: Literal["Own", "None"] = "Own"
    """`Own`: make and rotate the servers' certificates; `None`: they come from elsewhere."""
    overlap_seconds: Annotated[float, Field(ge=0, le=86_400)] = limits.OVERLAP_S
    """How long a new root is trusted before it signs, and an old one after it stopped signing."""
    address: Annotated[str, AfterValidator(_address)] = "0.0.0.0:8080"
    """HOST:PORT of probes and metrics."""
    announce: Path | None = None
    """File that gets {"address", "pid"} as soon as probes are served."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages to log; JSON, one a line."""

    @property
    def hub(self) -> str:
        """The hub's URL."""
        return self.hub_url or f"https://{self.prefix}-hub.{self.namespace}.svc:443"

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind."""
        return int(self.address.rpartition(":")[2])


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> ControllerSettings:
    """Settings of this process; raises `pydantic.ValidationError` with every problem."""
    parser = argparse.ArgumentParser(
        prog="python -m pointsman_operator.controller",
        description="Compiles ModelPools, RoutingPolicies and Budgets, publishes their tables, and "
        "says in their status what is true. One replica works, the others wait for its Lease.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, field in ControllerSettings.model_fields.items():
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        text = f"{field.description} [{PREFIX}{name.upper()}]".replace("%", "%%")
        parser.add_argument(flag, dest=name, help=text)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value}
    told = {
        name: environment[PREFIX + name.upper()]
        for name in ControllerSettings.model_fields
        if environment.get(PREFIX + name.upper())
    }
    return ControllerSettings.model_validate(told | given)

"""The injector's settings: command line over environment, one frozen model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath

from pointsman_operator.api.collector import CollectorURL, SamplePercent
from pointsman_operator.inject import Settings
from pointsman_operator.injector import limits

PREFIX = "POINTSMAN_INJECTOR_"
PORT_MAX = 65_535


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise ValueError("HOST:PORT, the port 0 for any free one")
    return text


def _https(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError("https://HOST:PORT as pods reach the hub")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class InjectorSettings(BaseModel):
    """Everything that the process is told; in capitals behind `POINTSMAN_INJECTOR_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    image: Annotated[str, Field(min_length=1, max_length=limits.IMAGE_CHARACTERS_MAX)]
    """The sidecar's image, as pods shall pull it."""
    hub_url: Annotated[str, AfterValidator(_https)]
    """The hub as pods reach it, e.g. https://pointsman-hub.pointsman.svc:443."""
    namespace: Annotated[str, Field(min_length=1, max_length=limits.NAMESPACE_CHARACTERS_MAX)]
    """Our own namespace."""
    tls_cert: Path
    """Certificate chain (PEM) of the webhook; waited for, and read again when it changes."""
    tls_key: Path
    """Its private key (PEM)."""
    listen: Address = "0.0.0.0:8443"
    """HOST:PORT of the webhooks, in TLS."""
    probes: Address = "0.0.0.0:8081"
    """HOST:PORT of /healthz, /readyz and /metrics, in plain HTTP."""
    hub_ca: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARACTERS_MAX)] = (
        "pointsman-ca"
    )
    """ConfigMap of our namespace whose `ca.crt` is the hub's bundle."""
    kubeconfig: FilePath | None = None
    """How to reach the API server; default: as this pod's ServiceAccount."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When kubelets pull the sidecar's image."""
    sidecar_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What sidecars log where their pod does not say."""
    otlp_endpoint: CollectorURL = ""
    """Collector that injected sidecars send their spans to by OTLP/HTTP; empty: none."""
    otlp_sample_percent: SamplePercent = 100
    """Of a hundred calls without a `traceparent`, how many are traced."""
    announce: Path | None = None
    """File that gets {"address", "probes", "pid"} as soon as the webhooks are served."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages to log."""

    def for_pods(self) -> Settings:
        """The part that decides how sidecars look."""
        return Settings(
            image=self.image,
            version=version("pointsman-operator"),
            hub_url=self.hub_url,
            pull_policy=self.pull_policy,
            log_level=self.sidecar_log_level,
            otlp_endpoint=self.otlp_endpoint,
            otlp_sample_percent=str(self.otlp_sample_percent),
        )


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> InjectorSettings:
    """Settings of this process; raises `pydantic.ValidationError` with every problem."""
    parser = argparse.ArgumentParser(
        prog="python -m pointsman_operator.injector",
        description="Answers the API server's admission reviews: adds the sidecar to pods, and the "
        "label that asks for it to the templates of annotated workloads.",
    )
    for name, field in InjectorSettings.model_fields.items():
        text = f"{field.description} [{PREFIX}{name.upper()}]"
        needed = " (needed)" if field.is_required() else ""
        parser.add_argument("--" + name.replace("_", "-"), dest=name, help=text + needed)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value}
    told = {
        name: environment[PREFIX + name.upper()]
        for name in InjectorSettings.model_fields
        if environment.get(PREFIX + name.upper())
    }
    return InjectorSettings.model_validate(told | given)


def split(address: str) -> tuple[str, int]:
    """Host without brackets, and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)

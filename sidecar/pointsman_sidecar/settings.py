"""Every environment variable of the sidecar, read once into one frozen object.

Called by `__main__`; all that is wrong is said at once, then the process exits with 64.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pointsman_sidecar import limits

GATEWAY = "gateway"
KINDS = ("pool", "policy")


class SettingsError(Exception):
    """All that is wrong with the environment, one sentence a variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """The settings; each variable's name is `POINTSMAN_` and the field in capitals."""

    mode: str = "sidecar"
    gateway: str = ""
    gateway_plain: bool = False
    data_address: str = "127.0.0.1:4617"
    admin_address: str = "127.0.0.1:4618"
    debug_address: str = "127.0.0.1:4619"
    hub_url: str = ""
    hub_token_file: Path | None = None
    hub_ca_file: Path | None = None
    hub_ca: str = ""
    table_path: Path | None = None
    labels_file: Path | None = None
    secrets_dir: Path | None = None
    secrets_from_env: bool = True
    state_dir: Path | None = None
    sidecar: str = ""
    namespace: str = "default"
    workload: str = ""
    pod: str = ""
    data_threads: int = 1
    drain_seconds: int = 20
    memory_limit_bytes: int | None = None
    otlp_endpoint: str = ""
    otlp_sample_percent: int = 100
    log_level: str = "INFO"

    @property
    def trust_file(self) -> Path | None:
        """Who must have signed the hub's certificate; a bundle given as such gets a file."""
        if self.hub_ca and self.state_dir is not None:
            return self.state_dir / "hub-ca.pem"
        return self.hub_ca_file

    def engine_config(self, cgroups_limit_bytes: int | None = None) -> bytes:
        """The engine's configuration document (docs/contracts.md, section 2)."""
        memory_limit_bytes = self.memory_limit_bytes or cgroups_limit_bytes
        config: dict[str, Any] = {
            "data": {"address": self.data_address},
            "admin": {"address": self.admin_address, "debugAddress": self.debug_address},
            "secretsFromEnv": self.secrets_from_env,
            "identity": {
                "sidecar": self.sidecar,
                "namespace": self.namespace,
                "workload": self.workload,
                "pod": self.pod,
            },
            "dataThreads": self.data_threads,
            "drainSeconds": self.drain_seconds,
        }
        if self.mode == GATEWAY:
            config["gateway"] = self._gateway()
        if self.hub_url:
            hub = {
                "url": self.hub_url,
                "tokenFile": self.hub_token_file,
                "caFile": self.trust_file,
            }
            config["hub"] = {name: str(value) for name, value in hub.items() if value is not None}
        if self.secrets_dir is not None:
            config["secretsDir"] = str(self.secrets_dir)
        if self.state_dir is not None:
            config["stateDir"] = str(self.state_dir)
        if memory_limit_bytes is not None:
            config["memoryLimitBytes"] = memory_limit_bytes
        if self.otlp_endpoint:
            config["tracing"] = {
                "otlpEndpoint": self.otlp_endpoint,
                "samplePercent": self.otlp_sample_percent,
            }
        return json.dumps(config).encode()

    def _gateway(self) -> dict[str, Any]:
        """Who may call: pods by tickets for a pool, or whoever has an API key of a policy."""
        kind, _, name = self.gateway.partition("/")
        if kind == "policy":
            return {"callers": "ApiKeys", "plain": self.gateway_plain}
        return {"callers": "Tickets", "audience": f"{self.namespace}/{name}"}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the environment; raise SettingsError with every problem in it."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for field, parse in PARSERS.items():
        name = f"POINTSMAN_{field.upper()}"
        text = environment.get(name, "")
        if not text:
            continue
        try:
            values[field] = parse(text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    settings = Settings(**values)
    problems += contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def contradictions(settings: Settings) -> list[str]:
    """What no single variable shows."""
    problems = []
    if not settings.hub_url and settings.table_path is None:
        problems.append(
            "set POINTSMAN_HUB_URL, or POINTSMAN_TABLE_PATH: tables come from one of them"
        )
    if (settings.mode == GATEWAY) != bool(settings.gateway):
        problems.append("POINTSMAN_GATEWAY: pool/NAME or policy/NAME with POINTSMAN_MODE=gateway")
    if settings.gateway.startswith("policy/") and settings.secrets_dir is None:
        problems.append("POINTSMAN_SECRETS_DIR: where the API keys of callers lie")
    if settings.gateway_plain and not settings.gateway.startswith("policy/"):
        problems.append("POINTSMAN_GATEWAY_PLAIN: only with POINTSMAN_GATEWAY=policy/NAME")
    if settings.hub_url and settings.hub_token_file is None:
        problems.append(
            "POINTSMAN_HUB_TOKEN_FILE: the hub wants a token; name the file that holds it"
        )
    if settings.hub_url and not settings.sidecar:
        problems.append("POINTSMAN_SIDECAR: the hub books leases by sidecar; give it the pod's UID")
    if settings.hub_ca_file is not None and not settings.hub_url.startswith("https://"):
        problems.append("POINTSMAN_HUB_CA_FILE: only used with an https:// POINTSMAN_HUB_URL")
    if settings.hub_ca and settings.hub_ca_file is not None:
        problems.append("POINTSMAN_HUB_CA: POINTSMAN_HUB_CA_FILE is set as well; give one")
    if settings.hub_ca and settings.state_dir is None:
        problems.append("POINTSMAN_HUB_CA: set POINTSMAN_STATE_DIR, where the engine reads it")
    return problems


def pod_address(text: str) -> str:
    """As `address`; the pod's IP comes without brackets, whatever its family."""
    host, _, port = text.rpartition(":")
    if ":" in host and not host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host)}]"
        except ValueError:
            raise ValueError(f"{text!r} is not host:port") from None
    return address(f"{host}:{port}")


def bundle(text: str) -> str:
    """Certificates in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"no certificates in PEM: {error}") from error
    return text


def address(text: str) -> str:
    """`host:port`, with an IPv6 host in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > limits.MAX_PORT:
        raise ValueError(f"{text!r} is not host:port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text!r}: write an IPv6 host in brackets")
    return text


def url(text: str) -> str:
    """An http or https address without a path."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is not an http:// or https:// address")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("credentials, queries and fragments have no place here")
    return text.rstrip("/")


def mode(text: str) -> str:
    """`sidecar` or `gateway`."""
    if text not in {"sidecar", GATEWAY}:
        raise ValueError(f"{text!r} is neither sidecar nor gateway")
    return text


def role(text: str) -> str:
    """Whose gateway it is."""
    kind, slash, name = text.partition("/")
    if kind not in KINDS or not slash or not name:
        raise ValueError(f"{text!r} is neither pool/NAME nor policy/NAME")
    return text


def boolean(text: str) -> bool:
    """`true` or `false`."""
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def between(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def level(text: str) -> str:
    """A level of the standard library's logging."""
    if text.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"{text!r} is not one of DEBUG, INFO, WARNING, ERROR")
    return text.upper()


PARSERS: dict[str, Callable[[str], Any]] = {
    "mode": mode,
    "gateway": role,
    "gateway_plain": boolean,
    "data_address": pod_address,
    "admin_address": pod_address,
    "debug_address": address,
    "hub_url": url,
    "hub_token_file": Path,
    "hub_ca_file": Path,
    "hub_ca": bundle,
    "table_path": Path,
    "labels_file": Path,
    "secrets_dir": Path,
    "secrets_from_env": boolean,
    "state_dir": Path,
    "sidecar": str,
    "namespace": str,
    "workload": str,
    "pod": str,
    "data_threads": between(1, limits.MAX_DATA_THREADS),
    "drain_seconds": between(0, limits.MAX_DRAIN_S),
    "memory_limit_bytes": between(limits.LEAST_MEMORY_BYTES, limits.MAX_MEMORY_BYTES),
    "otlp_endpoint": url,
    "otlp_sample_percent": between(0, 100),
    "log_level": level,
}

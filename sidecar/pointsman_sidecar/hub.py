"""How the sidecar reaches the hub: one place for address, token, trust and waits.

Used by `supervisor` for the stream and by `report` for what goes the other way.
"""

from __future__ import annotations

import random
import ssl
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from pointsman_sidecar import limits
from pointsman_sidecar.settings import Settings


@dataclass(frozen=True)
class Hub:
    """Who we are and where the hub is; `boot` is the engine's id of this start."""

    url: str
    token_file: Path
    ca_file: Path | None
    sidecar: str
    boot: str
    namespace: str
    workload: str

    def client(self, read_timeout_s: float) -> httpx.Client:
        """A connection pool for one thread; the environment's proxies are not for the hub."""
        return httpx.Client(
            base_url=self.url,
            verify=self._trust(),
            trust_env=False,
            timeout=httpx.Timeout(read_timeout_s, connect=limits.CONNECT_TIMEOUT_S),
        )

    def authorization(self) -> dict[str, str]:
        """The token as it is now: the kubelet replaces the file before it expires."""
        return {"authorization": f"Bearer {self.token_file.read_text().strip()}"}

    def _trust(self) -> ssl.SSLContext:
        """The hub's own authority, else the system's; over plain http no certificate is loaded."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        elif self.url.startswith("https://"):
            context.load_default_certs()
        return context


def hub_of(settings: Settings, boot: str) -> Hub | None:
    """The hub that the settings name, if they name one."""
    if not settings.hub_url or settings.hub_token_file is None:
        return None
    return Hub(
        url=settings.hub_url,
        token_file=settings.hub_token_file,
        ca_file=settings.hub_ca_file,
        sidecar=settings.sidecar,
        boot=boot,
        namespace=settings.namespace,
        workload=settings.workload,
    )


@dataclass(frozen=True)
class Backoff:
    """Waits that double up to a maximum, each drawn at random lest a fleet march in step."""

    ceiling_s: float = limits.RECONNECT_MIN_S

    def wait_s(self) -> float:
        """How long to wait this time."""
        return random.uniform(0, self.ceiling_s)  # noqa: S311  # jitter, not a secret

    def longer(self) -> Backoff:
        """The next one after a failure."""
        return replace(self, ceiling_s=min(self.ceiling_s * 2, limits.RECONNECT_MAX_S))

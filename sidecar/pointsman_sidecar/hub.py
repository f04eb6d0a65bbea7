"""How the sidecar reaches the hub: one place for address, token, trust and waits.

Used by `supervisor` for the stream and by `report` for what goes the other way. The standard
library's client, because a sidecar is multiplied by every pod: 17 MiB of process instead of 32.
"""

from __future__ import annotations

import http.client
import random
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from pointsman_sidecar import limits
from pointsman_sidecar.settings import Settings


class HubError(Exception):
    """The hub answered with an error."""


FAILURES = (HubError, http.client.HTTPException, OSError)
"""All that talking to the hub raises."""


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
    labels_file: Path | None = None
    gateway: str = ""
    """`pool/NAME` or `policy/NAME`; empty: a sidecar."""

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection for one thread; it opens at its first request, and again after `close`."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        context = self._trust()
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)

    def stream(self, query: Mapping[str, str]) -> Generator[bytes]:
        """The pieces of `GET /v1/stream` as they come, until the hub ends it."""
        connection = self.connect(limits.STREAM_IDLE_S)
        try:
            path = "/v1/stream?" + urlencode(query)
            connection.request("GET", path, headers=self._authorization())
            answer = connection.getresponse()
            check(answer)
            while piece := answer.read1(limits.READ_BYTES):
                yield piece
        finally:
            connection.close()

    def report(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        """`POST /v1/reports` on a connection that the caller keeps; closed when it fails."""
        headers = self._authorization() | {"content-type": "application/json"}
        try:
            connection.request("POST", "/v1/reports", body=body, headers=headers)
            answer = connection.getresponse()
            check(answer)
            answer.read()
        except FAILURES:
            connection.close()
            raise

    def _authorization(self) -> dict[str, str]:
        """The token as it is now: the kubelet replaces the file before it expires."""
        return {"authorization": f"Bearer {self.token_file.read_text().strip()}"}

    def _trust(self) -> ssl.SSLContext:
        """The hub's own authority, else the system's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        else:
            context.load_default_certs()
        return context


def check(answer: http.client.HTTPResponse) -> None:
    """Raise what the hub says where it does not say 200; its errors are short."""
    if answer.status != http.client.OK:
        said = answer.read(limits.MAX_ERROR_BYTES).decode(errors="replace")
        raise HubError(f"{answer.status} {said}")


def hub_of(settings: Settings, boot: str) -> Hub | None:
    """The hub that the settings name, if they name one."""
    if not settings.hub_url or settings.hub_token_file is None:
        return None
    return Hub(
        url=settings.hub_url,
        token_file=settings.hub_token_file,
        ca_file=settings.trust_file,
        sidecar=settings.sidecar,
        boot=boot,
        namespace=settings.namespace,
        workload=settings.workload,
        labels_file=settings.labels_file,
        # On this machine the only policy is served; gateways are told apart by tokens of pods.
        gateway="" if settings.gateway_plain else settings.gateway,
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

"""Where the API server is and who we are to it: in the cluster or by a kubeconfig.

Called by everything in this folder and, for kopf's login, by the controller. Nothing here holds a
token: it is asked for at every call, and what reads files reads them again.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config

from pointsman_operator.kube import limits

TOKEN = "BearerToken"  # noqa: S105 - the name under which the client keeps it


class NoConnectionError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount; the message says what was tried."""


@dataclass(frozen=True)
class Connection:
    """A way to one API server."""

    configuration: client.Configuration

    @property
    def server(self) -> str:
        """Its URL, without a slash at the end."""
        return str(self.configuration.host).rstrip("/")

    def authorization(self) -> str:
        """The header's value as of now; empty with a client certificate."""
        value = self.configuration.get_api_key_with_prefix(TOKEN)
        return str(value) if value else ""

    def blocking(self) -> client.ApiClient:
        """The official client, for calls in worker threads."""
        return client.ApiClient(self.configuration)

    def streaming(self, silence_s: float = limits.SILENCE_S) -> httpx.AsyncClient:
        """A client for watches: a read that takes longer than `silence_s` fails."""
        return httpx.AsyncClient(
            base_url=self.server,
            verify=self.tls(),
            auth=_Bearer(self),
            timeout=httpx.Timeout(silence_s, connect=limits.CONNECT_WITHIN_S),
            trust_env=False,
        )

    def tls(self) -> ssl.SSLContext:
        """Whom to trust, and the client's certificate if there is one."""
        own = self.configuration
        context = ssl.create_default_context(cafile=own.ssl_ca_cert, cadata=own.ca_cert_data)
        if own.cert_file:
            context.load_cert_chain(own.cert_file, own.key_file)
        return context


def connect(kubeconfig: Path | None, context: str = "") -> Connection:
    """By the kubeconfig where one is named, else as the pod that this is.

    Raises `NoConnectionError`.
    """
    configuration = client.Configuration()
    try:
        if kubeconfig is not None:
            config.load_kube_config(
                str(kubeconfig), context or None, client_configuration=configuration
            )
        else:
            config.load_incluster_config(configuration)
    except (config.ConfigException, OSError) as error:
        tried = f"kubeconfig {kubeconfig}" if kubeconfig else "the ServiceAccount of this pod"
        raise NoConnectionError(f"no way to the API server by {tried}: {error}") from error
    configuration.connection_pool_maxsize = limits.THREADS
    _take_tokens_without_newline(configuration)
    return Connection(configuration)


def _take_tokens_without_newline(configuration: Any) -> None:
    """A kubeconfig's `tokenFile` mostly ends with one, which no header may hold.

    Any: the client's own types say that the hook is always None.
    """
    renew = configuration.refresh_api_key_hook

    def renew_and_strip(own: Any) -> None:
        if renew is not None:
            renew(own)
        if TOKEN in own.api_key:
            own.api_key[TOKEN] = own.api_key[TOKEN].strip()

    configuration.refresh_api_key_hook = renew_and_strip


class _Bearer(httpx.Auth):
    """The token as it is when the request goes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        value = self._connection.authorization()
        if value:
            request.headers["authorization"] = value
        yield request

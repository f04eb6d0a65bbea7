"""The commands' way to the hub (docs/contracts.md, section 3)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from pointsman_operator.cli.state import State

TIMEOUT_S = 10.0


class HubError(Exception):
    """The hub cannot be reached or refuses; message and remedy are for the user."""

    def __init__(self, message: str, status: int = 0, remedy: str = "") -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; 0 where nobody answered."""
        self.remedy = remedy
        """What to do next, if we know."""


class HubClient:
    """Authenticated calls; a context manager."""

    def __init__(
        self,
        url: str,
        token: Path | str,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`token`: itself, or the file that holds it; `server_name`: whose certificate it must be.

        `timeout_s`: for connecting, and between any two pieces of an answer.

        Raises `HubError`.
        """
        try:
            bearer = token.read_text().strip() if isinstance(token, Path) else token
        except OSError as error:
            raise HubError(f"no token: {error}") from error
        headers = {"authorization": f"Bearer {bearer}"}
        self._extensions: dict[str, Any] = {}
        if server_name:
            headers["host"] = server_name
            self._extensions["sni_hostname"] = server_name
        self._client = httpx.Client(
            base_url=url,
            headers=headers,
            verify=tls or ssl.create_default_context(),
            timeout=timeout_s,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._client.close()

    def healthy(self) -> bool:
        """Whether the hub answers and its store does."""
        try:
            return self._client.get("/healthz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def put_table(self, policy: str, table: bytes, fence: str) -> str:
        """Publish canonical table bytes under `namespace/name`; their digest."""
        headers = {"x-pointsman-fence": fence, "content-type": "application/json"}
        answer = self._call("PUT", f"/v1/tables/{policy}", content=table, headers=headers)
        return str(answer["digest"])

    def delete_table(self, policy: str, fence: str) -> None:
        """Withdraw a policy's table."""
        self._call("DELETE", f"/v1/tables/{policy}", headers={"x-pointsman-fence": fence})

    def decision(self, request_id: str) -> dict[str, Any]:
        """The RECORD of one request."""
        found: dict[str, Any] = self._call("GET", f"/v1/decisions/{request_id}")
        return found

    def spend(self, by: str, since: str = "", namespace: str = "") -> dict[str, Any]:
        """What was spent, by one dimension; an empty namespace means all."""
        query = {"by": by} | ({"since": since} if since else {}) | only(namespace)
        found: dict[str, Any] = self._call("GET", "/v1/spend", params=query)
        return found

    def budgets(self, namespace: str = "") -> list[dict[str, Any]]:
        """Every account in its current window; an empty namespace means all."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/budgets", params=only(namespace))
        return found

    def limits(self, namespace: str = "", *, routers: bool = False) -> list[dict[str, Any]]:
        """Each limit of a model; with `routers`, who holds it. An empty namespace means all."""
        query = only(namespace) | ({"routers": "true"} if routers else {})
        found: list[dict[str, Any]] = self._call("GET", "/v1/limits", params=query)
        return found

    def sidecars(self, namespace: str = "") -> list[dict[str, Any]]:
        """Who is connected, and which table each has in force; an empty namespace means all."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/sidecars", params=only(namespace))
        return found

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One call; every failure is a HubError."""
        try:
            answer = self._client.request(
                method,
                path,
                params=params,
                content=content,
                headers=headers,
                extensions=self._extensions,
            )
        except httpx.HTTPError as error:
            message = f"no hub answers at {self._client.base_url}: {error}"
            raise HubError(message) from error
        if answer.is_error:
            raise HubError(said(answer), answer.status_code)
        return answer.json() if answer.content else {}


def said(answer: httpx.Response) -> str:
    """What an error answer says, in the hub's shape or not."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the hub answered {answer.status_code}"


def only(namespace: str) -> dict[str, str]:
    """The query for one namespace, or for all."""
    return {"namespace": namespace} if namespace else {}


def connect(state: Path, hub: str) -> HubClient:
    """A client for the named hub, else for the one that `up` announced. Raises `HubError`."""
    found = State(state)
    running = found.running()
    url = hub or (running.hub_url if running else "")
    if not url:
        raise HubError(
            f"nothing runs in {state}: start `pointsman up -f FOLDER`, or name --hub",
            remedy="for the hub of your kubeconfig's cluster: add --cluster",
        )
    return HubClient(url, found.token_file)

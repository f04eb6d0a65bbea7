"""The controller's way to the hub (docs/contracts-kubernetes.md 4): tables, fleet, budgets."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.kube import limits
from pointsman_operator.kube.lease import Fence

NOT_FOUND = 404
CONFLICT = 409


class HubUnreachableError(Exception):
    """The hub does not answer, or not in time; the message says why."""


class HubRefusedError(Exception):
    """The hub answers and refuses."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class FencedError(Exception):
    """A later leader has written: this one must end."""


@dataclass(frozen=True)
class Holdings:
    """What the hub holds of ours, as `GET /v1/tables` tells."""

    tables: Mapping[ObjectName, dict[str, Any]]
    """By policy: digest, fence, target."""
    pools: Mapping[ObjectName, dict[str, Any]]
    """By pool: digest, fence."""


class Hub:
    """One hub, as the controller sees it."""

    def __init__(self, url: str, token_file: Path) -> None:
        self._url = url
        self._token_file = token_file
        self._http: httpx.AsyncClient | None = None
        self._bundle: str | None = None

    async def trust(self, bundle: str) -> None:
        """Take these roots (PEM) from now on; empty: the system's."""
        if bundle == self._bundle and self._http is not None:
            return
        verify = ssl.create_default_context(cadata=bundle or None)
        old, self._bundle = self._http, bundle
        self._http = httpx.AsyncClient(base_url=self._url, verify=verify, trust_env=False)
        if old is not None:
            await old.aclose()

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.aclose()

    async def tables(self) -> Holdings:
        """What the hub serves: digest, fence and target by policy; what it knows of pools."""
        found = await self._call("GET", "/v1/tables")
        return Holdings(
            {ObjectName(row["namespace"], row["policy"]): row for row in found["tables"]},
            {ObjectName(row["namespace"], row["pool"]): row for row in found["pools"]},
        )

    async def put_pool(self, pool: ObjectName, content: bytes, fence: Fence) -> str:
        """Say where a pool's own models are found; the digest that the hub computed."""
        headers = {"x-pointsman-fence": fence.header, "content-type": "application/json"}
        path = f"/v1/pools/{pool.namespace}/{pool.name}"
        answer = await self._call("PUT", path, content=content, headers=headers)
        return str(answer["digest"])

    async def delete_pool(self, pool: ObjectName, fence: Fence) -> None:
        """The pool has no such models any more; one that is not there is no error."""
        path = f"/v1/pools/{pool.namespace}/{pool.name}"
        await self._delete(path, fence)

    async def put_table(
        self, policy: ObjectName, table: bytes, fence: Fence, target: Mapping[str, Any]
    ) -> str:
        """Publish canonical bytes; the digest that the hub computed."""
        headers = {
            "x-pointsman-fence": fence.header,
            "x-pointsman-target": json.dumps(target, separators=(",", ":")),
            "content-type": "application/json",
        }
        path = f"/v1/tables/{policy.namespace}/{policy.name}"
        answer = await self._call("PUT", path, content=table, headers=headers)
        return str(answer["digest"])

    async def delete_table(self, policy: ObjectName, fence: Fence) -> None:
        """Withdraw a policy's table; one that is not there is no error."""
        await self._delete(f"/v1/tables/{policy.namespace}/{policy.name}", fence)

    async def _delete(self, path: str, fence: Fence) -> None:
        try:
            await self._call("DELETE", path, headers={"x-pointsman-fence": fence.header})
        except HubRefusedError as error:
            if error.status != NOT_FOUND:
                raise

    async def put_certificate(self, pod: str, chain: str) -> None:
        """What was signed (PEM) for the gateway in the pod of that UID."""
        await self._call("PUT", f"/v1/certificates/{pod}", content=chain.encode())

    async def fleet(self, after: int | None) -> dict[str, Any]:
        """What has changed of the sidecars after that revision, or all; waits for a change.

        Not longer than the hub likes. One of before always tells of all.
        """
        query = {"wait": str(limits.FLEET_WAIT_S), "changes": "true"}
        if after is not None:
            query["after"] = str(after)
        found = await self._call(
            "GET", "/v1/fleet", params=query, within_s=limits.FLEET_WAIT_S + limits.HUB_CALL_S
        )
        return dict(found)

    async def put_budgets(self, content: bytes, fence: Fence) -> None:
        """Say which Budgets there are: the hub shows those that no table holds, too."""
        headers = {"x-pointsman-fence": fence.header, "content-type": "application/json"}
        await self._call("PUT", "/v1/budgets", content=content, headers=headers)

    async def budgets(self) -> list[dict[str, Any]]:
        """Every account's current window."""
        return list(await self._call("GET", "/v1/budgets"))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        within_s: float = limits.HUB_CALL_S,
    ) -> Any:
        if self._http is None:
            raise HubUnreachableError("the hub's certificate authority is not known yet")
        try:
            token = self._token_file.read_text().strip()
            sent = {**(headers or {}), "authorization": f"Bearer {token}"}
            # A hub that is gone may leave an address where nobody answers: to wait there as long
            # as for news would hide that it is gone.
            timeout = httpx.Timeout(within_s, connect=limits.CONNECT_WITHIN_S)
            answer = await self._http.request(
                method, path, params=params, content=content, headers=sent, timeout=timeout
            )
            if not answer.is_error:
                return answer.json() if answer.content else {}
        except (httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the client was replaced under a call, because the roots changed.
            raise HubUnreachableError(
                f"{self._url}: {str(error) or type(error).__name__}"
            ) from error
        if answer.status_code >= 500:  # noqa: PLR2004 - HTTP's range of "not now"
            raise HubUnreachableError(f"{self._url}: {answer.status_code} {answer.text[:200]}")
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> HubRefusedError | FencedError:
    try:
        error = answer.json()["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", answer.text[:200]
    if answer.status_code == CONFLICT and code == "fenced":
        return FencedError(message)
    return HubRefusedError(answer.status_code, code, message)

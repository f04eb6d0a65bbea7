"""Calls to the API server: the official client in worker threads, paced, 429 honoured.

Called by everything that reads one object or writes. Every write asks first whether this process
still leads, right before it leaves.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from pointsman_operator.kube import limits
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.pacing import Pace

MANAGER = "pointsman-controller"
"""Our field manager."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
NOT_FOUND = 404
CONFLICT = 409
TOO_MANY = 429
UNREACHABLE = 0


class ApiError(Exception):
    """The API server refused, or could not be reached (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """One connection's calls."""

    def __init__(
        self, connection: Connection, check: Callable[[], None], pace: Pace | None = None
    ) -> None:
        """`check` raises where writing is not allowed (any more)."""
        self._client = connection.blocking()
        self._connection = connection
        self._check = check
        self._pace = pace or Pace(kept=limits.WRITES_KEPT)
        self._threads = ThreadPoolExecutor(limits.THREADS, "pointsman-api")

    def close(self) -> None:
        """Let the threads and connections go; calls in flight end on their own."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.rest_client.close()

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = JSON
    ) -> dict[str, Any] | None:
        """An object; None where there is none."""
        try:
            return await self._call("GET", path, query, accept=accept)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def apply(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply: what we say of the object becomes so, whoever said otherwise."""
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._write("PATCH", path, query, document, APPLY)

    async def create(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new object."""
        return await self._write("POST", path, {"fieldManager": MANAGER}, document, JSON)

    async def update(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """The whole object, if it is still at the `resourceVersion` that it names."""
        return await self._write("PUT", path, {"fieldManager": MANAGER}, document, JSON)

    async def merge(self, path: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON merge patch: null removes a field, whoever owns it."""
        return await self._write("PATCH", path, {"fieldManager": MANAGER}, patch, MERGE)

    async def delete(self, path: str, uid: str) -> None:
        """Delete the object with this UID; one that is gone or another is no error."""
        body = {"preconditions": {"uid": uid}}
        try:
            await self._write("DELETE", path, {}, body, JSON)
        except ApiError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise

    async def _write(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        document: Mapping[str, Any],
        content_type: str,
    ) -> dict[str, Any]:
        return await self._call(method, path, query, json.dumps(document).encode(), content_type)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        url = self._connection.server + path
        if query:
            url += "?" + urllib.parse.urlencode(query)
        loop = asyncio.get_running_loop()
        for left in reversed(range(limits.RETRIES_OF_429 + 1)):
            await self._pace.take()
            if method != "GET":
                self._check()
            arguments = (method, url, body, content_type, accept)
            status, wait_s, found = await loop.run_in_executor(self._threads, self._ask, *arguments)
            if status != TOO_MANY or not left:
                return _answer(method, path, status, found)
            self._pace.pause(wait_s)
        raise AssertionError

    def _ask(
        self, method: str, url: str, body: bytes | None, content_type: str, accept: str
    ) -> tuple[int, float, bytes]:
        """In a worker thread: status, seconds of Retry-After, body."""
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": MANAGER}
        authorization = self._connection.authorization()
        if authorization:
            headers["Authorization"] = authorization
        pool = self._client.rest_client.pool_manager
        timeout = urllib3.Timeout(connect=limits.CONNECT_WITHIN_S, read=limits.CALL_WITHIN_S)
        try:
            answer = pool.request(
                method, url, body=body, headers=headers, timeout=timeout, retries=False
            )
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            return UNREACHABLE, 0.0, f"the API server does not answer: {error}".encode()
        return answer.status, retry_after(answer.headers.get("Retry-After")), answer.data


def retry_after(header: str | None) -> float:
    """Seconds of a Retry-After; one where there is none or it is a date."""
    wait_s = float(header) if header and header.isdecimal() else 1.0
    return min(wait_s, limits.RETRY_AFTER_MOST_S)


def _answer(method: str, path: str, status: int, body: bytes) -> dict[str, Any]:
    if status == UNREACHABLE:
        raise ApiError(status, f"{method} {path}: {body.decode(errors='replace')}")
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        document = {}
    if status >= 300:  # noqa: PLR2004 - the range of success in HTTP
        said = document.get("message") if isinstance(document, dict) else None
        raise ApiError(status, f"{method} {path}: {status} {said or body[:200]!r}")
    return document if isinstance(document, dict) else {}

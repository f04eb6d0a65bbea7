"""Keys in a namespace's Secret, written with the user's own rights.

Each write names the version that it was decided on; where somebody was faster, the API server says
409 and it is decided again on what is there now.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys.shelf import SECRET, Decide, Entries, check_room
from pointsman_operator.cli.remote.advice import refused
from pointsman_operator.kube.connection import Connection

TRIES = 20
CALL_WITHIN_S = 10.0
CALLS = {
    "get": ("GET", "application/json"),
    "create": ("POST", "application/json"),
    "patch": ("PATCH", "application/merge-patch+json"),
}
MANAGER = "pointsman-keys"
NO_RIGHT = (
    "who may grant rights runs: kubectl create secret generic {secret} -n {namespace} (if there is "
    "none yet) && kubectl create role {secret} --verb=get,patch --resource=secrets "
    "--resource-name={secret} -n {namespace} && kubectl create rolebinding {secret} "
    "--role={secret} --user=USER -n {namespace}"
)


@dataclass(frozen=True)
class SecretShelf:
    """The Secret `pointsman-api-keys` of one namespace."""

    connection: Connection
    namespace: str

    @property
    def where(self) -> str:
        """The Secret."""
        return f"Secret {self.namespace}/{SECRET}"

    def read(self) -> Entries:
        """All entries; none without the Secret."""
        with self.connection.blocking() as api:
            return entries_of(self._get(api) or {})

    def change(self, decide: Decide) -> None:
        """Read, decide, write if it is still as it was read."""
        with self.connection.blocking() as api:
            for _ in range(TRIES):
                if self._try(api, decide):
                    return
        raise HubError(
            f"{self.where} changes faster than it can be written",
            remedy="who else writes it? kubectl get secret "
            f"{SECRET} -n {self.namespace} -o yaml --show-managed-fields",
        )

    def _try(self, api: client.ApiClient, decide: Decide) -> bool:
        """False: somebody was faster."""
        found = self._get(api)
        entries = entries_of(found or {})
        changes = decide(entries)
        check_room(entries, changes)
        data = {name: encoded(value) for name, value in changes.items()}
        if found is None:
            status, _ = self._call(api, "create", new_secret(data))
        else:
            version = found["metadata"]["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version}, "data": data}
            status, _ = self._call(api, "patch", patch)
        # Gone in between: the next turn makes it.
        return status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}

    def _get(self, api: client.ApiClient) -> dict[str, Any] | None:
        status, found = self._call(api, "get", None)
        return None if status == HTTPStatus.NOT_FOUND else found

    def _call(
        self, api: client.ApiClient, verb: str, body: Mapping[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer; what is neither success, 404 nor 409 is a `HubError`.

        No message repeats an answer: it may hold the Secret.
        """
        method, content_type = CALLS[verb]
        url = f"{self.connection.server}/api/v1/namespaces/{self.namespace}/secrets"
        url += f"?fieldManager={MANAGER}" if verb == "create" else f"/{SECRET}"
        url += f"?fieldManager={MANAGER}" if verb == "patch" else ""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if authorization := self.connection.authorization():
            headers["Authorization"] = authorization
        data = None if body is None else json.dumps(body).encode()
        pool = api.rest_client.pool_manager
        try:
            answer = pool.request(
                method, url, body=data, headers=headers, timeout=CALL_WITHIN_S, retries=False
            )
            document = json.loads(answer.data) if answer.status < HTTPStatus.BAD_REQUEST else {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise HubError(
                f"the API server does not answer: {type(error).__name__}",
                remedy="does it answer kubectl? kubectl version; --kubeconfig and --context choose",
            ) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self._check(int(answer.status), verb)
        return int(answer.status), document

    def _check(self, status: int, verb: str) -> None:
        """Raises `HubError` for what trying again does not help."""
        if status == HTTPStatus.CONFLICT or (status == HTTPStatus.NOT_FOUND and verb != "create"):
            return
        what = f"{verb} {self.where}"
        if status == HTTPStatus.FORBIDDEN:
            advice = NO_RIGHT.format(secret=SECRET, namespace=self.namespace)
            raise HubError(f"you have no right to {what}", status, advice)
        if status == HTTPStatus.NOT_FOUND:
            remedy = "which are there? kubectl get namespaces"
            raise HubError(f"there is no namespace {self.namespace}", status, remedy)
        raise refused(status, what, self.namespace, "secrets", verb)


def entries_of(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """The Secret's data, decoded."""
    data = secret.get("data") or {}
    return {name: base64.b64decode(value) for name, value in sorted(data.items())}


def encoded(data: bytes | None) -> str | None:
    """As a Secret holds it; None removes it."""
    return None if data is None else base64.b64encode(data).decode()


def new_secret(data: Mapping[str, str | None]) -> dict[str, Any]:
    """The Secret where there was none."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": SECRET, "labels": {"app.kubernetes.io/part-of": "pointsman"}},
        "data": {name: value for name, value in data.items() if value is not None},
    }

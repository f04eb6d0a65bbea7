"""The API server by plain HTTP: for tests that ask often, or for what kubectl hides."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

APPLY = "application/apply-patch+yaml"
TIMEOUT_S = 30.0


class RefusedError(Exception):
    """The API server said no; `status` is its whole Status object."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.status = status
        self.code = int(status.get("code", 0))
        self.reason = str(status.get("reason", ""))
        self.message = str(status.get("message", ""))
        super().__init__(f"{self.code} {self.reason}: {self.message}")


class Api:
    """A client with one identity; documents in and out are JSON objects. Safe between threads."""

    def __init__(
        self,
        url: str,
        authority: str,
        certificate: tuple[Path, Path] | None = None,
        token: str = "",
    ) -> None:
        trust = ssl.create_default_context(cadata=authority)
        if certificate is not None:
            trust.load_cert_chain(*certificate)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=url, verify=trust, headers=headers, timeout=TIMEOUT_S, trust_env=False
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def reaches(self, path: str) -> bool:
        """Whether a path answers 200; False too where nobody listens."""
        return self.status(path) == httpx.codes.OK

    def status(self, path: str) -> int:
        """The HTTP status of a GET; 0 where nobody listens."""
        try:
            return self._client.get(path).status_code
        except httpx.TransportError:
            return 0

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """An object or a list, by its path below the server, such as `/api/v1/namespaces`."""
        return self._answered(self._client.get(path, params=query))

    def create(self, path: str, document: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """POST to a collection or a subresource such as `…/token`; unknown fields are errors."""
        answer = self._client.post(path, json=document, params=_strict(query))
        return self._answered(answer)

    def replace(self, path: str, document: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """PUT an object, as an update does; unknown fields are errors."""
        return self._answered(self._client.put(path, json=document, params=_strict(query)))

    def apply(
        self, path: str, document: Mapping[str, Any], manager: str, *, force: bool = False
    ) -> dict[str, Any]:
        """Server-side apply of a whole object under a field manager's name."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        answer = self._client.patch(
            path,
            content=yaml.safe_dump(dict(document)),
            params=_strict(query),
            headers={"Content-Type": APPLY},
        )
        return self._answered(answer)

    def merge(self, path: str, document: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """JSON merge patch."""
        answer = self._client.patch(
            path,
            json=document,
            params=query,
            headers={"Content-Type": "application/merge-patch+json"},
        )
        return self._answered(answer)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """Delete an object or a collection; what it returns is gone later, as finalizers say."""
        return self._answered(self._client.delete(path, params=query))

    @staticmethod
    def _answered(answer: httpx.Response) -> dict[str, Any]:
        document: dict[str, Any] = answer.json()
        if answer.is_error:
            raise RefusedError(document)
        return document


def _strict(query: Mapping[str, str]) -> dict[str, str]:
    return {"fieldValidation": "Strict", **query}

"""kubeconfig files: who calls the API server, and how it proves that."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from harness.pki import Credential

NAME = "pointsman-test"


def by_certificate(url: str, authority: bytes, credential: Credential) -> dict[str, Any]:
    """A caller that holds a client certificate."""
    user = {
        "client-certificate-data": _encoded(credential.certificate),
        "client-key-data": _encoded(credential.key),
    }
    return _document(url, authority, user)


def by_token(url: str, authority: bytes, token: str) -> dict[str, Any]:
    """A caller that holds a token, as pods do."""
    return _document(url, authority, {"token": token})


def written(document: dict[str, Any], path: Path) -> Path:
    """The path, after writing the file for its owner only."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return path


def _document(url: str, authority: bytes, user: dict[str, str]) -> dict[str, Any]:
    cluster = {"server": url, "certificate-authority-data": _encoded(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()

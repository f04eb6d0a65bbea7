"""Models whose provider speaks any of the formats, with keys where these want one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.tables import model

FORMATS = {
    "OpenAI": ("OpenAICompatible", "/v1"),
    "Anthropic": ("Anthropic", "/v1"),
    "Gemini": ("Gemini", "/v1beta"),
    "Bedrock": ("Bedrock", ""),
}
"""Provider type, and where its endpoints are."""
READER = 3
"""What a table with these needs."""
_SECRET, _KEY = "provider", "api-key"


def write_keys(folder: Path) -> None:
    """The key of all of them, where a sidecar of that folder looks."""
    secret = folder / "secrets" / _SECRET
    secret.mkdir(parents=True, exist_ok=True)
    (secret / _KEY).write_text("sk-of-the-provider")
    (secret / "allowed-hosts").write_text("127.0.0.1\nlocalhost")


def of_format(
    name: str, url: str, kind: str, upstream: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A model `main/NAME` at a simulator, spoken to in this format; there it is `upstream`."""
    provider_type, base = FORMATS[kind]
    provider = {
        "type": provider_type,
        "baseURL": url + base,
        "model": upstream or f"{name}-2026",
        "credential": {"secret": _SECRET, "key": _KEY, "env": ""},
        "allowedHosts": [],
    }
    return model(name, url, provider=provider, **changes)

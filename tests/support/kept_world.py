"""A sidecar before a simulator that keeps things, with two accounts of each provider at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.processes import Sidecar, ended
from support.tables import model, table
from support.upstreams import OurSimulator
from support.worlds import SIDECAR_PYTHON, World

TYPES = {"OpenAI": "v1", "Anthropic": "v1", "Gemini": "v1beta"}
"""By the table's name of the type: where its paths begin."""
ACCOUNTS = ("one", "two")
"""Keys; what one shows, the other is not shown."""
NEWEST_READER = 3


@contextmanager
def kept_world(folder: Path, **changes: Any) -> Iterator[World]:
    """Models `openai-one`, `openai-two`, `anthropic-one` and so on, each asked for by its name."""
    upstream = OurSimulator(folder)
    for account in ACCOUNTS:
        secret = folder / "secrets" / account
        secret.mkdir(parents=True)
        (secret / "api-key").write_text(f"sk-account-{account}")
        (secret / "allowed-hosts").write_text("127.0.0.1")
    try:
        models = [
            model(
                f"{kind.lower()}-{account}",
                upstream.url,
                provider={
                    "type": kind,
                    "baseURL": f"{upstream.url}/{version}",
                    "model": f"{kind.lower()}-2026",
                    "credential": {"secret": account, "key": "api-key"},
                    "allowedHosts": [],
                    "surfaces": ["Responses"] if kind == "OpenAI" else [],
                },
            )
            for kind, version in TYPES.items()
            for account in ACCOUNTS
        ]
        written = table(models, [], minReader=NEWEST_READER, **changes)
        sidecar = Sidecar(folder, written, python=SIDECAR_PYTHON)
        with ended(sidecar):
            yield World(upstream, sidecar)
    finally:
        upstream.kill()

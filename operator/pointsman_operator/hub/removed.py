"""What a deleted policy leaves: a table with nothing in it, so that its sidecars stop serving it.

A hub that never knew a policy says nothing, and sidecars keep the table that they have; only a
deletion ends one. `tables` remembers deletions and serves what is made here.
"""

from __future__ import annotations

import json
from typing import Any


def ended(namespace: str, name: str) -> bytes:
    """Canonical bytes of the table that says that this policy was deleted."""
    table: dict[str, Any] = {
        "version": 1,
        "minReader": 1,
        "policy": {"namespace": namespace, "name": name},
        "catalogue": "",
        "models": [],
        "signals": [],
        "rules": [],
        "default": {"action": "Deny"},
        "budgets": [],
        "removed": True,
    }
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

"""What every object of ours bears, so that it can be found and cleaned up by label."""

from __future__ import annotations

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "pointsman"
INSTALLATION = "pointsman.dev/installation"


def marks(installation: str) -> dict[str, str]:
    """The labels; `installation` is the UID of this installation."""
    return {MANAGED_BY: MANAGER, INSTALLATION: installation}

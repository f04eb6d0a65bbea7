"""The rights that the chart gives suffice: judged by the audit log of the scenarios before."""

from __future__ import annotations

import pytest

from harness.installation import HOME, RELEASE, Installation

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("role", ["controller", "injector", "hub"])
def test_no_role_was_refused_anything(installed: Installation, role: str) -> None:
    """Not one 403 while apps were routed, keys came late, providers and sidecars were killed."""
    user = f"system:serviceaccount:{HOME}:{RELEASE}-{role}"
    audit = installed.cluster.audit()
    assert audit.used(user)
    assert audit.forbidden(user) == set()

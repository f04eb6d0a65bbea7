"""Keys as sidecars see them: which of several reasons is told."""

from __future__ import annotations

import pytest

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.controller.truth_refs import OwnModel, judge_secrets
from pointsman_operator.kube.reasons import Reason
from support.seen import sidecar

POOL = ObjectName("demo", "main")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"own-keys/openai": "missing"}, Reason.SECRET_NOT_MOUNTED),
        ({"pointsman-credentials/openai": "missing"}, Reason.SECRET_MISSING),
        (
            {"own-keys/openai": "missing", "pointsman-credentials/openai": "missing"},
            Reason.SECRET_MISSING,
        ),
        ({"own-keys/openai": "host_not_allowed"}, Reason.HOST_NOT_ALLOWED),
        ({"unrelated/key": "missing"}, Reason.NO_REPORTER),
    ],
)
def test_the_reason_fits_the_secret(told: dict[str, str], reason: Reason) -> None:
    """A Secret that is never mounted asks for another remedy than one that is missing."""
    secrets = ("own-keys/openai", "pointsman-credentials/openai")
    models = [OwnModel(f"main/m{n}", POOL, secret) for n, secret in enumerate(secrets)]
    assert judge_secrets(models, [sidecar("a", credentials=told)]).reason is reason


def test_a_pool_without_keys_is_resolved() -> None:
    """Self-hosted models name no Secret: nobody needs to report."""
    assert judge_secrets([OwnModel("main/local", POOL, "")], []).status == "True"

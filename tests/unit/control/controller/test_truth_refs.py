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
        ({"own-keys/openai": "malformed"}, Reason.CREDENTIAL_MALFORMED),
        ({"workload-identity/aws": "no_identity"}, Reason.NO_WORKLOAD_IDENTITY),
        ({"workload-identity/aws": "token_refused: AccessDenied"}, Reason.TOKEN_REFUSED),
        ({"workload-identity/aws": "token_unreachable"}, Reason.TOKEN_UNREACHABLE),
        ({"workload-identity/aws": "clock_skew"}, Reason.CLOCK_SKEW),
        ({"workload-identity/aws": "clock_off"}, Reason.RESOLVED),
        ({"own-keys/openai": "refused"}, Reason.CREDENTIAL_REFUSED),
        ({"unrelated/key": "missing"}, Reason.NO_REPORTER),
    ],
)
def test_the_reason_fits_the_secret(told: dict[str, str], reason: Reason) -> None:
    """A Secret that is never mounted asks for another remedy than one that is missing."""
    secrets = ("own-keys/openai", "pointsman-credentials/openai", "workload-identity/aws")
    models = [OwnModel(f"main/m{n}", POOL, secret) for n, secret in enumerate(secrets)]
    assert judge_secrets(models, [sidecar("a", credentials=told)]).reason is reason


def test_a_token_endpoints_own_word_is_in_the_message() -> None:
    """It names the account's trouble better than we could."""
    models = [OwnModel("main/claude", POOL, "workload-identity/aws")]
    told = {"workload-identity/aws": "token_refused: AccessDenied"}
    found = judge_secrets(models, [sidecar("a", credentials=told)])
    assert "workload-identity/aws (AccessDenied)" in found.message


def test_a_pool_without_keys_is_resolved() -> None:
    """Self-hosted models name no Secret: nobody needs to report."""
    assert judge_secrets([OwnModel("main/local", POOL, "")], []).status == "True"

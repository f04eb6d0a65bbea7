"""Golden pods: a pod and its namespace in, decision, warnings and patch out.

The file's name is the sentence that it shows. `pytest tests/golden --update` writes what the code
says now; the diff is then reviewed. Operator only: nothing else injects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman_operator.inject import Namespace, Reason, inject_pod
from pointsman_operator.inject.reasons import CANNOT
from support.pods import SETTINGS

CASES = sorted(Path(__file__).parent.glob("*.yaml"))


def outcome_of(case: dict[str, Any]) -> dict[str, Any]:
    """What the code makes of a case."""
    facts = case["namespace"]
    namespace = Namespace(
        name="shop",
        injection=facts.get("injection", ""),
        quotas=tuple(facts.get("quotas", ())),
        limit_ranges=tuple(facts.get("limitRanges", ())),
    )
    outcome = inject_pod(case["pod"], namespace, SETTINGS)
    decision = outcome.decision
    return {
        "reason": decision.reason.value,
        "warnings": list(decision.warnings),
        "patch": outcome.patch,
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_pod_is_patched_as_reviewed(path: Path, request: pytest.FixtureRequest) -> None:
    """The sentence that names the file is what its outcome shows."""
    case = yaml.safe_load(path.read_text())
    made = outcome_of(case)
    if request.config.getoption("--update"):
        shown = {**case, "outcome": made}
        path.write_text(yaml.dump(shown, sort_keys=False, width=120, allow_unicode=True))
        case = shown
    assert case["outcome"] == made


def test_every_mark_has_a_case() -> None:
    """A new reason needs an example that people can read."""
    shown = {yaml.safe_load(path.read_text())["outcome"]["reason"] for path in CASES}
    assert CANNOT | {Reason.INJECTED, Reason.OPTED_OUT, Reason.NOT_REQUESTED} <= shown

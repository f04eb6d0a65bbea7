"""What a real API server accepts, refuses and fills in is what the models say."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from harness.api import RefusedError
from harness.control_plane import ControlPlane
from pointsman_operator.api import BY_KIND, parse_document
from pointsman_operator.api.meta import API_VERSION
from support import resources as make
from support.crds import defaulted, schema_of
from support.documents import FULL, spoiled
from support.refused import ROWS
from support.tree import ROOT

EXAMPLES = sorted((ROOT / "crds" / "examples").glob("*.yaml"))
PLAIN = (make.pool(), make.policy(make.rule()), make.budget())
INVALID, BAD_REQUEST = 422, 400


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_applies(crds: ControlPlane, namespace: str, file: Path) -> None:
    """`kubectl apply -f crds/examples/…` is taken as it is, with every field stored."""
    kubectl = crds.kubectl.within(namespace)
    documents = [
        {**document, "metadata": {"name": document["metadata"]["name"]}}
        for document in yaml.safe_load_all(file.read_text())
    ]
    said = kubectl.apply(*documents)
    assert said.count(" created\n") == len(documents)
    for document in documents:
        stored = kubectl.json("get", document["kind"], document["metadata"]["name"])
        assert stored["spec"] == defaulted(document["spec"], schema_of(document["kind"]))


@pytest.mark.parametrize(("message", "document"), ROWS, ids=lambda value: str(value)[:60])
def test_what_breaks_a_rule_is_refused_in_the_rules_own_words(
    crds: ControlPlane, message: str, document: dict[str, Any]
) -> None:
    """Every CEL rule is met: the refusal names the field, and says what to do about it."""
    with pytest.raises(RefusedError) as refusal:
        _tried(crds, document)
    assert refusal.value.code == INVALID
    causes = refusal.value.status["details"]["causes"]
    told = [cause for cause in causes if message in cause["message"]]
    assert told, causes
    assert all(cause["field"].startswith("spec") for cause in told)
    found = parse_document(document)
    assert found is not None
    said = {problem.path for problem in found.problems if message in problem.message}
    assert said & {cause["field"] for cause in told}


@pytest.mark.parametrize("document", [*PLAIN, *FULL], ids=lambda document: document["kind"])
def test_defaults_are_the_models(crds: ControlPlane, document: dict[str, Any]) -> None:
    """Reading what the API server stored gives the same object as reading what was written."""
    stored = _tried(crds, document)
    again = make.parsed({**document, "spec": stored["spec"]})
    assert again.spec == make.parsed(document).spec
    assert stored["spec"] == defaulted(document["spec"], schema_of(document["kind"]))


def test_a_default_reaches_into_an_absent_object(crds: ControlPlane) -> None:
    """A Budget without `enforcement` is enforced, and its object says so."""
    stored = _tried(crds, make.budget())
    assert stored["spec"]["enforcement"]["mode"] == "Enforce"
    assert stored["spec"]["limits"][0]["window"]["timeZone"] == "UTC"


def test_an_unknown_field_is_refused_by_name(crds: ControlPlane) -> None:
    """A misspelt field is an error, as in `pointsman validate`: nothing is ignored."""
    with pytest.raises(RefusedError, match=r'unknown field "spec.treshold'):
        _tried(crds, make.budget(tresholds=[]))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(spoiled())
def test_api_server_and_models_agree(crds: ControlPlane, document: dict[str, Any]) -> None:
    """What `pointsman validate` accepts the API server accepts, and the other way round.

    The one exception: whether a time zone exists only we can say.
    """
    found = parse_document(deepcopy(document))
    assert found is not None
    against = [problem for problem in found.problems if "IANA" not in problem.message]
    refusal = _refusal(crds, document)
    if refusal is None:
        assert against == []
    else:
        assert against, f"only the API server refuses: {refusal}"


def _refusal(crds: ControlPlane, document: dict[str, Any]) -> RefusedError | None:
    """Why the API server would not store a document; None where it would."""
    try:
        _tried(crds, document)
    except RefusedError as refusal:
        if refusal.code not in (INVALID, BAD_REQUEST):
            raise
        return refusal
    return None


def _tried(crds: ControlPlane, document: dict[str, Any]) -> dict[str, Any]:
    """What creating it would store, by a dry run in the namespace `default`."""
    metadata = {"name": document["metadata"]["name"], "namespace": "default"}
    plural = BY_KIND[document["kind"]].plural
    path = f"/apis/{API_VERSION}/namespaces/default/{plural}"
    return crds.api.create(path, {**document, "metadata": metadata}, dryRun="All")

"""The CRDs and the pydantic models accept the same documents, though they share no judge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from pointsman_operator.api import parse_document
from support.crds import accepted
from support.documents import FULL, spoiled


@pytest.mark.parametrize("document", FULL, ids=lambda document: document["kind"])
def test_full_documents_are_accepted_by_both(document: dict[str, Any]) -> None:
    """A document that sets nearly every field is valid, so the property below starts from valid."""
    found = parse_document(document)
    assert found is not None
    assert found.problems == ()
    assert accepted(document)


@settings(max_examples=300)
@given(spoiled())
def test_models_and_schema_agree(document: dict[str, Any]) -> None:
    """What `pointsman validate` accepts `kubectl apply` accepts, and the other way round.

    The one exception: whether a time zone exists only we can say, for API servers may have no zone
    files.
    """
    found = parse_document(document)
    assert found is not None
    against = [problem for problem in found.problems if "IANA" not in problem.message]
    assert (against == []) == accepted(document), found.problems

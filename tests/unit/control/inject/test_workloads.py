"""The annotation of a workload becomes its template's label, and nothing else changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pointsman_operator.inject import label_template
from pointsman_operator.inject.workloads import TEMPLATES
from support.json_patch import apply_patch

INJECT = "pointsman.dev/inject"


def workload(
    kind: str = "Deployment", value: str | None = None, label: str | None = None, **metadata: Any
) -> dict[str, Any]:
    """A workload with the annotation and the template label."""
    labels = {"app": "a"} | ({} if label is None else {INJECT: label})
    template: Any = {"metadata": {"labels": labels}, "spec": {}}
    for step in reversed(TEMPLATES[kind]):
        template = {step: template}
    annotations = {} if value is None else {"annotations": {INJECT: value}}
    return {"kind": kind, "metadata": {"name": "a", **annotations, **metadata}, **template}


def label_of(kind: str, made: dict[str, Any]) -> str | None:
    """The template's label."""
    found: Any = made
    for step in TEMPLATES[kind]:
        found = found[step]
    value: str | None = found["metadata"]["labels"].get(INJECT)
    return value


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("value", ["true", "false"])
def test_the_annotation_is_copied_at_creation(kind: str, value: str) -> None:
    """Every kind of workload, to where that kind holds its template; twice is once."""
    submitted = workload(kind, value)
    made = apply_patch(submitted, label_template(kind, submitted).patch)
    assert label_of(kind, made) == value
    assert label_template(kind, made).patch == []


@pytest.mark.parametrize("kind", sorted(set(TEMPLATES) - {"Job"}))
def test_the_annotation_is_followed_at_updates(kind: str) -> None:
    """Set, turned and removed: the label follows in the same write, other labels stay."""
    plain = workload(kind)
    annotated = workload(kind, "true")
    on = apply_patch(annotated, label_template(kind, annotated, plain).patch)
    turned = copy.deepcopy(on)
    turned["metadata"]["annotations"][INJECT] = "false"
    off = apply_patch(turned, label_template(kind, turned, on).patch)
    assert (label_of(kind, on), label_of(kind, off)) == ("true", "false")
    bare = copy.deepcopy(on)
    del bare["metadata"]["annotations"]
    assert apply_patch(bare, label_template(kind, bare, on).patch) == plain


def test_a_label_of_the_authors_own_is_left_alone() -> None:
    """Without annotation, before and now, the template's label is nobody's business but theirs."""
    own = workload(label="true")
    assert label_template("Deployment", own).patch == []
    assert label_template("Deployment", own, workload()).patch == []
    other = workload(label="false")
    assert label_template("Deployment", other, workload(value="true", label="true")).patch == []


def test_what_a_controller_made_is_left_alone() -> None:
    """A Deployment's ReplicaSet and a CronJob's Job have their owner's template."""
    owner = [{"kind": "Deployment", "name": "a", "controller": True}]
    owned = workload("ReplicaSet", "true", ownerReferences=owner)
    assert label_template("ReplicaSet", owned).outcome == "Owned"
    assert label_template("ReplicaSet", owned).patch == []


def test_a_jobs_template_is_fixed() -> None:
    """A Job that exists gets a warning instead of a patch that would be refused."""
    outcome = label_template("Job", workload("Job", "true"), workload("Job"))
    assert (outcome.outcome, outcome.patch) == ("TooLate", [])
    assert "TooLate" in outcome.warnings[0]
    suspended = workload("Job")
    suspended["spec"]["suspend"] = True
    outcome = label_template("Job", workload("Job", "true"), suspended)
    assert outcome.outcome == "Labelled"
    suspended["status"] = {"startTime": "2026-11-22T00:00:00Z"}
    assert label_template("Job", workload("Job", "true"), suspended).outcome == "TooLate"


def test_a_template_without_metadata_gets_it() -> None:
    """`metadata` or `labels` may be absent or null: the parents are made."""
    for metadata in ({}, {"metadata": None}, {"metadata": {"labels": None, "name": "x"}}):
        submitted = workload(value="true")
        submitted["spec"]["template"] = {**metadata, "spec": {}}
        made = apply_patch(submitted, label_template("Deployment", submitted).patch)
        assert label_of("Deployment", made) == "true"


def test_values_and_keys_that_mean_nothing_are_warned_of() -> None:
    """A wrong value changes nothing; settings on the workload itself are pointed to their place."""
    submitted = workload(value="yes")
    submitted["metadata"]["annotations"] |= {
        "pointsman.dev/cpu-limit": "1",
        "pointsman.dev/injcet": "true",
    }
    outcome = label_template("Deployment", submitted)
    assert (outcome.outcome, outcome.patch) == ("Invalid", [])
    assert len(outcome.warnings) == 3


@pytest.mark.parametrize("spec", [None, [], {"template": "x"}, {"template": {"metadata": 1}}])
def test_what_is_no_workload_is_left_to_the_api_server(spec: Any) -> None:
    """Malformed objects pass unchanged."""
    submitted = {"metadata": {"annotations": {INJECT: "true"}}, "spec": spec}
    assert label_template("Deployment", submitted).patch == []
    assert label_template("Gadget", submitted).outcome == "Ignored"

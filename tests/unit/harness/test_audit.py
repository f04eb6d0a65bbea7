"""The reader of the audit log: permissions as RBAC would grant them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.audit import Access, Audit

ME = "system:serviceaccount:ns:me"
AT = "2026-11-23T00:00:10.000000Z"


def _event(verb: str, code: int, user: str = ME, **ref: str) -> dict[str, Any]:
    event = {"verb": verb, "user": {"username": user}, "requestURI": "/livez?verbose"}
    reference = {"objectRef": ref} if ref else {}
    answered = {"responseStatus": {"code": code}, "requestReceivedTimestamp": AT}
    return {**event, **reference, **answered}


def test_it_tells_used_from_forbidden(tmp_path: Path) -> None:
    """By caller, with subresources and paths that are no resources."""
    path = tmp_path / "audit.jsonl"
    events = [
        _event("get", 200),
        _event("patch", 200, resource="pods", subresource="status", namespace="ns", name="p"),
        _event("list", 403, resource="leases", apiGroup="coordination.k8s.io"),
        _event("delete", 403, "somebody else", resource="pods"),
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    forbidden = Access("list", "coordination.k8s.io", "leases")
    assert Audit(path).forbidden(ME) == {forbidden}
    assert Audit(path).used(ME) == {
        forbidden,
        Access("get", "", "/livez"),
        Access("patch", "", "pods/status", "ns", "p"),
    }


def test_a_refusal_by_an_api_server_that_is_not_ready_yet_is_no_lack(tmp_path: Path) -> None:
    """It refuses everybody until it has read the roles; before and after that it means it."""
    path = tmp_path / "audit.jsonl"
    path.write_text(json.dumps(_event("list", 403, resource="leases")) + "\n")
    at = datetime.fromisoformat(AT)
    second = timedelta(seconds=1)
    assert Audit(path, excused=[(at - second, at + second)]).forbidden(ME) == set()
    earlier, later = (at - 2 * second, at - second), (at + second, at + 2 * second)
    assert Audit(path, excused=[earlier, later]).forbidden(ME) == {Access("list", "", "leases")}


def test_a_403_to_one_who_may_is_no_lack(tmp_path: Path) -> None:
    """The namespace is being deleted: admission refuses, not the authorizer."""
    path = tmp_path / "audit.jsonl"
    event = _event("patch", 403, resource="configmaps")
    decided = {"annotations": {"authorization.k8s.io/decision": "allow"}}
    path.write_text(json.dumps({**event, **decided}) + "\n")
    assert Audit(path).forbidden(ME) == set()
    assert Audit(path).used(ME) == {Access("patch", "", "configmaps")}


def test_it_reads_what_comes_and_only_whole_lines(tmp_path: Path) -> None:
    """A reader from now on does not see the past, and a line being written is left for later."""
    path = tmp_path / "audit.jsonl"
    path.write_text(json.dumps(_event("get", 200)) + "\n")
    audit = Audit(path, from_now=True)
    assert list(audit.events()) == []
    line = json.dumps(_event("list", 200))
    with path.open("a") as log:
        log.write(line)
        log.flush()
        assert list(audit.events()) == []
        log.write("\n")
    assert [event["verb"] for event in audit.events()] == ["list"]

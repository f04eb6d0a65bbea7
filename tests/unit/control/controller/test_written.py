"""ConfigMaps as we left them: when the next write may go without a look."""

from __future__ import annotations

from typing import Any

from pointsman_operator.controller.written import Written


def _document(version: str) -> dict[str, Any]:
    metadata = {"name": "pointsman", "uid": "u", "resourceVersion": version, "managedFields": [1]}
    return {"metadata": metadata, "data": {"a": "b"}}


def test_what_we_left_is_trusted_until_a_watch_says_otherwise() -> None:
    """Our own write, told late or early, is no doubt; somebody else's is, and a deletion."""
    written = Written()
    assert written.trusted("demo") is None
    assert written.noticed("demo", "7"), "the watch may be faster than the answer"
    written.keep("demo", _document("7"))
    trusted = written.trusted("demo")
    assert trusted is not None
    assert trusted["data"] == {"a": "b"}
    assert "managedFields" not in trusted["metadata"]
    assert not written.noticed("demo", "7")
    assert written.noticed("demo", "9")
    assert written.trusted("demo") is None
    assert written.version("demo") == "7"
    written.keep("demo", _document("10"))
    assert written.trusted("demo")
    assert written.noticed("demo", None)
    assert written.trusted("demo") is None


def test_doubts_last_until_it_was_asked_for() -> None:
    """A regular look asks for every one, once."""
    written = Written()
    written.keep("demo", _document("7"))
    written.doubt_all()
    assert written.trusted("demo") is None
    written.asked("demo")
    written.keep("demo", _document("7"))
    assert written.trusted("demo")
    written.doubt("demo")
    assert written.trusted("demo") is None
    written.forget("demo")
    assert written.version("demo") is None

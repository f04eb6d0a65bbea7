"""`timeouts.totalMs` ends a call whatever its attempts do, and says which field ended it."""

from __future__ import annotations

from pathlib import Path

from support.line import line
from support.tables import model, route, table

TIMEOUTS = {"firstTokenMs": 10_000, "streamIdleMs": 10_000, "totalMs": 400}


def test_the_total_ends_a_call_that_no_attempt_would(tmp_path: Path) -> None:
    """A silent provider costs the caller `totalMs`, not its patience for a first token."""
    with line(
        tmp_path,
        "a",
        build=lambda made: table(
            [model("a", made.url("a"))],
            [{"name": "all", "when": {}, "route": route("a", timeouts=TIMEOUTS)}],
        ),
    ) as made:
        made.script("a", {"acceptAndStall": True})
        for streamed in (False, True):
            answer = made.chat(stream=streamed)
            assert answer.status_code == 504, answer.text
            error = answer.json()["error"]
            assert error["code"] == "deadline_exceeded"
            assert "400 ms" in error["message"]
            assert "timeouts.total" in error["message"]
            assert answer.headers["x-should-retry"] == "false"

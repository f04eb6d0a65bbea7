"""Tables come, change, are refused and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.line import Line, line, route_all
from support.processes import Sidecar, ended
from support.tables import model, table


def test_a_new_table_is_in_force_for_the_next_call(here: Line) -> None:
    """The file is replaced; calls go by the new one, records name its digest."""
    digest = here.swap(table([model("b", here.url("b"))]))
    answer = here.chat()
    assert answer.headers["x-pointsman-model"] == "main/b"
    assert here.sidecar.record(answer.headers["x-pointsman-request-id"])["digest"] == digest
    here.swap(route_all(here))


BROKEN: list[dict[str, Any]] = [
    {"minReader": 9},
    {
        "rules": [
            {
                "name": "r",
                "when": {},
                "route": {
                    "strategy": "Failover",
                    "candidates": [{"model": "main/none", "weight": 1, "priority": 0}],
                },
            }
        ]
    },
    {"models": [model("a", "ftp://nowhere")]},
    {"models": "nonsense"},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_table_that_is_refused_keeps_the_last_good_one(
    here: Line, broken: dict[str, Any]
) -> None:
    """It is counted, the log says why, calls go on as before."""
    before = here.sidecar.state()["digest"]
    refused = here.sidecar.metric("pointsman_tables_rejected_total")
    here.sidecar.write_table(route_all(here) | broken)
    eventually(lambda: here.sidecar.metric("pointsman_tables_rejected_total") == refused + 1)
    assert here.sidecar.state()["digest"] == before
    assert here.chat().status_code == 200
    here.sidecar.write_table(route_all(here))


def test_a_call_without_a_table_waits_two_seconds_then_gets_503(tmp_path: Path) -> None:
    """No table: Retry-After; a table that comes while it waits: an answer."""
    with line(tmp_path, "a") as made:
        good = made.sidecar.table_path.read_bytes()
        empty = tmp_path / "empty"
        empty.mkdir()
        path = empty / "table.json"
        fresh = Sidecar(empty, POINTSMAN_TABLE_PATH=str(path))
        with ended(fresh), httpx.Client(base_url=fresh.url, timeout=10) as client:
            body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
            answer = client.post("/v1/chat/completions", json=body)
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "no_table"
            assert answer.headers["retry-after"] == "1"
            assert 1.5 < answer.elapsed.total_seconds() < 4
            path.write_bytes(good)
            eventually(
                lambda: client.post("/v1/chat/completions", json=body).status_code == 200,
                within_s=5,
            )


def test_the_last_good_table_is_restored_after_a_restart(tmp_path: Path) -> None:
    """With its source gone, a restarted sidecar serves what it served before."""
    with line(tmp_path, "a") as made:
        digest = made.sidecar.state()["digest"]
        assert made.sidecar.terminate() == 0
        made.sidecar.table_path.unlink()
        again = Sidecar(tmp_path, POINTSMAN_TABLE_PATH=str(made.sidecar.table_path))
        with ended(again):
            assert again.state()["digest"] == digest
            body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
            answer = httpx.post(f"{again.url}/v1/chat/completions", json=body)
            assert answer.status_code == 200
            log = [json.loads(row)["level"] for row in again.log.read_text().splitlines()]
            assert "ERROR" not in log

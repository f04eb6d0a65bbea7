"""What `pointsman limits` says of shares, and of what holds calls up."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.limited import show, troubles
from pointsman_operator.cli.output import OUT
from support.hub_process import hub_process, route_table
from support.limited_world import ACCOUNT, limited

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)
FINE: dict[str, Any] = {
    "limit": "shop/main/gpt",
    "unit": "requests",
    "total": 1200,
    "held": 900,
    "used": 310,
    "resting": 0,
    "free": 300,
    "wanted": 500,
    "holders": 2,
    "lacking": 0,
    "waiting": 0,
    "waited": 12,
    "refused": 0,
}
STRAINED = FINE | {
    "unit": "inFlight",
    "total": 10,
    "held": 12,
    "used": 10,
    "free": -2,
    "lacking": 1,
    "waiting": 4,
    "refused": 7,
    "near_since": "2026-11-22T11:55:00+00:00",
    "refusing_since": "2026-11-22T11:58:00+00:00",
    "routers": [
        {"sidecar": "uid-1", "pod": "shop-7f9c", "held": 12, "used": 10, "wanted": 12}
        | {"waiting": 4, "lacks": False},
        {"sidecar": "uid-2", "pod": "", "held": 0, "used": 0, "wanted": 1}
        | {"waiting": 0, "lacks": True},
    ],
}


def shown(*rows: dict[str, Any]) -> str:
    """What is printed."""
    with OUT.capture() as captured:
        show(list(rows), "shop", NOW)
    return captured.get()


def test_a_limit_with_room_takes_one_line() -> None:
    """Its figures, and nothing below."""
    assert list(troubles(FINE, NOW)) == []
    lines = shown(FINE).strip().splitlines()
    counts = ("1,200", "900", "310", "0", "300", "2", "0", "12", "0")
    assert lines[1].split() == ["shop/main/gpt", "requests", "a", "minute", *counts]
    assert len(lines) == 2


def test_what_holds_calls_up_is_told_whole() -> None:
    """Since when, how far it is used, who lacks it, what a lower limit means; then who holds it."""
    told = shown(STRAINED)
    for part in (
        *("has refused calls for 2m", "nearly used up for 5m (now 100 %)"),
        *("1 of 2 routers can serve no call", "2 more are handed out than there are"),
        *("shop-7f9c", "uid-2", "too small for a call"),
    ):
        assert part in told, part


def test_without_limits_it_says_where_they_are_set() -> None:
    """Not an empty table."""
    assert "No table limits a model of namespace shop" in shown()


def test_a_real_hub_answers_with_its_holders(tmp_path: Path) -> None:
    """Shares as two routers said of themselves, and what Prometheus is told of them."""
    said = {"limit": ACCOUNT, "unit": "requests", "term": 1, "granted": 500, "returned": 0}
    asked = {"want": 500, "need": 1, "used": 200, "waiting": 3, "waited": 0}
    with hub_process(tmp_path) as hub:
        limits = limited(requestsPerMinute=600)["gpt"]
        hub.put_table(route_table(models=[{"name": "main/gpt", **limits}], minReader=5))
        for refused in (0, 2):
            hold = {**said, **asked, "refused": refused}
            body = {"sidecar": "uid-1", "boot": "b", "holds": [hold]}
            answer = hub.http.post("/v1/limits", json=body)
            assert answer.status_code == 200, answer.text
        command = ["limits", "--json", "--routers", "--state", str(tmp_path), "--hub", hub.url]
        found = CliRunner().invoke(APPLICATION, command)
        page = hub.http.get("/metrics").text
    assert found.exit_code == exits.OK, found.output
    (row,) = json.loads(found.stdout)
    seen = tuple(row[name] for name in ("total", "used", "waiting", "refused"))
    assert seen == (600, 200, 3, 2)
    # Of what nobody wants it got half, for while the hub is away.
    assert (row["held"], row["free"]) == (550, 50)
    (router,) = row["routers"]
    assert (router["sidecar"], router["held"], router["used"]) == ("uid-1", 550, 200)
    labels = f'limit="{ACCOUNT}",unit="requests"'
    for line in (
        f'pointsman_limit_units{{limit="{ACCOUNT}",part="held",unit="requests"}} 550.0',
        f'pointsman_limit_routers{{limit="{ACCOUNT}",state="holding",unit="requests"}} 1.0',
        f"pointsman_limit_calls_waiting{{{labels}}} 3.0",
        f"pointsman_limit_refusals_total{{{labels}}} 2.0",
        "pointsman_limits_left_out 0.0",
    ):
        assert line in page, line

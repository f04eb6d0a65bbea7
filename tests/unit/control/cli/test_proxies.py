"""What `pointsman proxy-status` says of sidecars, and what it concludes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.output import OUT
from pointsman_operator.cli.proxies import ago, is_current, latest, show, troubles
from support.hub_process import hub_process, route_table

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)
FINE: dict[str, Any] = {
    "sidecar": "uid-1",
    "boot": "b1",
    "pod": "shop-7f9c",
    "namespace": "shop",
    "workload": "shop",
    "connected": True,
    "digest": "sha256:0123456789abcdef0123",
    "serving": "sha256:0123456789abcdef0123",
    "policy": "main",
    "seen_at": "2026-11-22T11:59:48.000+00:00",
    "version": "0.1.0",
    "ledger": "ok",
    "targets": {"main/gpt-4o": "Closed"},
    "credentials": {"pointsman-credentials/api-key": "ok"},
}
AILING = FINE | {
    "sidecar": "uid-2",
    "pod": "shop-sick",
    "connected": False,
    "digest": "sha256:old",
    "rejected": {"digest": "sha256:new", "reason": "minReader 9 is too new"},
    "ledger": "no lease [30 s]",
    "targets": {"main/gpt-4o": "Open", "main/claude": "HalfOpen"},
    "outages": {"main/gpt-4o": {"class": "Connect", "since": "2026-11-22T11:58:55+00:00"}},
    "told_down": ["main/mini"],
    "credentials": {"pointsman-credentials/api-key": "host_not_allowed"},
    "last_error": "hub: connection refused",
}


def shown(*rows: dict[str, Any], good: int = 0) -> str:
    """What is printed."""
    with OUT.capture() as captured:
        show([row | {"current": is_current(row)} for row in rows], good, "shop", NOW)
    return captured.get()


def test_a_sidecar_that_is_well_takes_one_line() -> None:
    """Pod, policy, short digest, age, version; nothing below."""
    told = shown(FINE, good=1)
    for part in ("shop-7f9c", "main", "0123456789ab", "12s", "0.1.0", "1 of 1 are connected"):
        assert part in told, part
    assert "0123456789abc" not in told
    assert "not current" not in told
    assert list(troubles(FINE, NOW)) == []


def test_what_ails_a_sidecar_is_told_whole() -> None:
    """Breakers that are not closed, keys, the rejected table, the ledger, the last error."""
    told = shown(AILING)
    for part in (
        *("not current", "minReader 9 is too new", "no lease [30 s]", "main/gpt-4o: Open"),
        *("Open for 1m (Connect)", "tries main/mini last: other sidecars find it down"),
        *("main/claude: HalfOpen", "host not allowed", "hub: connection refused", "0 of 1"),
    ):
        assert part in told, part


def test_without_a_policy_nothing_is_current() -> None:
    """A sidecar that nobody serves answers 503, and is not called well."""
    lost = FINE | {"serving": "", "policy": "", "digest": ""}
    assert not is_current(lost)
    assert "no policy serves it" in shown(lost)


def test_a_gateway_that_waits_says_for_what() -> None:
    """It runs its table and takes no calls all the same."""
    (told,) = troubles(FINE | {"waiting": "a certificate"}, NOW)
    assert told == "takes no calls yet: waits for a certificate"


def test_a_restarted_sidecar_counts_once() -> None:
    """The connected start stands for it; without one the last that was heard of."""
    before = FINE | {"boot": "b0", "connected": False, "seen_at": "2026-11-22T12:00:00+00:00"}
    assert [row["boot"] for row in latest([before, FINE])] == ["b1"]
    gone = FINE | {"connected": False}
    assert [row["boot"] for row in latest([before, gone])] == ["b0"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(-5, "0s"), (59, "59s"), (61, "1m"), (7_300, "2h"), (200_000, "2d")]
)
def test_ages_are_told_in_their_largest_unit(seconds: int, told: str) -> None:
    """As kubectl does; a clock that is ahead gives zero."""
    moment = (NOW - dt.timedelta(seconds=seconds)).isoformat()
    assert ago(moment, NOW) == told


def test_a_real_hubs_answer_decides_the_exit_status(tmp_path: Path) -> None:
    """0 with the table that the hub serves, 1 after an edit; JSON says the same."""
    run = CliRunner()
    command = ["proxy-status", "--json", "--state", str(tmp_path)]
    with hub_process(tmp_path) as hub:
        command += ["--hub", hub.url]
        empty = run.invoke(APPLICATION, command)
        assert (empty.exit_code, json.loads(empty.stdout)["total"]) == (exits.OK, 0)
        digest = hub.put_table(route_table())
        query = {"sidecar": "s", "boot": "b", "namespace": "demo", "digest": digest}
        with hub.http.stream("GET", "/v1/stream", params=query) as answer:
            lines = answer.iter_lines()
            next(lines)
            well = run.invoke(APPLICATION, command)
            hub.put_table(route_table(more=1))
            stale = run.invoke(APPLICATION, command)
    assert well.exit_code == exits.OK, well.output
    (row,) = json.loads(well.stdout)["sidecars"]
    assert (row["policy"], row["serving"], row["current"]) == ("support", digest, True)
    assert stale.exit_code == exits.REFUSED
    assert json.loads(stale.stdout)["sidecars"][0]["current"] is False

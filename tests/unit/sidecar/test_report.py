"""Decisions and digests reach the hub, and the engine hears that Python is alive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_sidecar import limits
from pointsman_sidecar.hub import Hub
from pointsman_sidecar.report import Reporter
from pointsman_sidecar.table import Envelope, Tables, digest_of
from support.border import RecordingEngine
from support.eventually import eventually
from support.scripted_hub import ScriptedHub, scripted_hub

TABLE = b'{"version":1}'


class Reporting:
    """A reporter running in a thread."""

    def __init__(self, hub: ScriptedHub, token: Path) -> None:
        self.engine = RecordingEngine()
        self.tables = Tables(self.engine, None)
        self.stop = threading.Event()
        address = Hub(hub.url, token, None, "uid-1", "boot-1", "demo", "support")
        self.reporter = Reporter(address, self.engine, self.tables)
        self.thread = threading.Thread(target=self.reporter.run, args=(self.stop,))

    def end(self) -> None:
        """Stop as the supervisor does."""
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def hub() -> Iterator[ScriptedHub]:
    """A hub that takes reports."""
    with scripted_hub() as scripted:
        yield scripted


@pytest.fixture
def reporting(hub: ScriptedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reporting:
    """A reporter that looks often."""
    monkeypatch.setattr(limits, "REPORT_EVERY_S", 0.02)
    token = tmp_path / "token"
    token.write_text("secret")
    return Reporting(hub, token)


def records(hub: ScriptedHub) -> list[str]:
    """The ids that the hub was told, in order."""
    return [record["id"] for report in hub.reports for record in report["records"]]


def test_the_hub_learns_decisions_and_digest(hub: ScriptedHub, reporting: Reporting) -> None:
    """A new digest and new decisions are told once, with who tells them."""
    reporting.thread.start()
    eventually(lambda: hub.reports)
    reporting.tables.offer(Envelope(digest_of(TABLE), TABLE, None), authenticated=True)
    reporting.engine.records = [{"id": "pm-1"}, {"id": "pm-2"}]
    eventually(lambda: records(hub) == ["pm-1", "pm-2"])
    eventually(lambda: hub.reports[-1]["digest"] == digest_of(TABLE))
    assert (hub.reports[0]["sidecar"], hub.reports[0]["boot"]) == ("uid-1", "boot-1")
    told, beats = len(hub.reports), reporting.engine.beats
    eventually(lambda: reporting.engine.beats > beats + 5)
    assert len(hub.reports) == told
    reporting.end()


def test_the_hub_learns_what_the_engine_lacks(
    hub: ScriptedHub, reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version, ledger, targets and keys are told, again when they change, and so is trouble."""
    monkeypatch.setattr(limits, "STATE_EVERY_S", 0.02)
    reporting.engine.health = {"ledger": "ok", "targets": {"main/a": "Closed"}, "money": {}}
    reporting.thread.start()
    eventually(lambda: hub.reports)
    first = hub.reports[0]
    assert first["version"]
    assert (first["ledger"], first["targets"]) == ("ok", {"main/a": "Closed"})
    assert "money" not in first
    assert "last_error" not in first
    reporting.engine.health = {"ledger": "ok", "credentials": {"openai/key": "missing"}}
    eventually(lambda: hub.reports[-1].get("credentials") == {"openai/key": "missing"})
    reporting.tables.trouble["file"] = "no table from there"
    eventually(lambda: hub.reports[-1].get("last_error") == "no table from there")
    reporting.end()


def test_the_hub_learns_which_targets_fail_and_which_answer(
    hub: ScriptedHub, reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why and for how long at once when it changes; that time passes is no news."""
    monkeypatch.setattr(limits, "STATE_EVERY_S", 0.02)

    def state(for_ms: int, class_: str) -> dict[str, object]:
        outage = {"class": class_, "forMs": for_ms, "failedMs": 40}
        return {"outages": {"main/a": outage}, "answered": {"main/b": for_ms}, "told_down": []}

    reporting.thread.start()
    eventually(lambda: hub.reports)
    assert not {"outages", "answered", "told_down"} & hub.reports[0].keys()
    reporting.engine.health = state(900, "Connect")
    eventually(lambda: "outages" in hub.reports[-1])
    told = len(hub.reports)
    assert hub.reports[-1]["outages"] == {
        "main/a": {"class": "Connect", "for_ms": 900, "failed_ms": 40}
    }
    assert hub.reports[-1]["answered"] == {"main/b": 900}
    reporting.engine.health = state(1900, "Connect")
    beats = reporting.engine.beats
    eventually(lambda: reporting.engine.beats > beats + 5)
    assert len(hub.reports) == told
    reporting.engine.health = state(2900, "Server")
    eventually(lambda: hub.reports[-1]["outages"]["main/a"]["class"] == "Server")
    reporting.end()


def test_the_hub_learns_whether_a_gateway_takes_calls(
    hub: ScriptedHub, reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it waits for, until it waits for nothing; a sidecar has no such thing to say."""
    monkeypatch.setattr(limits, "STATE_EVERY_S", 0.02)
    reporting.thread.start()
    eventually(lambda: hub.reports)
    assert "waiting" not in hub.reports[0]
    reporting.engine.health = {"gateway": {"lacks": ["a table", "a certificate"]}}
    eventually(lambda: hub.reports[-1].get("waiting") == "a table, a certificate")
    reporting.engine.health = {"gateway": {"lacks": []}}
    eventually(lambda: hub.reports[-1].get("waiting") == "")
    reporting.end()


def test_the_hub_learns_what_was_seen_of_endpoints(
    hub: ScriptedHub, reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the report's names, a report of its own where nothing else is new."""
    monkeypatch.setattr(limits, "STATE_EVERY_S", 0.02)
    seen = {"firstTokenMs": 120, "betweenTokensMs": 9, "inFlight": 3, "served": 100, "failed": 0}
    reporting.thread.start()
    eventually(lambda: hub.reports)
    assert "endpoints" not in hub.reports[0]
    reporting.engine.health = {"endpoints": {"main/llama": {"http://10.1.2.3:8000": seen}}}
    eventually(lambda: "endpoints" in hub.reports[-1])
    assert hub.reports[-1]["endpoints"] == {
        "main/llama": {
            "http://10.1.2.3:8000": {
                "first_token_ms": 120,
                "between_tokens_ms": 9,
                "in_flight": 3,
                "served": 100,
                "failed": 0,
            }
        }
    }
    reporting.end()


def test_a_refused_table_is_told(hub: ScriptedHub, reporting: Reporting) -> None:
    """The hub learns which table was refused and why, so that a status can say it."""
    bad = b'{"version":1,"note":"unreadable"}'
    reporting.tables.offer(Envelope(digest_of(bad), bad, None), authenticated=True)
    reporting.thread.start()
    eventually(lambda: hub.reports)
    rejected = hub.reports[0]["rejected"]
    assert rejected["digest"] == digest_of(bad)
    assert rejected["reason"] == "Invalid: models[0].tier: not a number"
    reporting.end()


def test_decisions_wait_for_a_hub_that_fails(hub: ScriptedHub, reporting: Reporting) -> None:
    """A failing hub costs time, not decisions; they arrive in order and once."""
    hub.report_status = 503
    reporting.engine.records = [{"id": "pm-1"}]
    reporting.thread.start()
    eventually(lambda: not reporting.engine.records)
    reporting.engine.records = [{"id": "pm-2"}]
    eventually(lambda: not reporting.engine.records)
    hub.report_status = 200
    eventually(lambda: records(hub) == ["pm-1", "pm-2"])
    reporting.end()
    assert records(hub) == ["pm-1", "pm-2"]


def test_a_hub_away_for_long_costs_the_oldest_decisions(reporting: Reporting) -> None:
    """I6: what is kept for the hub is bounded."""
    for number in range(limits.MAX_UNSENT_BATCHES + 5):
        reporting.engine.records = [{"id": f"pm-{number}"}]
        reporting.reporter.collect()
    kept = list(reporting.reporter._unsent)
    assert len(kept) == limits.MAX_UNSENT_BATCHES
    assert b'"pm-5"' in kept[0]


def test_explain_asks_the_ring(hub: ScriptedHub, reporting: Reporting) -> None:
    """A question from the hub is answered by the next report; an unknown id by nothing."""
    reporting.engine.ring = {"pm-7": {"id": "pm-7", "reason": "cheapest that is good enough"}}
    reporting.thread.start()
    reporting.reporter.ask("pm-unknown")
    reporting.reporter.ask("pm-7")
    eventually(lambda: records(hub) == ["pm-7"])
    reporting.end()


def test_the_last_decisions_are_told_at_the_end(hub: ScriptedHub, reporting: Reporting) -> None:
    """What the drain leaves goes out before the process ends."""
    reporting.thread.start()
    eventually(lambda: reporting.engine.beats > 2)
    reporting.stop.set()
    reporting.engine.records = [{"id": "pm-last"}]
    reporting.end()
    assert records(hub) == ["pm-last"]

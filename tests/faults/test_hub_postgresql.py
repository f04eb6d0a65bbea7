"""The hub on PostgreSQL: servers go and come, hubs die, nothing counts twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.eventually import eventually
from support.hub_process import (
    ACCOUNT,
    HubProcess,
    budget,
    hub_process,
    on_postgresql,
    route_table,
)
from support.postgresql_server import PostgresqlServer

# Whole processes start here, on a machine that may be busy with others.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

AMOUNT = 10**12
WANTED = {"account": ACCOUNT, "need": 1000, "prefer": 1000}
BACK_S = 60.0


@pytest.fixture
def url(postgresql: PostgresqlServer) -> Iterator[str]:
    """An empty schema's URL."""
    with postgresql.schema() as schema:
        yield postgresql.url(schema)


def sync_code(hub: HubProcess, sidecar: str = "a") -> tuple[int, str]:
    """The status of a sync that wants money, and its error's code."""
    body = {"sidecar": sidecar, "boot": "1", "seq": 1, "wants": [WANTED]}
    answer = hub.http.post("/v1/ledger/sync", json=body)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


@contextmanager
def waiting_hub(folder: Path, url: str) -> Iterator[HubProcess]:
    """A hub that cannot open its store yet."""
    folder.mkdir()
    hub = HubProcess(folder, on_postgresql(url, folder))
    hub.start(wait=False)
    try:
        yield hub
    finally:
        hub.kill()


def test_tables_are_served_while_the_server_is_away(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    """Grants get `ledger_unavailable`, streams open; when it is back all goes on by itself."""
    with hub_process(tmp_path, *on_postgresql(url, tmp_path)) as hub:
        digest = hub.put_table(route_table(budget(AMOUNT)))
        assert sync_code(hub)[0] == 200
        postgresql.stop()
        try:
            assert sync_code(hub) == (503, "ledger_unavailable")
            assert hub.http.get("/healthz").status_code == 503
            assert hub.http.get("/readyz").status_code == 200
            query = {"sidecar": "b", "boot": "1", "namespace": "demo", "workload": "support"}
            with hub.http.stream("GET", "/v1/stream", params=query) as stream:
                assert json.loads(next(stream.iter_lines()))["digest"] == digest
        finally:
            postgresql.start()
        assert sync_code(hub, "b")[0] == 200
        assert hub.http.get("/healthz").status_code == 200
        assert hub.balance()["leased"] == 2000
        assert hub.sync()["incarnation"] == 1


def test_a_hub_that_starts_before_its_server_waits_for_it(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    """It says what it waits for, does not end, and serves as soon as the server is there."""
    postgresql.stop()
    try:
        with waiting_hub(tmp_path / "hub", url) as hub:
            said = hub.http.get("/readyz")
            assert (said.status_code, said.json()["error"]["code"]) == (503, "ledger_unavailable")
            assert "waits for its store" in said.json()["error"]["message"]
            postgresql.start()
            eventually(lambda: hub.http.get("/readyz").status_code == 200, within_s=BACK_S)
            assert "secret" not in hub.process.log.read_text()
    finally:
        if not postgresql.socket.exists():
            postgresql.start()


def test_a_second_hub_takes_over_when_the_first_is_killed(url: str, tmp_path: Path) -> None:
    """Until then it grants nothing; afterwards it knows all that was granted."""
    with hub_process(tmp_path, *on_postgresql(url, tmp_path)) as first:
        first.put_table(route_table(budget(AMOUNT)))
        (lease,) = first.sync(wants=[WANTED])["leases"]
        with waiting_hub(tmp_path / "second", url) as second:
            assert sync_code(second) == (503, "ledger_unavailable")
            first.kill()
            eventually(lambda: second.http.get("/readyz").status_code == 200, within_s=BACK_S)
            assert second.sync()["leases"][0]["id"] == lease["id"]
            assert second.balance()["leased"] == 1000


def test_a_hub_whose_session_was_ended_gives_way_to_the_one_that_waits(
    postgresql: PostgresqlServer, url: str, tmp_path: Path
) -> None:
    """It ends with 69 and a reason, so that it is started anew and waits in its turn."""
    with hub_process(tmp_path, *on_postgresql(url, tmp_path)) as first:
        first.put_table(route_table(budget(AMOUNT)))
        with waiting_hub(tmp_path / "second", url) as second:
            postgresql.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted"
            )
            eventually(lambda: second.http.get("/readyz").status_code == 200, within_s=BACK_S)
            assert first.process.child.wait(timeout=BACK_S) == 69
            assert "another hub" in first.process.log.read_text()
            assert second.sync(wants=[WANTED])["leases"][0]["granted"] == 1000


def test_a_url_that_is_none_is_an_exit_code(tmp_path: Path) -> None:
    """64, the file is named, what it holds is not shown."""
    late = HubProcess(tmp_path, on_postgresql("mysql://u:hidden@h/d", tmp_path))
    with pytest.raises(AssertionError, match="begins with postgresql://"):
        late.start()
    assert late.process.child.wait(timeout=30) == 64
    assert "hidden" not in late.process.log.read_text()

"""The hub's store in trouble: disk full, restored from a backup, opened twice."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from support.hub_process import ACCOUNT, HubProcess, budget, hub_process, route_table

# Whole processes start here, on a machine that may be busy with others.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

AMOUNT = 10**12
WANTED = {"account": ACCOUNT, "need": 1000, "prefer": 1000}


def limit_file_size(hub: HubProcess, size: int) -> None:
    """No file of the hub may grow beyond that: to SQLite the disk is full."""
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_refuses_grants_and_loses_nothing(tmp_path: Path) -> None:
    """Syncs get 503, health and metrics say so; with room again all is counted once."""
    with hub_process(tmp_path) as hub:
        hub.put_table(route_table(budget(AMOUNT)))
        mine = hub.sync(wants=[WANTED])["leases"][0]
        report = {"id": mine["id"], "account": ACCOUNT, "granted": 1000, "spent": 600}
        body = {"sidecar": "a", "boot": "1", "seq": 2, "leases": [report], "wants": [WANTED]}
        limit_file_size(hub, 1)
        refused = hub.http.post("/v1/ledger/sync", json=body)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "ledger_unavailable"
        assert hub.http.get("/healthz").status_code == 503
        assert "pointsman_ledger_store_failing 1.0" in hub.http.get("/metrics").text
        assert hub.balance()["settled"] == 0
        limit_file_size(hub, resource.RLIM_INFINITY)
        assert hub.http.post("/v1/ledger/sync", json=body).status_code == 200
        assert hub.http.get("/healthz").status_code == 200
        assert (hub.balance()["settled"], hub.balance()["leased"]) == (600, 400)


def test_a_restored_backup_voids_leases_and_counts_what_is_reported(tmp_path: Path) -> None:
    """The lock file knows of later commits: a new incarnation, nothing granted is forgotten."""
    state, backup = tmp_path / "state", tmp_path / "backup"
    state.mkdir()
    with hub_process(state) as hub:
        hub.put_table(route_table(budget(AMOUNT)))
        early = hub.sync("early", wants=[WANTED])["leases"][0]
        assert hub.stop() == 0
        shutil.copytree(state, backup)
        hub.start()
        late = hub.sync("late", wants=[WANTED])["leases"][0]
        assert hub.stop() == 0
        for file in state.glob("hub.db*"):
            if file.suffix != ".lock":
                file.unlink()
        shutil.copy(backup / "hub.db", state / "hub.db")
        hub.start()
        assert hub.balance()["unconfirmed"] == 1000
        numbers = {"account": ACCOUNT, "granted": 1000, "spent": 700, "closed": True}
        first = hub.sync("late", incarnation=1, leases=[{"id": late["id"], **numbers}])
        assert first["incarnation"] > 1
        assert first["leases"] == []
        hub.sync("early", incarnation=1, leases=[{"id": early["id"], **numbers}])
        assert (hub.balance()["settled"], hub.balance()["unconfirmed"]) == (1400, 0)
        hub.kill()
        hub.start()
        assert hub.sync("new", wants=[WANTED])["incarnation"] == first["incarnation"]


def test_the_operator_can_say_that_a_backup_was_restored(tmp_path: Path) -> None:
    """Where the lock file came back with the backup, `--restored` begins an incarnation."""
    with hub_process(tmp_path) as hub:
        assert hub.sync()["incarnation"] == 1
        hub.stop()
        hub.arguments.append("--restored")
        hub.start()
        assert hub.sync()["incarnation"] > 1


def test_a_second_hub_on_the_same_state_is_refused(tmp_path: Path) -> None:
    """One writer: the second process ends with a reason, the first is not disturbed."""
    with hub_process(tmp_path) as hub:
        second = HubProcess(tmp_path)
        with pytest.raises(AssertionError, match="in use by another hub"):
            second.start()
        assert second.process.child.wait(timeout=30) == 69
        assert hub.http.get("/healthz").status_code == 200


def test_an_address_in_use_is_an_exit_code(tmp_path: Path) -> None:
    """69, and the log says which address."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with hub_process(first) as hub:
        late = HubProcess(second, ["--listen", hub.address])
        with pytest.raises(AssertionError, match=r"cannot listen on .*Address already in use"):
            late.start()
        assert late.process.child.wait(timeout=30) == 69


def test_wrong_settings_are_an_exit_code(tmp_path: Path) -> None:
    """64, and every problem on a line of its own."""
    late = HubProcess(tmp_path, ["--listen", "nowhere", "--log-level", "loud"])
    with pytest.raises(AssertionError, match=r"address: .*\nlog_level: "):
        late.start()
    assert late.process.child.wait(timeout=30) == 64

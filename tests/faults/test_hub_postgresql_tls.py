"""The hub and its PostgreSQL in TLS: a whole process that is told a wrong authority, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.eventually import eventually
from support.hub_process import HubProcess, hub_process, on_postgresql
from support.postgresql_tls import TlsServer

# Whole processes start here, on a machine that may be busy with others.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BACK_S = 60.0
CA_FILE = "--postgresql-ca-file"


def test_a_hub_waits_with_a_wrong_authority_and_goes_on_with_the_right_one(
    tls: TlsServer, tls_schema: str, tmp_path: Path
) -> None:
    """It says what is wrong where, once, and takes another file without a restart."""
    ca = tls.write_authority(tmp_path / "ca.crt", other=True)
    hub = HubProcess(tmp_path, [*on_postgresql(tls.url(tls_schema), tmp_path), CA_FILE, str(ca)])
    hub.start(wait=False)
    try:
        said = hub.http.get("/readyz")
        assert (said.status_code, said.json()["error"]["code"]) == (503, "ledger_unavailable")
        assert "the chart's hub.storage.postgresql.ca" in said.json()["error"]["message"]
        tls.write_authority(ca)
        eventually(lambda: hub.http.get("/readyz").status_code == 200, within_s=BACK_S)
        assert tls.encrypted()
        log = hub.process.log.read_text()
        assert log.count("waiting for the store") == 1
        assert "secret" not in log
        assert "not encrypted" not in log
    finally:
        hub.kill()


def test_a_hub_without_tls_says_so_once(tls: TlsServer, tls_schema: str, tmp_path: Path) -> None:
    """The server is asked for none: it serves, and the log says what that means."""
    url = tls.url(tls_schema, more="&sslmode=disable")
    with hub_process(tmp_path, *on_postgresql(url, tmp_path)) as hub:
        assert hub.http.get("/v1/budgets").status_code == 200
        assert hub.process.log.read_text().count("is not encrypted") == 1


def test_a_url_that_would_not_verify_is_an_exit_code(tls: TlsServer, tmp_path: Path) -> None:
    """64, and the sentence says what to write instead."""
    ca = tls.write_authority(tmp_path / "ca.crt")
    url = tls.url("public", more="&sslmode=prefer")
    hub = HubProcess(tmp_path, [*on_postgresql(url, tmp_path), CA_FILE, str(ca)])
    with pytest.raises(AssertionError, match=r"sslmode=prefer, .*: say sslmode=verify-full"):
        hub.start()
    assert hub.process.child.wait(timeout=30) == 64
    assert "secret" not in hub.process.log.read_text()

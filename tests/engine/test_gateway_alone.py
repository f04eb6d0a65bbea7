"""A pool's gateway while the hub is away: another start of its container, and a pod that is new."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.eventually import eventually
from support.gateways import Neighbours, neighbours
from support.line import asked

GONE = "uid-gone"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A pod's `pointsman-state`: an emptyDir in memory."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="pointsman-state-"))
    yield folder
    shutil.rmtree(folder)


def test_a_restarted_container_serves_at_once_while_the_hub_is_away(
    tmp_path: Path, memory: Path
) -> None:
    """Same table, certificate and guests, and no others; a new pod waits, and says for what."""
    with neighbours(tmp_path, POINTSMAN_STATE_DIR=str(memory)) as both:
        both.hub.script.put(both.mint.admission(GONE))
        gone = both.mint.ticket(sub=GONE)
        eventually(lambda: both.knock(gone).status_code == 401)
        eventually(lambda: _call(both).status_code == 200)
        both.restart_gateway(memory)
        assert both.gateway.probe("/readyz")
        answer = _call(both)
        assert answer.status_code == 200, answer.text
        assert both.knock(both.mint.ticket()).status_code == 200
        assert {both.knock(it).status_code for it in (None, gone, "garbage")} == {401}
        assert "calls are taken at once" in both.gateway.log.read_text()
        kept = memory / "certificate.pem"
        assert kept.stat().st_mode & 0o777 == 0o600
        secret = kept.read_text().split("-----")[2].strip().splitlines()[0]
        assert secret not in both.gateway.log.read_text() + str(both.gateway.state())

        (memory / "another pod").mkdir()
        both.restart_gateway(memory / "another pod")
        lacks = ["a table", "a certificate", "the public keys of tickets"]
        assert both.gateway.state()["gateway"]["lacks"] == lacks
        probed = httpx.get(f"{both.gateway.admin_url}/readyz")
        said = "the hub has not brought a table and a certificate and the public keys of tickets"
        assert (probed.status_code, probed.text) == (503, f"{said} yet\n")
        assert "no call is taken before" in both.gateway.log.read_text()
        with pytest.raises(httpx.TransportError):
            both.knock(both.mint.ticket())


def _call(both: Neighbours) -> httpx.Response:
    url = f"{both.caller.url}/v1/chat/completions"
    return httpx.post(url, json=asked(model="a"), timeout=20)

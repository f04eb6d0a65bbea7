"""I5: no request waits for Python, whatever Python is doing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from support.eventually import eventually
from support.line import Line, Streamed, line, route_all
from support.processes import Process, ended
from support.tables import model, table

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "stuck_sidecar.py"
HELD_S = 10
LONG_S = 40


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Line]:
    """A line whose sidecar's Python can be stopped or hurt."""
    with line(tmp_path, "a", program=[PROGRAM], STUCK_FOLDER=str(tmp_path)) as made:
        yield made


def hold(made: Line, seconds: int) -> None:
    """Take the GIL; returns when it is taken."""
    take_gil(made.folder, seconds)


def take_gil(folder: Path, seconds: int) -> None:
    """As `hold`, by the folder that the program watches."""
    draft = folder / "hold.draft"
    draft.write_text(str(seconds))
    draft.rename(folder / "hold")
    eventually((folder / "held").exists)


def heartbeat_age_s(made: Line) -> float:
    """Since Python last said that it is alive."""
    return float(made.sidecar.state()["supervisor_heartbeat_age_ms"]) / 1000


def test_i5_calls_and_probes_go_on_while_the_gil_is_held(troubled: Line) -> None:
    """For ten seconds Python does nothing: calls, streams, probes and metrics are as before."""
    troubled.script("a", {"text": "word " * 10})
    hold(troubled, HELD_S)
    until = time.monotonic() + HELD_S - 1
    slowest = 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        assert troubled.chat().status_code == 200
        assert troubled.stream().done
        slowest = max(slowest, time.monotonic() - began)
        assert troubled.sidecar.probe("/livez")
    assert slowest < 2
    assert heartbeat_age_s(troubled) > HELD_S / 2, "the GIL was not held"
    eventually(lambda: heartbeat_age_s(troubled) < 2)


def test_i5_sigterm_with_the_gil_held_loses_nothing(troubled: Line) -> None:
    """Streams finish whole, the process ends by itself in time and with status 0."""
    troubled.script("a", {"text": "word " * 40, "tokensPerSecond": 25})
    with ThreadPoolExecutor(10) as pool:
        streams = [pool.submit(troubled.stream) for _ in range(10)]
        eventually(lambda: troubled.providers["a"].stats()["open"] == 10)
        hold(troubled, LONG_S)
        began = time.monotonic()
        status = troubled.sidecar.terminate(within_s=LONG_S / 2)
        took = time.monotonic() - began
    check(streams)
    assert status == 0
    assert took < 15, "it must not wait for the GIL"


def test_i5_a_failed_engine_ends_with_its_status_although_the_gil_is_held(tmp_path: Path) -> None:
    """An engine that cannot run ends the process with 70, not 0, when Python cannot say so."""
    roots = tmp_path / "roots.pem"
    os.mkfifo(roots)  # the engine waits here for its trust store, without the GIL
    process = Process(
        [sys.executable, PROGRAM],
        tmp_path / "sidecar.log",
        STUCK_FOLDER=str(tmp_path),
        SSL_CERT_FILE=str(roots),
        POINTSMAN_TABLE_PATH=str(tmp_path / "table.json"),
        POINTSMAN_OTLP_ENDPOINT="http://no such host",
        **{f"POINTSMAN_{name}_ADDRESS": "127.0.0.1:0" for name in ("DATA", "ADMIN", "DEBUG")},
    )
    with ended(process):
        with roots.open("wb"):  # opens when the engine reads
            take_gil(tmp_path, LONG_S)
        began = time.monotonic()
        status = process.child.wait(LONG_S / 2)
    assert status == 70, process.log.read_text()
    assert time.monotonic() - began < 10, "it must not wait for the GIL"


def check(streams: list[Future[Streamed]]) -> None:
    """Every one is whole."""
    assert all(one.result().done for one in streams)
    assert {one.result().text for one in streams} == {"word " * 40}


def test_i5_an_exception_in_the_supervisor_stops_no_call_and_is_survived(troubled: Line) -> None:
    """The duties die, the log says so, they are started again: a new table still comes in."""
    (troubled.folder / "raise").touch()
    eventually((troubled.folder / "raised").exists)
    for _ in range(20):
        assert troubled.chat().status_code == 200
    eventually(lambda: "RuntimeError" in troubled.sidecar.log.read_text())
    assert troubled.sidecar.alive()
    eventually(lambda: heartbeat_age_s(troubled) < 1)
    other = table([model("renamed", troubled.url("a"))])
    assert other != route_all(troubled)
    troubled.swap(other)
    assert troubled.chat().headers["x-pointsman-model"] == "main/renamed"

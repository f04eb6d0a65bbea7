"""The sidecar follows its source of tables, whatever happens to the connection or to a thread."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_sidecar import limits
from pointsman_sidecar.files import FileSource
from pointsman_sidecar.fleet import Fleet
from pointsman_sidecar.health import Health
from pointsman_sidecar.hub import Backoff, Hub
from pointsman_sidecar.passes import Passes
from pointsman_sidecar.supervisor import HubSource, StreamError, Supervisor, lines
from pointsman_sidecar.table import Envelope, Tables, digest_of
from support.border import RecordingEngine
from support.eventually import eventually
from support.scripted_hub import CLOSE, ScriptedHub, scripted_hub


def table_event(note: str) -> dict[str, object]:
    """A table as the hub streams it."""
    table = json.dumps({"version": 1, "note": note}).encode()
    packed = json.loads(Envelope(digest_of(table), table, None).packed())
    return {"event": "table", **packed}


class Following:
    """A stream being followed in a thread."""

    def __init__(self, hub: ScriptedHub, token: Path) -> None:
        self.engine = RecordingEngine()
        self.tables = Tables(self.engine, None)
        self.asked: list[str] = []
        self.stop = threading.Event()
        address = Hub(hub.url, token, None, "uid-1", "boot-1", "demo", "support")
        fleet = Fleet(self.engine, None)
        source = HubSource(
            address,
            self.engine,
            self.tables,
            fleet,
            self.asked.append,
            Passes(self.engine, None),
            Health(self.engine),
        )
        self.thread = threading.Thread(target=source.run, args=(self.stop,))
        self.thread.start()


@pytest.fixture
def hub() -> Iterator[ScriptedHub]:
    """A hub that follows a script."""
    with scripted_hub() as scripted:
        yield scripted


@pytest.fixture
def following(hub: ScriptedHub, tmp_path: Path) -> Iterator[Following]:
    """A sidecar's stream to it."""
    token = tmp_path / "token"
    token.write_text("secret-1\n")
    follower = Following(hub, token)
    yield follower
    follower.stop.set()
    hub.script.put({"event": "ping"})
    hub.script.put(CLOSE)
    follower.thread.join(10)
    assert not follower.thread.is_alive()


def test_events_reach_the_engine(hub: ScriptedHub, following: Following) -> None:
    """Tables, tuning, endpoints and questions pass; a kind from a newer hub does no harm."""
    hub.script.put({"event": "from-the-future"})
    hub.script.put(table_event("one"))
    hub.script.put({"event": "tuning", "epoch": 4, "lambda": {"smart": 7}})
    hub.script.put({"event": "fleet", "rev": 1, "models": {"main/m": {"state": "Absent"}}})
    hub.script.put({"event": "ledger"})
    hub.script.put({"event": "explain", "id": "pm-1"})
    eventually(lambda: following.asked == ["pm-1"])
    assert following.engine.ledger_calls == 1
    assert len(following.engine.loaded) == 1
    assert following.engine.fleets == [{"main/m": {"state": "Absent"}}]
    assert following.engine.tunings[0]["lambda"] == {"smart": 7}
    assert hub.tokens == ["Bearer secret-1"]


def test_a_broken_stream_resumes_by_digest(
    hub: ScriptedHub, following: Following, tmp_path: Path
) -> None:
    """The second connection names the table in force and carries the token as it is then."""
    hub.script.put(table_event("one"))
    eventually(lambda: following.tables.in_force().digest)
    (tmp_path / "token").write_text("secret-2")
    hub.script.put(CLOSE)
    eventually(lambda: len(hub.streams) == 2)
    first, second = hub.streams
    assert first["digest"] == ""
    assert second == first | {"digest": following.tables.in_force().digest}
    assert hub.tokens[-1] == "Bearer secret-2"


def test_the_stream_tells_labels_and_follows_them(hub: ScriptedHub, tmp_path: Path) -> None:
    """The hub chooses by the pod's labels; when they change it is asked again."""
    token, labels = tmp_path / "token", tmp_path / "labels"
    token.write_text("secret-1")
    labels.write_text('app="a"\n')
    address = Hub(hub.url, token, None, "uid-1", "boot-1", "demo", "support", labels)
    engine = RecordingEngine()
    source = HubSource(
        address,
        engine,
        Tables(engine, None),
        Fleet(engine, None),
        print,
        Passes(engine, None),
        Health(engine),
    )
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        eventually(lambda: hub.streams)
        assert json.loads(hub.streams[0]["labels"]) == {"app": "a"}
        labels.write_text('app="b"\n')
        hub.script.put({"event": "ping"})
        hub.script.put(CLOSE)
        eventually(lambda: len(hub.streams) > 1)
        assert json.loads(hub.streams[1]["labels"]) == {"app": "b"}
    finally:
        stop.set()
        hub.script.put({"event": "ping"})
        hub.script.put(CLOSE)
        thread.join(10)


@pytest.mark.parametrize("rubbish", [b"{not json\n", b"[]\n", b'{"event":"table"}\n'])
def test_rubbish_costs_a_connection_not_the_sidecar(
    hub: ScriptedHub, following: Following, rubbish: bytes
) -> None:
    """After what no hub sends, the stream is opened again and goes on."""
    hub.script.put(rubbish)
    hub.script.put(CLOSE)
    hub.script.put(table_event("after"))
    eventually(lambda: following.engine.loaded)
    assert following.thread.is_alive()


def test_i5_a_duty_that_dies_is_started_again() -> None:
    """I5: an exception in the supervisor ends a thread, never the supervision."""
    deaths: list[str] = []
    hook, threading.excepthook = (
        threading.excepthook,
        lambda args: deaths.append(str(args.exc_value)),
    )
    runs: list[int] = []

    def duty(stop: threading.Event) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("unforeseen")
        stop.wait()

    supervisor = Supervisor({"duty": duty})
    supervisor.start()
    try:
        eventually(lambda: len(runs) == 3)
    finally:
        supervisor.stop(5)
        threading.excepthook = hook
    assert deaths == ["unforeseen", "unforeseen"]


def test_a_changed_file_is_loaded_once(tmp_path: Path) -> None:
    """A file source loads what is new, and neither the same file again nor a broken one."""
    path = tmp_path / "table.json"
    path.write_text('{"version": 1}')
    engine = RecordingEngine()
    source = FileSource(tmp_path, Tables(engine, None))
    seen = source.look(())
    seen = source.look(seen)
    assert len(engine.loaded) == 1
    path.write_text('{"version": 1, "broken')
    assert source.look(seen) == seen
    path.write_text('{"version": 1, "note": "new"}')
    source.look(seen)
    assert len(engine.loaded) == 2


@given(
    wanted=st.lists(st.binary(min_size=1, max_size=9).map(lambda b: b.replace(b"\n", b"."))),
    cuts=st.lists(st.integers(0, 60)),
)
def test_lines_do_not_depend_on_how_they_arrive(wanted: list[bytes], cuts: list[int]) -> None:
    """However the bytes are cut, the same lines come out; an unfinished one does not."""
    stream = b"".join(line + b"\n" for line in wanted) + b"unfinished"
    marks = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(marks)]
    assert list(lines(pieces)) == wanted


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """I6: a hub that never ends a line cannot fill the sidecar's memory."""
    monkeypatch.setattr(limits, "MAX_LINE_BYTES", 100)
    with pytest.raises(StreamError, match="100 bytes"):
        list(lines(b"x" * 30 for _ in range(10)))


def test_waits_grow_and_are_drawn_at_random() -> None:
    """Reconnecting never comes in step and never waits longer than its maximum."""
    backoff = Backoff()
    for _ in range(12):
        waits = {backoff.wait_s() for _ in range(20)}
        assert len(waits) > 1
        assert max(waits) <= backoff.ceiling_s <= limits.RECONNECT_MAX_S
        backoff = backoff.longer()
    assert backoff.ceiling_s == limits.RECONNECT_MAX_S

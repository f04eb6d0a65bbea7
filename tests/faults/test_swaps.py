"""I4: a request uses exactly one Plan; a swap drops no stream."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from support.eventually import eventually
from support.line import Line, Streamed, line
from support.processes import canonical
from support.scripted_hub import ScriptedHub, scripted_hub
from support.tables import model, route, table

SWAPS = 50
CALLERS = 6


def tables(made: Line) -> list[bytes]:
    """Fifty tables; the even ones prefer `a`, the odd ones `b`, and each has a rule of its own."""
    models = [model(name, made.url(name)) for name in ("a", "b")]
    every = []
    for number in range(SWAPS):
        order = ("a", "b") if number % 2 == 0 else ("b", "a")
        rule = {"name": f"rule-{number}", "when": {"models": ["auto"]}, "route": route(*order)}
        every.append(canonical(table(models, [rule])))
    return every


def event(document: bytes, number: int) -> dict[str, Any]:
    """As the hub streams it."""
    return {
        "event": "table",
        "digest": digest(document),
        "fence": {"installation": "i", "transitions": 1, "boot": str(number)},
        "table": base64.b64encode(gzip.compress(document)).decode(),
    }


def digest(document: bytes) -> str:
    """How a table is named."""
    return "sha256:" + hashlib.sha256(document).hexdigest()


def in_force(made: Line, wanted: str) -> None:
    """Wait until that table is used."""
    eventually(lambda: made.sidecar.state()["digest"] == wanted)


def run(made: Line, hub: ScriptedHub) -> list[Streamed]:
    """Stream on and on while the tables change."""
    over = threading.Event()

    def caller() -> list[Streamed]:
        seen = []
        while not over.is_set():
            seen.append(made.stream())
        return seen

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(caller) for _ in range(CALLERS)]
        for number, document in enumerate(tables(made)):
            hub.script.put(event(document, number))
            in_force(made, digest(document))
            over.wait(0.05)
        over.set()
        return [one for calls in callers for one in calls.result()]


def test_i4_fifty_swaps_under_streaming_load_drop_nothing(tmp_path: Path) -> None:
    """Each stream is whole, and model and rule are those of the one digest in its record."""
    token = tmp_path / "token"
    token.write_text("t")
    with (
        scripted_hub() as hub,
        line(
            tmp_path,
            "a",
            "b",
            build=lambda _: None,
            POINTSMAN_HUB_URL=hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(token),
        ) as made,
    ):
        numbers = {digest(document): n for n, document in enumerate(tables(made))}
        for name in made.providers:
            made.script(name, {"text": "word " * 12, "tokensPerSecond": 60})
        hub.script.put(event(tables(made)[0], 0))
        eventually(lambda: made.sidecar.state()["digest"])
        seen = run(made, hub)
        assert len(seen) > SWAPS / 2
        assert all(one.done and one.text == "word " * 12 for one in seen)
        used = set()
        for one in seen:
            record = made.sidecar.record(one.request_id)
            number = numbers[record["digest"]]
            assert record["rule"] == f"rule-{number}"
            assert record["model"] == ("main/a" if number % 2 == 0 else "main/b")
            assert one.headers["x-pointsman-model"] == record["model"]
            used.add(number)
        assert len(used) > 5, "the load saw several tables"


def renamed(made: Line, number: int) -> dict[str, Any]:
    """A table whose five models have names that no other table has."""
    url = made.url("a")
    return table([model(f"m{number}-{at}", url) for at in range(5)])


def test_two_hundred_swaps_with_new_names_leave_nothing_behind(tmp_path: Path) -> None:
    """Neither the metrics nor the memory grow with the names that were once in a table."""
    token = tmp_path / "token"
    token.write_text("t")
    with (
        scripted_hub() as hub,
        line(
            tmp_path,
            "a",
            build=lambda _: None,
            POINTSMAN_HUB_URL=hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(token),
        ) as made,
    ):

        def swaps(numbers: range) -> None:
            for number in numbers:
                document = canonical(renamed(made, number))
                hub.script.put(event(document, number))
                in_force(made, digest(document))
                assert made.chat().status_code == 200

        def shown() -> str:
            return httpx.get(f"{made.sidecar.admin_url}/metrics").text

        swaps(range(100, 140))
        metrics, memory = len(shown()), made.sidecar.rss_mib()
        swaps(range(140, 340))
        assert abs(len(shown()) - metrics) < metrics * 0.02
        assert made.sidecar.rss_mib() - memory < 4
        assert "m100-" not in shown()

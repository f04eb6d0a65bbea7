"""Targets that are down are avoided, probed and taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, line
from support.processes import Simulator, ended
from support.tables import model, route, table

RETURN_S = 10.0


def build(made: Line) -> dict[str, Any]:
    """`auto`: `a` then `b`; `only`: `a` alone, with few retries."""
    rules = [
        {"name": "only", "when": {"models": ["only"]}, "route": route("a")},
        {"name": "all", "when": {"models": ["auto"]}, "route": route("a", "b")},
    ]
    return table([model(name, made.url(name)) for name in ("a", "b")], rules)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Line]:
    """A fresh line a test: breakers begin closed."""
    with line(tmp_path, "a", "b", build=build) as made:
        yield made


def chosen(made: Line) -> str:
    """Which model answers now."""
    answer = made.chat()
    assert answer.status_code == 200, answer.text
    return answer.headers["x-pointsman-model"]


def test_one_refused_connection_opens_and_recovery_is_noticed_in_ten_seconds(pair: Line) -> None:
    """The process is killed: one call pays for it, the others go round; it returns by itself."""
    first = pair.providers["a"]
    assert chosen(pair) == "main/a"
    first.kill()
    answer = pair.chat()
    assert answer.status_code == 200
    record = pair.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert [row["class"] for row in record["attempts"]] == ["Connect", "Connect", "ok"]
    assert pair.sidecar.state()["targets"]["main/a"] == "Open"
    answer = pair.chat()
    record = pair.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert [row["model"] for row in record["attempts"]] == ["main/b"]
    assert [row.get("filtered") for row in record["candidates"]] == [None, "cooldown"]
    down_until = time.monotonic() + 4
    eventually(lambda: chosen(pair) == "main/b" and time.monotonic() > down_until)
    with ended(Simulator(pair.folder, "again", listen=first.address)):
        eventually(lambda: chosen(pair) == "main/a", RETURN_S)
        assert pair.sidecar.state()["targets"]["main/a"] == "Closed"


def test_a_run_of_server_errors_opens_and_the_last_target_is_never_ejected(pair: Line) -> None:
    """Alone, an open target is still asked; with an alternative it is avoided."""
    pair.script("a", {"status": 500})
    for _ in range(5):
        assert pair.chat(model="only").status_code == 502
    assert pair.sidecar.state()["targets"]["main/a"] == "Open"
    before = pair.providers["a"].stats()["requests"]
    assert chosen(pair) == "main/b"
    assert pair.providers["a"].stats()["requests"] == before
    assert pair.chat(model="only").status_code == 502
    assert pair.providers["a"].stats()["requests"] > before
    pair.script("a")
    assert pair.chat(model="only").status_code == 200
    assert chosen(pair) == "main/a"


def test_an_overloaded_target_rests_for_as_long_as_it_asked(pair: Line) -> None:
    """503 with Retry-After: nobody comes before the time is over, then one probe and all."""
    pair.providers["a"].script(
        {"match": {"nth": [1]}, "do": {"status": 503, "headers": {"retry-after": "2"}}}
    )
    assert chosen(pair) == "main/b"
    began = time.monotonic()
    eventually(lambda: chosen(pair) == "main/a")
    assert time.monotonic() - began > 1.5
    assert pair.sidecar.metric('pointsman_breaker_open{model="main/a",provider="sim-a"}') == 0


def test_while_half_open_one_call_probes_and_the_others_go_round(pair: Line) -> None:
    """Of twenty calls at once exactly one reaches the target that may have recovered."""
    pair.providers["a"].script(
        {"match": {"nth": [1]}, "do": {"status": 503, "headers": {"retry-after": "1"}}},
        {"do": {"delayMs": 800}},
    )
    assert chosen(pair) == "main/b"
    eventually(lambda: pair.sidecar.state()["targets"]["main/a"] == "HalfOpen")
    before = pair.providers["a"].stats()["requests"]
    with ThreadPoolExecutor(20) as pool:
        models = list(pool.map(lambda _: chosen(pair), range(20)))
    assert models.count("main/a") == 1
    assert pair.providers["a"].stats()["requests"] == before + 1
    assert pair.sidecar.state()["targets"]["main/a"] == "Closed"


def test_a_long_streams_probe_lets_others_in_at_its_first_token(pair: Line) -> None:
    """Recovery is not held up until the probing stream has ended."""
    pair.providers["a"].script(
        {"match": {"nth": [1]}, "do": {"status": 503, "headers": {"retry-after": "1"}}},
        {"match": {"nth": [1]}, "do": {"text": "word " * 2000, "tokensPerSecond": 40}},
    )
    assert chosen(pair) == "main/b"
    eventually(lambda: pair.sidecar.state()["targets"]["main/a"] == "HalfOpen")
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    with pair.http.stream("POST", "/v1/chat/completions", json=body) as probing:
        assert probing.headers["x-pointsman-model"] == "main/a"
        assert chosen(pair) == "main/a"


def test_a_pause_that_a_provider_asked_for_outlives_older_answers(pair: Line) -> None:
    """A call that began before the 503 and ends after it does not end the pause."""
    slow = {"text": "word " * 20, "tokensPerSecond": 40}
    pair.providers["a"].script(
        {"match": {"nth": [1]}, "do": slow},
        {"match": {"nth": [1]}, "do": {"status": 503, "headers": {"retry-after": "20"}}},
    )
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(pair.stream)
        eventually(lambda: pair.providers["a"].stats()["open"] == 1)
        assert chosen(pair) == "main/b"
        assert older.result().done
    assert pair.sidecar.state()["targets"]["main/a"] == "Open"
    assert chosen(pair) == "main/b"


@pytest.mark.parametrize("threads", ["1", "4"])
def test_retries_on_a_failing_target_are_a_share_of_the_calls(tmp_path: Path, threads: str) -> None:
    """200 calls against a provider that always fails cost it little more than 200 requests."""

    def alone(made: Line) -> dict[str, Any]:
        retries = {"maxAttempts": 3, "budgetPercent": 10, "minPerSecond": 1}
        rules = [{"name": "r", "when": {}, "route": route("a", retries=retries)}]
        return table([model("a", made.url("a"))], rules)

    # Each call comes on a connection of its own, so that every thread has some.
    apart = {"connection": "close"}
    with line(tmp_path, "a", build=alone, POINTSMAN_DATA_THREADS=threads) as made:
        made.script("a", {"status": 500})
        began = time.monotonic()
        assert {made.chat(headers=apart).status_code for _ in range(200)} == {502}
        floor = time.monotonic() - began + 1
        retried = made.providers["a"].stats()["requests"] - 200
        assert 1 <= retried <= 20 + floor + 1


def test_all_rules_share_what_may_be_retried_at_a_target_and_keep_it_over_tables(
    tmp_path: Path,
) -> None:
    """Five rules to one failing model, two retries a second each: it sees two a second in all."""
    few = {"maxAttempts": 3, "budgetPercent": 0, "minPerSecond": 2}
    names = [f"r{number}" for number in range(5)]

    def many(made: Line) -> dict[str, Any]:
        rules = [
            {"name": name, "when": {"models": [name]}, "route": route("a", retries=few)}
            for name in names
        ]
        return table([model("a", made.url("a"))], rules)

    with line(tmp_path, "a", build=many) as made:
        made.script("a", {"status": 500})
        began = time.monotonic()
        for turn in range(20):
            if turn % 5 == 4:
                made.swap({**many(made), "catalogue": f"sha256:{turn}"})
            assert {made.chat(model=name).status_code for name in names} == {502}
        floor = 2 * (time.monotonic() - began + 1)
        retried = made.providers["a"].stats()["requests"] - 20 * len(names)
        assert 2 <= retried <= floor, (retried, floor)


def test_a_call_that_reaches_nobody_waits_for_who_restarts(pair: Line) -> None:
    """Both providers are gone for half a second: the call is answered, and nobody saw it twice."""
    pair.script("a")
    addresses = {name: one.address for name, one in pair.providers.items()}
    for provider in pair.providers.values():
        provider.kill()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pair.chat)
        eventually(lambda: pair.sidecar.state()["in_flight"] == 1)
        time.sleep(0.5)
        back = Simulator(pair.folder, "again", listen=addresses["b"])
        with ended(back):
            answer = waiting.result()
            assert answer.status_code == 200, answer.text
            record = pair.sidecar.record(answer.headers["x-pointsman-request-id"])
            rows = [(row["model"], row["class"]) for row in record["attempts"]]
            assert rows[:3] == [("main/a", "Connect"), ("main/a", "Connect"), ("main/b", "Connect")]
            assert rows[-1] == ("main/b", "ok")
            assert back.stats()["requests"] == 1


def test_who_stays_away_is_waited_for_three_seconds_and_no_longer(pair: Line) -> None:
    """Seven tries at a provider that refuses connections, then one error that is final."""
    pair.providers["a"].kill()
    began = time.monotonic()
    answer = pair.chat(model="only")
    took = time.monotonic() - began
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert answer.headers["x-should-retry"] == "false"
    record = pair.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert [row["class"] for row in record["attempts"]] == ["Connect"] * 7
    assert record["cost"] == 0
    assert 2.5 <= took < 6

"""The controller is told what has changed in the fleet, and knows as much as if told of all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.controller.fleet import Fleet as Followed
from pointsman_operator.controller.fleet import read_fleet
from pointsman_operator.hub import limits
from pointsman_operator.hub.fleet import Fleet
from pointsman_operator.hub.listing import shown
from support.ledger_world import HandClock

NAMES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("speaks", "digest", "opens", "closes", "is gone", "asked")),
        st.sampled_from(NAMES),
        st.integers(0, 3),
    ),
    max_size=40,
)


def told(fleet: Fleet, after: int) -> dict[str, Any]:
    """The answer, as the API gives it."""
    news = fleet.since(after)
    rows = [shown(entry) for entry in news.entries]
    return {"rev": fleet.revision, "whole": news.whole, "sidecars": rows, "gone": news.gone}


def known(followed: Followed) -> dict[str, tuple[str, bool]]:
    """What a follower has learnt, but for times of reports."""
    return {uid: (it.digest, it.connected) for uid, it in followed.sidecars.items()}


@given(STEPS)
def test_who_follows_changes_knows_the_whole(steps: list[tuple[str, str, int]]) -> None:
    """However questions fall between changes."""
    fleet, followed, after = Fleet(HandClock()), Followed(), -1
    streams: dict[str, ExitStack] = {}
    for what, name, number in [*steps, ("asked", "a", 0)]:
        if what == "asked":
            answer = told(fleet, after)
            followed.take(read_fleet(answer))
            after = answer["rev"]
            anew = Followed()
            anew.take(read_fleet(told(fleet, -1)))
            assert known(followed) == known(anew)
        elif what == "is gone":
            fleet.forget(name)
            streams.pop(name, ExitStack()).close()
        elif what == "closes":
            streams.pop(name, ExitStack()).close()
        elif what == "opens" and name not in streams:
            streams[name] = ExitStack()
            streams[name].enter_context(fleet.heard(name, "1").streaming())
        else:
            fleet.heard(name, "1").says(**({"digest": f"{number}"} if what == "digest" else {}))


def test_only_what_has_changed_is_told() -> None:
    """And nothing where nothing has; a report alone is no change."""
    fleet = Fleet(HandClock())
    for name in NAMES:
        fleet.heard(name, "1").says(digest="x")
    after = fleet.revision
    assert told(fleet, after)["sidecars"] == []
    fleet.heard("b", "1")
    assert told(fleet, after)["sidecars"] == []
    fleet.heard("b", "1").says(digest="y")
    fleet.forget("a")
    answer = told(fleet, after)
    assert [row["sidecar"] for row in answer["sidecars"]] == ["b"]
    assert (answer["whole"], answer["gone"]) == (False, (("a", "1"),))


def test_who_asks_too_late_or_of_another_start_is_told_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hub that has started again begins above what it told before."""
    monkeypatch.setattr(limits, "GONE_REMEMBERED", 2)
    clock = HandClock()
    before = Fleet(clock)
    before.heard("old", "1")
    clock.time_ms += 2
    fleet = Fleet(clock)
    fleet.heard("a", "1")
    assert told(fleet, before.revision)["whole"]
    assert told(fleet, fleet.revision + 1)["whole"]
    after = fleet.revision
    for name in ("x", "y"):
        fleet.heard(name, "1")
        fleet.forget(name)
    assert told(fleet, after)["gone"] == (("y", "1"), ("x", "1"))
    fleet.heard("z", "1")
    fleet.forget("z")
    assert told(fleet, after)["whole"]


def test_of_several_starts_the_connected_one_counts() -> None:
    """Also where the older one is told of again, and where the newer one goes."""
    fleet, followed = Fleet(HandClock()), Followed()
    with fleet.heard("a", "old").streaming():
        fleet.heard("a", "old").says(namespace="shop", digest="old")
        followed.take(read_fleet(told(fleet, -1)))
        after = fleet.revision
    with fleet.heard("a", "new").streaming():
        fleet.heard("a", "new").says(namespace="shop", digest="new")
        fleet.heard("a", "old").says(last_error="late")
        assert followed.take(read_fleet(told(fleet, after))) == {"shop"}
        assert known(followed) == {"a": ("new", True)}


def test_an_end_of_a_forgotten_ones_stream_is_no_news() -> None:
    """It stays forgotten."""
    fleet = Fleet(HandClock())
    with fleet.heard("a", "1").streaming():
        fleet.forget("a")
        after = fleet.revision
    assert fleet.revision == after
    assert told(fleet, -1)["sidecars"] == []

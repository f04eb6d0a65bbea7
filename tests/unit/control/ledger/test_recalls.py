"""Nobody is refused for good while others hold money that they do not use; nobody waits in vain."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.books import Holder
from pointsman_operator.ledger.messages import LeaseAnswer, SyncAnswer
from pointsman_operator.ledger.recalls import Recalls
from support.ledger_world import DAY, LedgerWorld, report, want

KEY = (DAY, "today")


class Sidecar:
    """A holder of one lease that has done with `spent` of it and has `reserved` in open calls."""

    def __init__(self, world: LedgerWorld, name: str) -> None:
        self.world, self.name = world, name
        self.lease: LeaseAnswer | None = None
        self.spent = self.reserved = self.returned = 0

    @property
    def free(self) -> int:
        """What a call may still reserve."""
        granted = self.lease.granted if self.lease else 0
        return granted - self.spent - self.reserved - self.returned

    def sync(self, need: int = 0, prefer: int = 0) -> SyncAnswer:
        """Report, want, take the answer over; what is recalled is given back by the next report."""
        leases: list[dict[str, Any]] = []
        have = 0
        if self.lease:
            have = self.lease.granted
            said = {"granted": have, "spent": self.spent, "returned": self.returned}
            leases = [report(self.lease.id, free=self.free, **said)]
        wants = [want(need, max(need, prefer), have=have)] if need or prefer else []
        answer = self.world.sync(self.name, leases=leases, wants=wants)
        (self.lease,) = answer.leases or (None,)
        if self.lease and self.lease.recall:
            self.returned += self.free
        return answer


@pytest.fixture
def called(world: LedgerWorld) -> list[str]:
    """Whom the ledger has asked to sync at once, in order."""
    names: list[str] = []

    def call(sidecars: Collection[str]) -> None:
        names.extend(sorted(sidecars))

    world.ledger.call = call
    return names


def wait_ms(answer: SyncAnswer) -> int | None:
    """How long the only denial of an answer says to wait; None: it is final."""
    (denied,) = answer.denied
    return denied.wait_ms


def two(world: LedgerWorld, first: int) -> tuple[Sidecar, Sidecar]:
    """Two that hold the whole limit between them: the one so much, the other the rest."""
    one, other = Sidecar(world, "a"), Sidecar(world, "b")
    one.sync(need=first)
    other.sync(need=1000 - first)
    world.clock.time_ms += 100
    return one, other


def test_idle_money_is_called_back_before_a_refusal(world: LedgerWorld, called: list[str]) -> None:
    """The holder learns it at once, gives back even what it would like to keep, and it is used."""
    one, other = two(world, 400)
    other.spent = 600
    assert wait_ms(other.sync(need=300)) == limits.RECALL_AGAIN_MS
    assert called == ["a"]
    answer = one.sync(prefer=50)
    assert answer.leases[0].recall
    world.clock.time_ms += 100
    assert wait_ms(other.sync(need=300)) == limits.RECALL_AGAIN_MS, "it is on its way"
    one.sync()
    world.clock.time_ms += 100
    answer = other.sync(need=300)
    assert (answer.denied, other.free) == ([], 300)


def test_what_calls_have_reserved_is_not_waited_for(world: LedgerWorld, called: list[str]) -> None:
    """Once the others have said that they use all of it, the refusal is true."""
    one, other = two(world, 400)
    one.reserved, other.spent = 400, 600
    assert wait_ms(other.sync(need=300)) is not None, "nobody knows yet"
    one.sync()
    world.clock.time_ms += 100
    answer = other.sync(need=300)
    assert wait_ms(answer) is None
    assert answer.denied[0].again_ms == limits.AGAIN_MIN_MS
    world.clock.time_ms += limits.AGAIN_MIN_MS
    one.reserved = 0
    assert wait_ms(other.sync(need=300)) is not None, "what it said then is too old"
    assert called == ["a", "a"]


def test_a_holder_that_does_not_come_is_waited_for_once(
    world: LedgerWorld, called: list[str]
) -> None:
    """A killed sidecar holds up one round of callers, not those of the next quarter of an hour."""
    one, other = two(world, 400)
    other.spent = 600
    waited_ms = 0
    while wait_ms(other.sync(need=300)):
        world.clock.time_ms += 100
        waited_ms += 100
    assert waited_ms == limits.RECALL_WITHIN_MS
    assert len(called) == pytest.approx(limits.RECALL_WITHIN_MS / 300, abs=1)
    world.clock.time_ms += limits.AGAIN_MIN_MS
    assert wait_ms(other.sync(need=300)) is None
    one.sync()
    world.clock.time_ms += limits.AGAIN_MIN_MS
    assert wait_ms(other.sync(need=300)), "it is back"


def test_parts_that_are_too_small_for_each_serve_who_came_first(
    world: LedgerWorld, called: list[str]
) -> None:
    """Each has too little: the later gives its part to the earlier, then has its turn."""
    one, other = two(world, 500)
    one.spent = other.spent = 300
    assert wait_ms(one.sync(need=100))
    world.clock.time_ms += 10
    assert wait_ms(other.sync(need=100))
    assert other.lease
    assert other.lease.recall
    world.clock.time_ms += 100
    other.sync(need=300)
    assert one.sync(need=100).denied == []
    one.reserved = 300
    world.clock.time_ms += 100
    one.sync()
    assert wait_ms(other.sync(need=300)) is None, "a hundred are left, and they are its own"
    assert other.free == 100
    assert "b" in called


def test_what_somebody_is_just_served_with_is_left_to_it(world: LedgerWorld) -> None:
    """A grant that meets a need is not called back in the same breath."""
    one, other = two(world, 400)
    one.spent, other.spent = 400, 500
    assert wait_ms(one.sync(need=300))
    other.returned, other.reserved = 40, 60
    answer = other.sync(need=30)
    assert (answer.denied, answer.leases[0].recall) == ([], False)


def test_an_older_engine_is_not_waited_for(world: LedgerWorld) -> None:
    """It does not say what it uses, so a refusal is as final as it was."""
    world.sync("a", wants=[want(400)])
    (lease,) = world.sync("a").leases
    world.sync("a", leases=[report(lease.id, granted=400)])
    other = Sidecar(world, "b")
    other.sync(need=600)
    other.spent = 600
    assert wait_ms(other.sync(need=300)) is None


def test_however_many_wait_a_bounded_number_asks() -> None:
    """Those beyond are turned away as before, and asks of one limit stay within 200 a second."""
    recalls = Recalls()
    recalls.seen(KEY, Holder("idle", "1"), rest=10, free=10, now_ms=0)
    told = [recalls.waits(KEY, Holder(f"s{n}", "1"), 1) for n in range(200)]
    waiting = [ms for ms in told if ms]
    assert len(waiting) == limits.RECALL_ASKERS_MAX
    assert len(waiting) * 1000 / max(waiting) <= limits.TURNS_PER_SECOND
    assert recalls.called() == {"idle"}
    assert recalls.called() == set()


def test_callers_that_gave_up_make_room_and_nobody_yields_to_them() -> None:
    """A holder that does not ask again has nobody who waits."""
    recalls, idle = Recalls(), Holder("idle", "1")
    recalls.seen(KEY, idle, rest=10, free=10, now_ms=0)
    for number in range(limits.RECALL_ASKERS_MAX):
        recalls.waits(KEY, Holder(f"s{number}", "1"), 1)
    assert recalls.must_yield(KEY, idle, 1)
    later_ms = 2 + limits.RECALL_FORGOTTEN_MS
    assert not recalls.must_yield(KEY, idle, later_ms)
    assert recalls.waits(KEY, Holder("new", "1"), later_ms)

"""A restored ledger grants nothing until every living holder has come; they keep their leases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.arithmetic import Pot
from pointsman_operator.ledger.messages import Denial, Denied, SyncAnswer
from pointsman_operator.ledger.schema import leases, pots
from support.ledger_world import DAY, TODAY, LedgerWorld, report, sqlite_at, want

TOMORROW = "2026-11-23+01:00"


def pot(world: LedgerWorld, window: str = TODAY) -> Pot:
    """The pot of a window as the ledger shows it."""
    balances = world.run(world.ledger.balances(every=True))
    return next(b.pot for b in balances if (b.account, b.window) == (DAY, window))


def restore(world: LedgerWorld, *, knows: bool = False) -> None:
    """The ledger is set back, to a backup that knows its leases or to an empty one."""

    def forget(connection: Connection) -> None:
        connection.execute(delete(leases))
        connection.execute(delete(pots))

    if not knows:
        world.run(world.ledger.database.write(forget))
    world.run(world.ledger.begin_incarnation("test"))


def granted(world: LedgerWorld, sidecar: str = "a", amount: int = 100) -> str:
    """The id of a lease that a holder was granted before the restore."""
    (lease,) = world.sync(sidecar, incarnation=1, wants=[want(amount)]).leases
    return lease.id


def goes_on(
    world: LedgerWorld, lease: str, sidecar: str = "a", *, since: int = 1, **numbers: Any
) -> SyncAnswer:
    """A holder of that incarnation reports what it holds."""
    held = report(lease, **{"window": TODAY, "granted": 100, **numbers})
    return world.sync(sidecar, incarnation=since, leases=[held])


def refused(answer: SyncAnswer) -> Denied:
    """The only denial of an answer: nothing was granted."""
    (denied,) = answer.denied
    assert not answer.leases
    return denied


def pass_by(world: LedgerWorld, elapsed_ms: int) -> None:
    """Time passes, and the hub commits as it does every ten seconds."""
    world.clock.time_ms += elapsed_ms
    world.run(world.ledger.sweep())


def test_nothing_is_granted_until_every_holder_had_time_to_come(world: LedgerWorld) -> None:
    """Neither to a new holder nor to one of before; each is told when it is worth asking again."""
    restore(world)
    for sidecar, incarnation in (("new", 0), ("late", 1), ("told", world.incarnation)):
        answer = world.sync(sidecar, incarnation=incarnation, wants=[want(5)])
        denied = refused(answer)
        assert (denied.code, denied.limit, denied.used) == (Denial.RESTORED, 1000, 0)
        assert denied.resets_at == "2026-11-23T00:00:00+01:00"
        most_ms = limits.RESTORE_SETTLE_MS + limits.RESTORE_SPREAD_MS
        assert limits.RESTORE_SETTLE_MS <= (denied.again_ms or 0) < most_ms
    pass_by(world, limits.RESTORE_SETTLE_MS - 1)
    asked: dict[str, Any] = {"incarnation": world.incarnation, "wants": [want(5)]}
    assert refused(world.sync("new", **asked)).code is Denial.RESTORED
    pass_by(world, 1)
    assert [le.granted for le in world.sync("new", **asked).leases] == [5]


def test_holders_come_back_one_after_another(world: LedgerWorld) -> None:
    """Each at a moment of its own, the same however often it asks."""
    restore(world)
    told = [refused(world.sync(f"s{n}", wants=[want(1)])).again_ms or 0 for n in range(40)]
    assert len(set(told)) > 30
    assert max(told) - min(told) > limits.RESTORE_SPREAD_MS // 2
    pass_by(world, 20_000)
    later = refused(world.sync("s0", incarnation=world.incarnation, wants=[want(1)])).again_ms
    assert later == told[0] - 20_000


def test_a_prefetch_is_denied_as_well_and_unknown_accounts_as_ever(world: LedgerWorld) -> None:
    """A holder without callers knows then, too, what to tell the first one."""
    restore(world)
    assert refused(world.sync(wants=[want(0, 50)])).code is Denial.RESTORED
    assert refused(world.sync(wants=[want(0, 50, next=True)])).code is Denial.NOT_YET
    gone = want(5) | {"account": "demo/gone/day"}
    assert refused(world.sync(wants=[gone])).code is Denial.UNKNOWN_ACCOUNT


@pytest.mark.parametrize("knows", [True, False])
def test_a_holder_keeps_its_lease(world: LedgerWorld, knows: bool) -> None:  # noqa: FBT001
    """Lost by the restore or unknown to the backup: it is listed, renewed, and counts as leased."""
    mine = granted(world)
    restore(world, knows=knows)
    (kept,) = goes_on(world, mine, spent=30, returned=10).leases
    assert (kept.id, kept.granted, kept.window.key) == (mine, 100, TODAY)
    assert (pot(world).settled, pot(world).leased, pot(world).unconfirmed) == (30, 60, 0)
    assert pot(world).holders == 1
    pass_by(world, limits.HARD_EXPIRY_MS)
    (kept,) = goes_on(world, mine, since=world.incarnation, spent=50, returned=10).leases
    assert (pot(world).settled, pot(world).leased) == (50, 40)
    pass_by(world, limits.HARD_EXPIRY_MS + limits.EXPIRY_MARGIN_MS)
    assert (pot(world).leased, pot(world).unconfirmed) == (0, 40), "silent, as any other"


def test_what_was_granted_after_the_backup_stays(world: LedgerWorld) -> None:
    """The backup knows a smaller grant: the holder's larger one stands, and is not for others."""
    mine = granted(world)
    restore(world, knows=True)
    (kept,) = goes_on(world, mine, granted=700, spent=300).leases
    assert kept.granted == 700
    assert (pot(world).settled, pot(world).leased, pot(world).available) == (300, 400, 300)
    pass_by(world, limits.RESTORE_SETTLE_MS)
    answer = world.sync("b", incarnation=world.incarnation, wants=[want(400)])
    assert [le.granted for le in answer.leases] == [300]
    assert refused_code(answer) is Denial.EXHAUSTED


def refused_code(answer: SyncAnswer) -> Denial:
    """Why the only want was not met."""
    (denied,) = answer.denied
    return denied.code


def test_who_comes_too_late_has_lost_its_lease(world: LedgerWorld) -> None:
    """Its money may be granted to others by then: what it says is booked, nothing is listed."""
    mine = granted(world)
    restore(world)
    pass_by(world, limits.RESTORE_SETTLE_MS)
    assert goes_on(world, mine, spent=30).leases == []
    assert (pot(world).settled, pot(world).leased) == (30, 0)


def test_a_restart_does_not_shorten_the_time(world: LedgerWorld) -> None:
    """A hub that ends before every holder could come gives them all of it again."""
    restore(world)
    began = world.incarnation
    pass_by(world, limits.RESTORE_SETTLE_MS - 1)
    world.restart()
    again_ms = refused(world.sync(wants=[want(5)])).again_ms or 0
    assert again_ms >= limits.RESTORE_SETTLE_MS
    # Away for longer than the time lasts: nobody could come.
    world.clock.time_ms += 10 * limits.RESTORE_SETTLE_MS
    world.restart()
    assert refused(world.sync(wants=[want(5)])).code is Denial.RESTORED
    assert world.incarnation == began
    pass_by(world, limits.RESTORE_SETTLE_MS)
    assert world.sync(incarnation=world.incarnation, wants=[want(5)]).leases


def test_once_it_is_over_a_restart_grants_at_once(world: LedgerWorld) -> None:
    """Holders are known by then."""
    restore(world)
    pass_by(world, limits.RESTORE_SETTLE_MS)
    world.restart()
    assert world.sync(incarnation=world.incarnation, wants=[want(5)]).leases


@pytest.mark.parametrize(
    ("numbers", "since"),
    [
        ({"granted": 1001}, 1),
        ({"granted": 5000, "spent": 3999}, 1),
        ({"closed": True}, 1),
        ({"granted": 0, "spent": 40}, 1),
        ({"window": "2020-01-01+01:00"}, 1),
        ({}, 0),
        ({}, None),
    ],
)
def test_what_cannot_be_a_living_lease_stays_lost(
    world: LedgerWorld, numbers: dict[str, Any], since: int | None
) -> None:
    """More than the limit, done with, never granted, of no known window or of no older ledger."""
    restore(world)
    said = world.incarnation if since is None else since
    assert goes_on(world, "mine", since=said, **numbers).leases == []
    window = numbers.get("window", TODAY)
    kept = pot(world, window)
    assert (kept.leased, kept.settled) == (0, numbers.get("spent", 0))


def test_a_lease_of_the_holders_own_is_booked_as_ever(world: LedgerWorld) -> None:
    """Nobody granted it, so nothing of it is left to go on with."""
    restore(world)
    assert goes_on(world, "u-1", spent=40).leases == []
    assert (pot(world).settled, pot(world).leased) == (40, 0)


def test_a_lease_of_an_unknown_budget_is_not_opened(world: LedgerWorld) -> None:
    """No table names it, so nobody says what its limit is."""
    restore(world)
    held = report("mine", window=TODAY, granted=100, spent=3) | {"account": "demo/gone/day"}
    assert world.sync(incarnation=1, leases=[held]).leases == []


def test_what_its_holder_closed_or_an_operator_released_stays_so(world: LedgerWorld) -> None:
    """Their money may be granted to others."""
    closed, released = granted(world, "a"), granted(world, "b")
    world.sync("a", incarnation=1, leases=[report(closed, spent=5, closed=True)])
    restore(world, knows=True)
    world.run(world.ledger.release(DAY, TODAY, "not spent"))
    assert goes_on(world, closed, "a", spent=5).leases == []
    assert goes_on(world, released, "b", spent=7).leases == []
    assert (pot(world).settled, pot(world).leased) == (12, 0)


def test_of_two_leases_of_a_pot_the_one_in_use_is_kept(world: LedgerWorld) -> None:
    """The other is void at its holder, and only what runs on it is settled there."""
    restore(world)
    void = report("void", window=TODAY, granted=90, returned=60, spent=10, free=0)
    live = report("live", window=TODAY, granted=100, spent=20, free=50)
    for _ in range(2):
        (kept,) = world.sync(incarnation=1, leases=[void, live]).leases
        assert kept.id == "live"
    assert (pot(world).settled, pot(world).leased, pot(world).holders) == (30, 80, 1)


def test_an_answer_that_was_lost_changes_nothing(world: LedgerWorld) -> None:
    """Its holder comes again as one of the old incarnation, also when the time is over."""
    restore(world)
    first = goes_on(world, "mine", spent=10).leases
    pass_by(world, limits.RESTORE_SETTLE_MS)
    again = goes_on(world, "mine", spent=10).leases
    assert [le.id for le in first] == [le.id for le in again] == ["mine"]
    assert (pot(world).settled, pot(world).leased) == (10, 90)


def test_an_old_request_that_comes_late_speaks_for_nobody(world: LedgerWorld) -> None:
    """Its holder has closed and forgotten the lease: told of it, it would spend all of it again."""
    restore(world)
    goes_on(world, "closed before the restore", spent=10)
    answer = world.sync("a", incarnation=world.incarnation, leases=[])
    assert answer.leases == []
    assert (pot(world).settled, pot(world).unconfirmed, pot(world).leased) == (10, 90, 0)


def test_a_second_restore_begins_it_anew(world: LedgerWorld) -> None:
    """What was readmitted once is readmitted again."""
    restore(world)
    goes_on(world, "mine", spent=10)
    pass_by(world, limits.RESTORE_SETTLE_MS)
    first = world.incarnation
    restore(world)
    assert refused(world.sync("b", wants=[want(5)])).code is Denial.RESTORED
    (kept,) = goes_on(world, "mine", since=first, spent=20).leases
    assert (kept.granted, pot(world).leased) == (100, 80)


def test_one_backup_restored_twice_is_two_incarnations(tmp_path: Path) -> None:
    """A holder of the first keeps its lease in the second: it is not taken for the same ledger."""
    file = tmp_path / "ledger.db"
    world = LedgerWorld(sqlite_at(file))
    world.run(world.shut())
    backup = file.read_bytes()
    seen = []
    for _ in range(2):
        file.write_bytes(backup)
        world.run(world.open())
        world.run(world.ledger.begin_incarnation("test"))
        seen.append(world.incarnation)
        if len(seen) == 1:
            pass_by(world, limits.RESTORE_SETTLE_MS)
            (lease,) = world.sync("a", incarnation=world.incarnation, wants=[want(100)]).leases
            world.run(world.shut())
    assert seen[0] < seen[1]
    (kept,) = goes_on(world, lease.id, since=seen[0], spent=20).leases
    assert (kept.granted, pot(world).settled, pot(world).leased) == (100, 20, 80)
    world.close()


def test_an_older_engine_gives_everything_back(world: LedgerWorld) -> None:
    """It voids all its leases, also those that are listed: their free money is for others."""
    restore(world)
    assert goes_on(world, "mine", spent=10).leases
    goes_on(world, "mine", since=world.incarnation, spent=10, returned=90, closed=True)
    assert (pot(world).settled, pot(world).leased, pot(world).holders) == (10, 0, 0)
    answer = world.sync(incarnation=world.incarnation, wants=[want(5)])
    assert refused(answer).code is Denial.RESTORED


def test_a_lease_ahead_is_kept(world: LedgerWorld) -> None:
    """Tomorrow's money was granted before midnight: its window is known by the calendar."""
    restore(world)
    (kept,) = goes_on(world, "mine", window=TOMORROW).leases
    assert (kept.window.key, pot(world, TOMORROW).leased) == (TOMORROW, 100)


def test_every_holders_lease_together_is_within_the_limit(world: LedgerWorld) -> None:
    """Once all have come, what is granted anew is what none of them holds."""
    ids = [granted(world, name, 200) for name in ("a", "b", "c")]
    restore(world)
    for name, lease in zip("abc", ids, strict=True):
        assert goes_on(world, lease, name, granted=200).leases
    pass_by(world, limits.RESTORE_SETTLE_MS)
    (rest,) = world.sync("d", incarnation=world.incarnation, wants=[want(1000)]).leases
    assert rest.granted == 400
    assert (pot(world).leased, pot(world).available, pot(world).overrun) == (1000, 0, 0)

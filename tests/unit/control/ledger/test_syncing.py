"""What one sync does, in the order of the contract: reports, wants, the answer."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman_operator.ledger import limits
from pointsman_operator.ledger.accounts import Threshold
from pointsman_operator.ledger.arithmetic import Pot
from pointsman_operator.ledger.errors import NotReleasable
from pointsman_operator.ledger.messages import Denial, SyncAnswer
from support.ledger_world import DAY, TODAY, LedgerWorld, day_account, report, want

TOMORROW = "2026-11-23+01:00"
MIDNIGHT_MS = 1_795_388_400_000
"""2026-11-23T00:00:00+01:00."""


def pot(world: LedgerWorld, window: str = TODAY) -> Pot:
    """The pot of a window as the ledger shows it."""
    balances = world.run(world.ledger.balances(every=True))
    return next(b.pot for b in balances if (b.account, b.window) == (DAY, window))


def lease_id(answer: SyncAnswer) -> str:
    """The only lease of an answer."""
    (lease,) = answer.leases
    return lease.id


def test_a_want_is_granted_and_listed(world: LedgerWorld) -> None:
    """The first want makes a lease, with its window's ends and the current state of the account."""
    answer = world.sync(wants=[want(10, 100)])
    (lease,), (state,) = answer.leases, answer.states
    assert (lease.account, lease.granted, lease.recall) == (DAY, 100, False)
    assert lease.window.key == TODAY
    assert (lease.window.start, lease.window.end) == (
        "2026-11-22T00:00:00+01:00",
        "2026-11-23T00:00:00+01:00",
    )
    assert (lease.hard_expiry_ms, lease.renew_every_ms) == (900_000, 30_000)
    assert (state.limit, state.used, state.threshold) == (1000, 0, 0)
    assert (answer.now_ms, answer.incarnation, answer.seq) == (world.clock.time_ms, 1, 1)


def test_a_repeated_want_grants_once(world: LedgerWorld) -> None:
    """A holder whose answer was lost asks again and finds what it was granted."""
    first = world.sync(wants=[want(10, 100)])
    assert world.sync(wants=[want(10, 100)]).leases == first.leases
    assert pot(world).leased == 100


def test_reports_are_applied_before_wants(world: LedgerWorld) -> None:
    """Money given back in a request can be granted in the same one."""
    mine = lease_id(world.sync(wants=[want(1000)]))
    done = report(mine, granted=1000, returned=600, spent=400, closed=True)
    answer = world.sync(leases=[done], wants=[want(600)])
    assert [lease.granted for lease in answer.leases] == [600]
    assert not answer.denied


def test_a_lost_answer_is_repaired_by_the_next(world: LedgerWorld) -> None:
    """Every answer lists all open leases of the boot, also those that the request does not name."""
    first = world.sync(wants=[want(10)])
    assert world.sync().leases == first.leases


def test_each_boot_has_leases_of_its_own(world: LedgerWorld) -> None:
    """A new start of the engine neither sees nor renews what the old one held."""
    world.sync(boot="1", wants=[want(10)])
    assert world.sync(boot="2").leases == []


def test_another_holder_cannot_touch_a_lease(world: LedgerWorld) -> None:
    """A foreign lease id is an unknown one: it is booked on the reporter, the lease stays."""
    mine = lease_id(world.sync("a", wants=[want(100)]))
    world.sync("b", leases=[report(mine, spent=0, returned=100, closed=True)])
    assert pot(world).leased == 100


def test_short_money_is_granted_and_denied(world: LedgerWorld) -> None:
    """Less than the need: what is left is granted and the account is listed as exhausted."""
    answer = world.sync(wants=[want(1500)])
    assert [lease.granted for lease in answer.leases] == [1000]
    (denied,) = answer.denied
    assert (denied.code, denied.limit, denied.used) == (Denial.EXHAUSTED, 1000, 0)
    assert denied.resets_at == "2026-11-23T00:00:00+01:00"


def test_a_block_threshold_below_the_limit_is_named(world: LedgerWorld) -> None:
    """Where the limit still has money and a threshold says stop, the code is `blocked`."""
    world.ledger.accounts = {DAY: day_account(1000, [Threshold(80, blocks=True)])}
    (denied,) = world.sync(wants=[want(900)]).denied
    assert denied.code is Denial.BLOCKED
    assert pot(world).leased == 800


def test_an_unknown_account_is_denied(world: LedgerWorld) -> None:
    """A Budget that no table names gets no money, and no pot."""
    answer = world.sync(wants=[want(1) | {"account": "demo/gone/day"}])
    assert [denied.code for denied in answer.denied] == [Denial.UNKNOWN_ACCOUNT]
    assert "resets_at" not in answer.model_dump(exclude_none=True)["denied"][0]
    assert answer.states == []


def test_the_highest_crossed_threshold_is_told(world: LedgerWorld) -> None:
    """80 % of the limit spent: the state says 80, at 100 % it says 100."""
    marks = [Threshold(50, blocks=False), Threshold(80, blocks=False), Threshold(100, blocks=True)]
    world.ledger.accounts = {DAY: day_account(1000, marks)}
    mine = lease_id(world.sync(wants=[want(1000)]))
    told = [
        world.sync(leases=[report(mine, spent=spent)]).states[0].threshold
        for spent in (499, 500, 799, 800, 1000)
    ]
    assert told == [0, 50, 50, 80, 100]


def test_a_silent_lease_counts_as_spent_until_it_is_reported(world: LedgerWorld) -> None:
    """After the hard expiry and the margin the rest is unconfirmed; a late report moves it back."""
    mine = lease_id(world.sync(wants=[want(100)]))
    world.clock.time_ms += limits.HARD_EXPIRY_MS + limits.EXPIRY_MARGIN_MS - 1
    assert world.run(world.ledger.sweep()) == 0
    world.clock.time_ms += 1
    assert world.run(world.ledger.sweep()) == 1
    assert (pot(world).unconfirmed, pot(world).leased) == (100, 0)
    answer = world.sync(leases=[report(mine, spent=30)])
    assert answer.leases == []
    assert (pot(world).settled, pot(world).unconfirmed) == (30, 70)
    world.sync(leases=[report(mine, spent=40, closed=True)])
    assert (pot(world).settled, pot(world).unconfirmed, pot(world).available) == (40, 0, 960)


def test_a_sync_renews(world: LedgerWorld) -> None:
    """A holder that keeps syncing keeps its lease."""
    world.sync(wants=[want(100)])
    for _ in range(3):
        world.clock.time_ms += limits.HARD_EXPIRY_MS
        world.sync()
        assert world.run(world.ledger.sweep()) == 0


def test_after_a_start_nothing_expires_at_once(world: LedgerWorld) -> None:
    """A hub that was away gives its holders two renewals before it calls them silent."""
    world.sync(wants=[want(100)])
    world.clock.time_ms += 2 * limits.HARD_EXPIRY_MS
    world.restart()
    assert world.run(world.ledger.sweep()) == 0
    world.clock.time_ms += limits.STARTUP_GRACE_MS
    assert world.run(world.ledger.sweep()) == 1


def test_a_final_sync_closes_what_was_never_used(world: LedgerWorld) -> None:
    """A grant whose answer was lost does not end as unconfirmed money."""
    world.sync(wants=[want(100)])
    world.sync(final=True)
    assert pot(world).available == 1000


def test_a_final_sync_leaves_open_what_it_names(world: LedgerWorld) -> None:
    """A call still runs on it: the lease ends by its own report, or by its expiry."""
    mine = lease_id(world.sync(wants=[want(100)]))
    world.sync(final=True, leases=[report(mine, spent=30)])
    assert (pot(world).settled, pot(world).leased) == (30, 70)


def test_balances_show_what_matters_now(world: LedgerWorld) -> None:
    """Current windows and those with open money; a past window without any only on demand."""
    done = report("u-1", window="2026-11-20+01:00", spent=5, closed=True)
    open_money = report("u-2", window="2026-11-21+01:00", unconfirmed=5, closed=True)
    world.sync(leases=[done, open_money])
    held = world.run(world.ledger.balances())
    assert sum(b.current for b in held) == 1
    shown = {b.window for b in held}
    assert shown == {"2026-11-21+01:00", TODAY}
    every = {b.window for b in world.run(world.ledger.balances(every=True))}
    assert every == shown | {"2026-11-20+01:00"}


def test_an_operator_releases_what_is_unconfirmed(world: LedgerWorld) -> None:
    """Lost and closed leases of that window are freed; open ones are not touched."""
    world.sync("lost", wants=[want(100)])
    world.clock.time_ms += 2 * limits.HARD_EXPIRY_MS
    world.run(world.ledger.sweep())
    world.sync("open", wants=[want(50)])
    world.sync("done", leases=[report("u-1", spent=5, unconfirmed=7, closed=True)])
    world.sync("clean", leases=[report("u-1", spent=5, closed=True)])
    assert world.run(world.ledger.release(DAY, TODAY, "gone")) == 107
    assert pot(world) == Pot(1000, settled=10, leased=50, holders=1)
    with pytest.raises(NotReleasable, match="nothing is unconfirmed"):
        world.run(world.ledger.release(DAY, TODAY, "again"))


def test_an_unknown_lease_is_booked_with_what_was_spent(world: LedgerWorld) -> None:
    """Leases lost by a restore, and spending without a lease, count; their grant does not."""
    lost = report("u-1", window=TODAY, granted=500, spent=30, unconfirmed=5)
    for _ in range(2):
        assert world.sync(leases=[lost]).leases == []
    assert pot(world) == Pot(1000, settled=30, unconfirmed=5)
    assert world.ledger.unknown_leases == 1


def test_an_unknown_lease_without_window_is_booked_now(world: LedgerWorld) -> None:
    """It counts in the window in which the hub first sees it, also when reported again later."""
    world.sync(leases=[report("u-1", spent=30)])
    world.clock.time_ms = MIDNIGHT_MS
    world.sync(leases=[report("u-1", spent=40)])
    assert pot(world).settled == 40


def test_an_unknown_account_keeps_what_was_spent(world: LedgerWorld) -> None:
    """A report on a Budget that is gone is kept, without a limit."""
    foreign: dict[str, Any] = {"id": "u-1", "account": "demo/gone/day", "spent": 7}
    world.sync(leases=[foreign, foreign | {"id": "u-2", "window": "2026-01-01+01:00"}])
    balances = world.run(world.ledger.balances(every=True))
    gone = {b.window: b for b in balances if b.account == "demo/gone/day"}
    assert set(gone) == {"unknown", "2026-01-01+01:00"}
    assert all(b.pot.overrun == 7 and not b.declared for b in gone.values())


def test_the_next_window_is_granted_ahead_but_not_too_early(world: LedgerWorld) -> None:
    """Within the outage horizon before its start, the next window's money can be had."""
    (denied,) = world.sync(wants=[want(10, next=True)]).denied
    assert denied.code is Denial.NOT_YET
    world.clock.time_ms = MIDNIGHT_MS - limits.HARD_EXPIRY_MS
    answer = world.sync(wants=[want(10, next=True), want(20)])
    assert [(le.window.key, le.granted) for le in answer.leases] == [(TODAY, 20), (TOMORROW, 10)]
    assert pot(world, TOMORROW) == Pot(1000, leased=10, holders=1)


def test_a_call_admitted_before_midnight_may_want_more_after_it(world: LedgerWorld) -> None:
    """An open lease of a window that is over may grow; without one, only for a while."""
    mine = lease_id(world.sync(wants=[want(10)]))
    world.clock.time_ms = MIDNIGHT_MS + limits.HARD_EXPIRY_MS + 1
    answer = world.sync(wants=[want(5, window=TODAY, have=10)])
    assert [(le.id, le.granted) for le in answer.leases] == [(mine, 15)]
    (denied,) = world.sync("b", wants=[want(5, window=TODAY)]).denied
    assert (denied.code, denied.window) == (Denial.NOT_YET, TODAY)


def test_a_window_of_no_known_name_is_not_granted(world: LedgerWorld) -> None:
    """Neither around now nor remembered: not granted."""
    (denied,) = world.sync(wants=[want(5, window="1999-01-01+01:00")]).denied
    assert denied.code is Denial.NOT_YET


def test_an_old_window_is_found_by_its_pot(world: LedgerWorld) -> None:
    """Days later the pot still knows its window, and keeps the limit that it had."""
    mine = lease_id(world.sync(wants=[want(10)]))
    world.clock.time_ms = MIDNIGHT_MS + 3 * 86_400_000
    world.ledger.accounts = {DAY: day_account(5)}
    answer = world.sync(leases=[report(mine, window=TODAY)], wants=[want(7, window=TODAY, have=10)])
    assert [lease.granted for lease in answer.leases] == [17]
    assert pot(world).limit == 1000


def test_a_lowered_limit_holds_at_once(world: LedgerWorld) -> None:
    """The table's limit counts for the running window; what was granted above it is overrun."""
    world.sync(wants=[want(300)])
    world.ledger.accounts = {DAY: day_account(200)}
    assert world.sync(wants=[want(1, have=300)]).denied
    assert (pot(world).available, pot(world).overrun) == (0, 100)


def test_after_a_restore_what_its_holder_is_done_with_is_settled(world: LedgerWorld) -> None:
    """Old leases are lost until reported; engines that void them would void new grants as well."""
    mine = lease_id(world.sync(incarnation=1, wants=[want(100)]))
    restored = world.run(world.ledger.begin_incarnation("restored by hand"))
    assert pot(world).unconfirmed == 100
    world.clock.time_ms += limits.RESTORE_SETTLE_MS
    answer = world.sync(incarnation=1, wants=[want(5)])
    assert (answer.incarnation, answer.leases, answer.denied) == (restored, [], [])
    spent = report(mine, window=TODAY, spent=60, closed=True)
    answer = world.sync(incarnation=restored, leases=[spent], wants=[want(5)])
    assert [lease.granted for lease in answer.leases] == [5]
    assert (pot(world).settled, pot(world).unconfirmed) == (60, 0)


def test_an_idle_sole_holder_gives_to_a_newcomer_that_was_turned_away(world: LedgerWorld) -> None:
    """One holder has everything; it is asked back for the sake of one that has nothing."""
    (lease,) = world.sync(wants=[want(1000)]).leases
    mine = report(lease.id, window=lease.window.key, granted=1000, spent=100)
    (kept,) = world.sync(leases=[mine]).leases
    assert not kept.recall, "nobody else wants it"
    assert world.sync(sidecar="b", wants=[want(50)]).denied
    (kept,) = world.sync(leases=[mine]).leases
    assert (kept.recall, kept.renew_every_ms) == (True, 1000)
    world.sync(leases=[mine | {"returned": 900}])
    assert not world.sync(sidecar="b", wants=[want(50)]).denied


def test_what_is_kept_for_an_outage_is_recalled_near_the_end(world: LedgerWorld) -> None:
    """A want of a reserve alone is no need: others are served first."""
    mine = lease_id(world.sync("a", wants=[want(10, 10, reserve=400)]))
    assert pot(world).leased == 400
    (denied,) = world.sync("b", wants=[want(700)]).denied
    assert denied.code is Denial.EXHAUSTED
    held = [report(mine, granted=400, spent=0)]
    (lease,) = world.sync("a", leases=held, wants=[want(0, 0, have=400, reserve=900)]).leases
    assert (lease.granted, lease.recall) == (400, True)

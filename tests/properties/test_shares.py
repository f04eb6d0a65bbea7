"""Shares of limits: whatever is lost, repeated or killed, no minute sees more than there is.

Holders are played here as the engine plays them (`sidecar/engine/core/src/quota/share.rs`): they
spend what they hold without asking, give back only what has rested, and let a share lapse in time.
Messages between them and the hub's own arithmetic are lost, repeated and overtaken at will.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pointsman_operator.hub import limits
from pointsman_operator.hub.quota.messages import HoldReport, Unit
from pointsman_operator.hub.quota.pot import Pot, Word

MINUTE_MS = 60_000
HOLDER_RESTS_MS = 61_000
"""A unit of a holder rests at least so long: its ring has whole seconds."""


@dataclass
class Played:
    """A holder, as the engine is one."""

    name: tuple[str, str]
    term: int = 1
    granted: int = 0
    returned: int = 0
    expires_ms: int = 0
    used: deque[tuple[int, int]] = field(default_factory=deque)
    dead: bool = False

    def look(self, now_ms: int) -> None:
        """Let go what has rested, and lapse in time."""
        while self.used and self.used[0][0] + HOLDER_RESTS_MS <= now_ms:
            self.used.popleft()
        if now_ms >= self.expires_ms and self.granted > self.returned:
            self.term, self.granted, self.returned = self.term + 1, 0, 0

    @property
    def held(self) -> int:
        """Units that are its own now."""
        return self.granted - self.returned

    @property
    def free(self) -> int:
        """Of these, what does not rest."""
        return self.held - sum(count for _, count in self.used)

    def spend(self, count: int, now_ms: int) -> int:
        """What of it can be used."""
        self.look(now_ms)
        used = 0 if self.dead else max(0, min(count, self.free))
        if used:
            self.used.append((now_ms, used))
        return used

    def says(self, want: int, need: int, now_ms: int) -> HoldReport:
        """Its report."""
        self.look(now_ms)
        return HoldReport(
            limit="a/b/c",
            unit=Unit.REQUESTS,
            term=self.term,
            granted=self.granted,
            returned=self.returned,
            want=max(want, need),
            need=need,
        )

    def hears(self, word: Word, term: int, sent_ms: int, now_ms: int) -> None:
        """The answer to what it sent then."""
        self.look(now_ms)
        if self.dead or term != self.term:
            return
        self.expires_ms = max(self.expires_ms, sent_ms + limits.SHARE_HORIZON_MS)
        self.granted = max(self.granted, word.granted)
        self.returned += max(0, min(self.held - word.keep, self.free))


class Shares(RuleBasedStateMachine):
    """A hub's pot and the holders around it."""

    @initialize(total=st.integers(1, 40), count=st.integers(1, 6))
    def begin(self, total: int, count: int) -> None:
        """A limit and those that share it."""
        self.now_ms, self.total = 10_000_000, total
        self.pot = Pot(total)
        self.holders = [Played((f"s{number}", "1")) for number in range(count)]
        self.spent: deque[tuple[int, int]] = deque()
        self.asked: list[tuple[int, HoldReport, int]] = []
        self.told: list[tuple[int, Word, int, int]] = []
        self.grants_from_ms = 0

    def _spend(self, holder: Played, count: int) -> None:
        if used := holder.spend(count, self.now_ms):
            self.spent.append((self.now_ms, used))

    @rule(which=st.integers(0, 5), count=st.integers(1, 40))
    def spend(self, which: int, count: int) -> None:
        """Calls go out at one of them."""
        self._spend(self.holders[which % len(self.holders)], count)

    @rule(which=st.integers(0, 5), want=st.integers(0, 60), need=st.integers(0, 8))
    def ask(self, which: int, want: int, need: int) -> None:
        """A request goes out; it may arrive now, later, twice, or never."""
        place = which % len(self.holders)
        if not self.holders[place].dead:
            said = self.holders[place].says(want, need, self.now_ms)
            self.asked = [*self.asked[-15:], (place, said, self.now_ms)]

    @rule(pick=st.integers(0, 15))
    def arrive(self, pick: int) -> None:
        """A request reaches the hub; its answer is under way."""
        if not self.asked:
            return
        place, said, sent_ms = self.asked[pick % len(self.asked)]
        if self.now_ms - sent_ms > limits.SHARE_MARGIN_MS:
            return  # no request is under way for longer
        grants = self.now_ms >= self.grants_from_ms
        word = self.pot.hear(self.holders[place].name, said, self.now_ms, grants=grants)
        self.told = [*self.told[-15:], (place, word, said.term, sent_ms)]

    @rule(pick=st.integers(0, 15))
    def answer(self, pick: int) -> None:
        """An answer reaches its holder, perhaps late."""
        if self.told:
            place, word, term, sent_ms = self.told[pick % len(self.told)]
            self.holders[place].hears(word, term, sent_ms, self.now_ms)

    @rule(which=st.integers(0, 5))
    def talk(self, which: int) -> None:
        """A whole exchange, as it goes nearly always."""
        place = which % len(self.holders)
        self.ask(place, 50, 1)
        self.arrive(len(self.asked) - 1)
        self.answer(len(self.told) - 1)

    @rule()
    def rush(self) -> None:
        """Everybody asks for all of it and uses what it gets."""
        for place, holder in enumerate(self.holders):
            self.talk(place)
            self._spend(holder, holder.held)

    @rule(ms=st.integers(1, 70_000))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now_ms += ms

    @rule()
    def outage(self) -> None:
        """Longer than any share lasts: the hub gives up who was silent."""
        self.now_ms += limits.SHARE_HORIZON_MS + limits.SHARE_MARGIN_MS + 1
        before_ms = self.now_ms - limits.SHARE_HORIZON_MS - limits.SHARE_MARGIN_MS
        for name in self.pot.silent_since(before_ms):
            self.pot.end(name, self.now_ms)

    @rule(which=st.integers(0, 5))
    def killed(self, which: int) -> None:
        """A sidecar dies with what it held, after using all of it, and is there again."""
        place = which % len(self.holders)
        old = self.holders[place]
        self._spend(old, old.held)
        old.dead = True
        self.pot.end(old.name, self.now_ms)
        sidecar, boot = old.name
        self.holders[place] = Played((sidecar, str(int(boot) + 1)))
        self.asked = [it for it in self.asked if it[0] != place]
        self.told = [it for it in self.told if it[0] != place]

    @rule()
    def restarted(self) -> None:
        """The hub forgets all, and hands out nothing before those that live have spoken."""
        self.pot = Pot(self.total)
        self.asked, self.told = [], []
        self.grants_from_ms = self.now_ms + limits.SHARE_RESTS_MS
        for holder in self.holders:
            said = holder.says(0, 0, self.now_ms)
            self.pot.hear(holder.name, said, self.now_ms, grants=False)

    @invariant()
    def no_minute_sees_more_than_there_is(self) -> None:
        """What the provider counts."""
        if not hasattr(self, "pot"):
            return
        while self.spent and self.spent[0][0] + MINUTE_MS <= self.now_ms:
            self.spent.popleft()
        assert sum(count for _, count in self.spent) <= self.total

    @invariant()
    def holders_have_no_more_than_the_hub_knows(self) -> None:
        """And all of them no more than there is."""
        if not hasattr(self, "pot"):
            return
        for holder in self.holders:
            holder.look(self.now_ms)
        assert sum(holder.held for holder in self.holders) <= self.pot.held <= self.total
        assert self.pot.free(self.now_ms) >= 0


TestShares = Shares.TestCase
TestShares.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)

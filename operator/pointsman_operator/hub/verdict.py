"""What sidecars have seen of one target, and what follows for all of them. Pure, with tests' clock.

One pod has one voice. A target counts as down by the word of two of them (of one, where nobody else
has called it of late), unless as many were answered since it went down, or two after its latest
failure. So a sidecar whose own network is broken takes a target from nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pointsman_operator.hub import limits

SHARED = frozenset(
    {"Connect", "SlowFirstToken", "Server", "Overload", "MidStream", "TruncatedEarly"}
)
"""Classes (docs/contracts.md 3) that speak of the target and not of a key, a quota or a request."""


@dataclass(slots=True)
class Voice:
    """One pod's latest words on a target, by the hub's own clock (seconds)."""

    class_: str = ""
    """Of the failure that holds its breaker open; empty: it is closed."""
    since_s: float = 0.0
    """Its first failure."""
    failed_s: float = 0.0
    """Its latest failure."""
    answered_s: float = float("-inf")
    """When the call began that was answered last."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target is down."""

    number: int
    """Another one is another outage."""
    class_: str
    since_s: float


class Evidence:
    """All pods' voices on one target; of too many those heard of last."""

    __slots__ = ("_voices", "changed_s", "verdict")

    def __init__(self) -> None:
        self._voices: OrderedDict[str, Voice] = OrderedDict()
        self.verdict: Verdict | None = None
        self.changed_s = float("-inf")
        """When the verdict changed last."""

    def __len__(self) -> int:
        """How many pods have a voice."""
        return len(self._voices)

    def says(self, pod: str) -> Voice:
        """The pod's voice, to be changed; it has just spoken."""
        voice = self._voices.get(pod)
        if voice is None:
            voice = self._voices[pod] = Voice()
            if len(self._voices) > limits.VOICES_MAX:
                self._voices.popitem(last=False)
        self._voices.move_to_end(pod)
        return voice

    def forget(self, pod: str) -> None:
        """It is gone."""
        self._voices.pop(pod, None)

    def claims(self, now_s: float) -> list[Voice]:
        """Of those that find it down, whose word is still fresh."""
        fresh_s = now_s - limits.CLAIM_FRESH_S
        return [it for it in self._voices.values() if it.class_ and it.failed_s > fresh_s]

    def judge(self, now_s: float) -> bool:
        """Bring the verdict to what is known now; whether it has changed."""
        found = self._down(now_s)
        if (found is None) == (self.verdict is None):
            return False
        if now_s - self.changed_s < limits.VERDICT_HOLDS_S:
            return False
        self.verdict, self.changed_s = found, now_s
        return True

    def idle(self, now_s: float) -> bool:
        """Whether nothing of it is worth remembering."""
        old_s = now_s - limits.EVIDENCE_S
        spoke = (max(it.failed_s, it.answered_s) for it in self._voices.values())
        return self.verdict is None and all(moment < old_s for moment in spoke)

    def _down(self, now_s: float) -> Verdict | None:
        claims = self.claims(now_s)
        if not claims:
            return None
        answers = [it.answered_s for it in self._voices.values() if not it.class_]
        active_s = now_s - limits.EVIDENCE_S
        lone = len(claims) == 1 and not any(moment > active_s for moment in answers)
        quorum = 1 if lone else limits.WITNESSES
        if len(claims) < quorum:
            return None
        begun = sorted(it.since_s for it in claims)
        if self.verdict is None and begun[quorum - 1] > now_s - limits.CONTRADICTED_WITHIN_S:
            # Those who are answered must have had time to say so, and to know it themselves.
            return None
        # An outage that some still remember does not hide the next one: the latest count.
        began = begun[-quorum]
        last = max(claims, key=lambda it: it.failed_s)
        since_it_began = sum(moment > began for moment in answers)
        after_all = sum(moment > last.failed_s for moment in answers)
        if since_it_began >= len(claims) or after_all >= quorum:
            return None
        return Verdict(int(now_s * 1000), last.class_, began)

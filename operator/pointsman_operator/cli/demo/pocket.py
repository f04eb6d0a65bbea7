"""Act 3, a Budget ends: cheap models from 80 % on, and then the SDK's own error that says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI

from pointsman_operator.cli.demo.calls import Call, ask
from pointsman_operator.demo_data.questions import Question

TEAM = "trial"
BUDGET = "demo/trial"
MAX_TIER = 0
MODEL = "expert"
"""The example's rule that asks a dear model first."""
MAX_TOKENS = 256
"""The answers' cap: what is reserved for a running call is no more than it can cost."""
BRISK = {"firstTokenMs": 20, "tokensPerSecond": 2000}
"""How the simulated providers answer meanwhile: this act is about money, not about time."""
MAX_CALLS = 300
"""Far more than the Budget pays for; the act ends at its first refusal."""


@dataclass(frozen=True)
class Pocket:
    """What act 3 was."""

    calls: tuple[Call, ...]
    before: int
    downgraded: int
    not_leased: int
    refusal: openai.APIStatusError | None
    above_tier: int

    @property
    def message(self) -> str:
        """The native error as the caller reads it."""
        return "" if self.refusal is None else self.refusal.message

    @property
    def problems(self) -> list[str]:
        """What did not hold."""
        found = []
        if not self.before:
            found.append("no call was served before the downgrade")
        if not self.downgraded:
            found.append("no call was downgraded")
        if self.above_tier:
            found.append(
                f"{self.above_tier} downgraded calls went to a model above tier {MAX_TIER}"
            )
        if self.refusal is None:
            found.append("the Budget never refused")
        elif "trial" not in self.message or "reset" not in self.message:
            found.append(f"the error does not name the Budget and its reset: {self.message}")
        return found


async def act(
    client: AsyncOpenAI, questions: Sequence[Question], done: Callable[[], None]
) -> list[Call]:
    """Spend the team's pocket money call by call until one is refused; plain calls cost exactly.

    One after the other: what a running call may cost is reserved, and two of the dear model's
    reservations are more than the last fifth of so small a Budget.
    """
    calls: list[Call] = []
    for question in itertools.islice(itertools.cycle(questions), MAX_CALLS):
        call = Call(question.prompt, MODEL, stream=False, team=TEAM, max_tokens=MAX_TOKENS)
        calls.append(await ask(client, call))
        done()
        if used_up(call):
            break
    return calls


def judge(
    calls: Sequence[Call], records: Mapping[str, dict[str, Any]], tiers: Mapping[str, int]
) -> Pocket:
    """Which calls the Budget moved to cheap models, and how it ended."""
    served = [call for call in calls if call.ok]
    moved = [call for call in served if downgraded(records.get(call.request_id, {}))]
    refusals = [call.error for call in calls if used_up(call)]
    first = next((error for error in refusals if isinstance(error, openai.APIStatusError)), None)
    return Pocket(
        calls=tuple(calls),
        before=len(served) - len(moved),
        downgraded=len(moved),
        not_leased=sum(not call.ok and not used_up(call) for call in calls),
        refusal=first,
        above_tier=sum(tiers.get(call.model, 9) > MAX_TIER for call in moved),
    )


def used_up(call: Call) -> bool:
    """Whether this is the Budget's own refusal; a ledger that is slow on a busy machine is not."""
    return isinstance(call.error, openai.APIStatusError) and "used up" in call.error.message


def downgraded(record: dict[str, Any]) -> bool:
    """Whether a Budget's tier left a candidate out."""
    return any(one.get("filtered") == "budget_tier" for one in record.get("candidates", ()))

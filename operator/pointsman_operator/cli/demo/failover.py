"""Act 2, the primary provider dies: killed with streams in mid-answer, then started again."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import openai
from openai import AsyncOpenAI

from pointsman_operator.cli.demo.calls import Call, ask
from pointsman_operator.cli.demo.traffic import ANSWER
from pointsman_operator.cli.local.providers import Simulator
from pointsman_operator.demo_data.questions import Question

RULE = "steady"
STREAMS = 24
IN_MID_ANSWER = 16
WORKERS = 6
OUTAGE_S = 4.0
READY_WITHIN_S = 10.0
BACK_WITHIN_S = 20.0
LOOK_EVERY_S = 0.02
TEAM = "support"
SLOT_S = 0.5
"""Width of the timeline's bars."""


@dataclass(frozen=True)
class Failover:
    """What act 2 was; times in seconds."""

    calls: tuple[Call, ...]
    killed_s: float
    restarted_s: float
    in_mid_answer: int
    cut: int
    ended_whole: int
    looked_complete: int
    failed_before_answer: int
    not_the_sdks_error: int
    switched_after_s: float | None
    back_after_s: float | None

    @property
    def problems(self) -> list[str]:
        """What did not hold."""
        found = []
        if self.cut < 10:  # noqa: PLR2004  # the number that the demo promises
            found.append(f"the kill cut {self.cut} streams in mid-answer only")
        if self.looked_complete:
            found.append(f"{self.looked_complete} cut streams looked complete")
        if self.failed_before_answer:
            found.append(f"{self.failed_before_answer} calls failed that had not begun to answer")
        if self.not_the_sdks_error:
            found.append(f"{self.not_the_sdks_error} cut streams did not raise the SDK's API error")
        if self.switched_after_s is None:
            found.append("no other provider took over")
        if self.back_after_s is None:
            found.append(f"traffic did not come back within {BACK_WITHIN_S:.0f} s of the recovery")
        return found


async def act(
    client: AsyncOpenAI,
    questions: Sequence[Question],
    primary: Simulator,
    upstream: Mapping[str, str],
    models: frozenset[str],
    done: Callable[[], None],
) -> Failover:
    """Kill the primary (which serves `models`) under load, bring it back, see where calls go."""
    long = sorted(questions, key=lambda question: -shortest(question))
    streams = [Call(one.prompt, RULE, stream=True, team=TEAM) for one in long[:STREAMS]]
    running = [asyncio.create_task(ask(client, call)) for call in streams]
    background: list[Call] = []
    ending = asyncio.Event()
    prompts = itertools.cycle(question.prompt for question in reversed(long[-60:]))
    workers = [
        asyncio.create_task(work(client, prompts, background, ending)) for _ in range(WORKERS)
    ]
    await until(lambda: len(in_mid_answer(streams)) >= IN_MID_ANSWER, READY_WITHIN_S)
    done()
    primary.child.kill()
    hit, killed_s = in_mid_answer(streams), time.monotonic()
    await asyncio.sleep(OUTAGE_S)
    await asyncio.gather(*running)
    done()
    await asyncio.to_thread(primary.start)
    restarted_s = time.monotonic()

    def back() -> list[Call]:
        return [c for c in background if c.ok and c.model in models and c.began_s > restarted_s]

    await until(back, BACK_WITHIN_S)
    ending.set()
    await asyncio.gather(*workers)
    done()
    calls = [*streams, *background]
    switched = [
        call.first_s
        for call in calls
        if call.ok and call.first_s and call.began_s > killed_s and call.model not in models
    ]
    returned = [call.ended_s for call in back()]
    cut = [call for call in calls if call.cut]
    return Failover(
        calls=tuple(calls),
        killed_s=killed_s,
        restarted_s=restarted_s,
        in_mid_answer=len(hit),
        cut=sum(call.cut for call in hit),
        ended_whole=sum(call.ok and is_whole(call, questions, upstream) for call in hit),
        looked_complete=sum(call.ok and not is_whole(call, questions, upstream) for call in calls),
        failed_before_answer=sum(call.failed_before_answer for call in calls),
        not_the_sdks_error=sum(not isinstance(call.error, openai.APIError) for call in cut),
        switched_after_s=min(switched) - killed_s if switched else None,
        back_after_s=min(returned) - restarted_s if returned else None,
    )


async def work(
    client: AsyncOpenAI, prompts: Iterator[str], calls: list[Call], ending: asyncio.Event
) -> None:
    """Ask one short question after the other, plain and streamed in turn."""
    for number in itertools.count():
        if ending.is_set():
            return
        call = Call(next(prompts), RULE, stream=number % 2 == 0, team=TEAM)
        await ask(client, call)
        calls.append(call)


async def until(condition: Callable[[], object], within_s: float) -> None:
    """Wait for a condition, at most this long; what was not reached shows in the act's figures."""
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110  # no one event says it
        await asyncio.sleep(LOOK_EVERY_S)


def in_mid_answer(calls: Sequence[Call]) -> list[Call]:
    """Streams that have begun to answer and have not ended."""
    return [call for call in calls if call.first_s is not None and not call.ended_s]


def is_whole(call: Call, questions: Sequence[Question], upstream: Mapping[str, str]) -> bool:
    """Whether an answer is all that the record says: one cut short must not look complete."""
    question = next(one for one in questions if one.prompt == call.prompt)
    recorded = question.answers[upstream[call.model]]
    return len(call.text) == max(recorded.chars, len(final_line(recorded.text)))


def final_line(answer: str) -> str:
    """How a recorded final answer ends the simulator's text."""
    return f"{ANSWER}{answer}" if answer else ""


def shortest(question: Question) -> int:
    """The shortest recorded answer: however it is served, a stream lasts at least this long."""
    return min(answer.chars for answer in question.answers.values())


def timeline(failover: Failover) -> dict[str, Counter[int]]:
    """Ends of calls by `SLOT_S` since the kill, by model; `cut` and `failed` beside them."""
    found: dict[str, Counter[int]] = {}
    for call in failover.calls:
        slot = math.floor((call.ended_s - failover.killed_s) / SLOT_S)
        name = call.model if call.ok else "cut" if call.cut else "failed"
        found.setdefault(name, Counter())[slot] += 1
    return found

"""Act 1, normal traffic: every recorded question once, half of the answers streamed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openai import AsyncOpenAI

from pointsman_operator.cli.demo.calls import Call, ask
from pointsman_operator.demo_data.questions import Price, Question, outcome, singles
from pointsman_operator.demo_data.scoring import Line, Outcome, closing_table

CONCURRENCY = 40
TEAMS = ("support", "research", "sales")
ORDER_SEED = 4617
ANSWER = "Answer: "


@dataclass(frozen=True)
class Traffic:
    """What act 1 was: the calls, the closing table, and every model's recorded outcomes."""

    calls: tuple[Call, ...]
    lines: tuple[Line, ...]
    singles: Mapping[str, Sequence[Outcome]]
    problems: tuple[str, ...]


async def act(
    client: AsyncOpenAI, questions: Sequence[Question], done: Callable[[], None]
) -> list[Call]:
    """Ask all questions in a shuffled order; the calls come back in the questions' order."""
    calls = [
        Call(question.prompt, "auto", stream=number % 2 == 0, team=TEAMS[number % len(TEAMS)])
        for number, question in enumerate(questions)
    ]
    order = list(range(len(calls)))
    random.Random(ORDER_SEED).shuffle(order)  # noqa: S311  # the same order at every run
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(number: int) -> None:
        async with gate:
            await ask(client, calls[number])
        done()

    async with asyncio.TaskGroup() as group:
        for number in order:
            group.create_task(one(number))
    return calls


def judge(
    questions: Sequence[Question],
    calls: Sequence[Call],
    upstream: Mapping[str, str],
    prices: Mapping[str, Price],
) -> Traffic:
    """The closing table from the record, and whatever contradicts the record.

    `upstream` has each pool model's name at its provider, `prices` is by that name.
    """
    problems: list[str] = []
    chosen: list[Outcome] = []
    for question, call in zip(questions, calls, strict=True):
        model = upstream.get(call.model, "")
        if not call.ok or model not in question.answers:
            problems.append(f"{question.name}: {call.error or f'served by {call.model!r}'}")
            continue
        if final_answer(call.text) != question.answers[model].text:
            problems.append(f"{question.name}: {model} is not recorded to have said this")
        chosen.append(outcome(question, model, prices[model]))
    alone = singles(questions, prices)
    lines = closing_table(alone, chosen) if len(chosen) == len(questions) else []
    return Traffic(tuple(calls), tuple(lines), alone, tuple(problems))


def final_answer(text: str) -> str:
    """What stands behind `Answer: ` on the last line; empty where there is none."""
    last = text.rsplit("\n", 1)[-1]
    return last.removeprefix(ANSWER) if last.startswith(ANSWER) else ""

"""The demo's judges say no when an act did not hold, and its page keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from pointsman_operator.cli.demo import entry, failover, pocket, private, traffic
from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.cli.demo.failover import Failover
from pointsman_operator.cli.demo.story import Story
from pointsman_operator.demo_data.questions import Price, Question, load
from pointsman_operator.demo_data.scoring import Outcome, closing_table

MODEL = "gpt-4o-mini-2024-07-18"
UPSTREAM = {"main/gpt-4o-mini": MODEL}
HELD = Failover((), 100.0, 104.0, 12, 12, 0, 0, 0, 0, 0.2, 3.0)


def answered(question: Question, text: str = "") -> Call:
    """A question answered as the record says, or with this text."""
    call = Call(question.prompt, "auto", stream=False, team="support")
    call.model = "main/gpt-4o-mini"
    call.text = text or f"so it is\n\nAnswer: {question.answers[MODEL].text}"
    return call


def refused(message: str) -> openai.APIStatusError:
    """The SDK's native error."""
    request = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions")
    answer: Any = httpx.Response(429, request=request)  # the SDK's own httpx differs by generation
    return openai.RateLimitError(message, response=answer, body=None)


def recorded() -> list[Question]:
    """Questions to which the model gave a final answer."""
    return [question for question in load() if question.answers[MODEL].text][:40]


def test_the_closing_table_is_arithmetic_on_the_record() -> None:
    """Served by one model, Pointsman's line is that model's: same share correct, same cost."""
    questions = recorded()
    prices = {MODEL: Price(150_000, 600_000)}
    found = traffic.judge(questions, [answered(q) for q in questions], UPSTREAM, prices)
    assert found.problems == ()
    ours, alone = found.lines[-1], found.singles[MODEL]
    assert ours.percent.mean == pytest.approx(100 * sum(o.correct for o in alone) / len(alone))
    assert ours.cost.mean == pytest.approx(sum(o.cost for o in alone) / len(alone))


def test_cost_and_correctness_each_get_a_verdict_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Terminal, JSON and page say for both whether the paired interval shows a difference."""
    dear = [Outcome(float(n % 3 > 0), 900.0) for n in range(60)]
    cheap = [Outcome(float(n % 3 > 1), 100.0) for n in range(60)]
    chosen = [Outcome(o.correct, 900.0 + 10 * (-1) ** n) for n, o in enumerate(dear)]
    lines = tuple(closing_table({"dear": dear, "cheap": cheap}, chosen, resamples=200))
    story = Story(0.0)
    story.traffic = traffic.Traffic((), lines, {"dear": dear, "cheap": cheap}, ())
    rows = {row["name"]: row for row in entry.document(story)["table"]}
    best, least = rows["best single model"], rows["always cheapest"]
    assert (best["verdict"], best["cost_verdict"]) == ("no difference shown",) * 2
    assert least["verdict"] == "Pointsman is right more often"
    assert least["cost_verdict"] == "Pointsman costs more"
    entry.conclude(story, tmp_path / "demo.html", as_json=False)
    for text in (capsys.readouterr().out, (tmp_path / "demo.html").read_text()):
        words = " ".join(text.split())
        assert words.count("no difference shown") == 4  # best single and zero router, twice each
        assert "Pointsman is right more often" in words
        assert "Pointsman costs more" in words


def test_an_answer_that_is_not_the_recorded_one_is_found() -> None:
    """A model that says something else, or one that the record does not have, spoils the table."""
    questions = recorded()
    calls = [answered(question) for question in questions]
    calls[3].text = "Answer: 17 and a half"
    calls[5].model = "main/unheard-of"
    found = traffic.judge(questions, calls, UPSTREAM, {MODEL: Price(1, 1)})
    assert len(found.problems) == 2
    assert found.lines == ()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"cut": 9}, "cut 9 streams"),
        ({"looked_complete": 1}, "looked complete"),
        ({"failed_before_answer": 2}, "2 calls failed"),
        ({"not_the_sdks_error": 1}, "SDK's API error"),
        ({"switched_after_s": None}, "took over"),
        ({"back_after_s": None}, "did not come back"),
    ],
)
def test_a_failover_that_did_not_hold_is_told(wrong: dict[str, int | None], named: str) -> None:
    """Each promise of act 2 is checked by itself."""
    assert HELD.problems == []
    assert any(named in problem for problem in replace(HELD, **wrong).problems)  # type: ignore[arg-type]


def test_a_stream_cut_short_is_no_whole_answer() -> None:
    """An answer is whole only at the recorded length, whatever its end looks like."""
    question = max(recorded(), key=lambda one: one.answers[MODEL].chars)
    call = answered(question, "x" * question.answers[MODEL].chars)
    assert failover.is_whole(call, [question], UPSTREAM)
    call.text = call.text[:-1]
    assert not failover.is_whole(call, [question], UPSTREAM)


def test_the_budgets_end_is_told_by_the_sdks_error() -> None:
    """A downgrade, its tier, and an error that names Budget and reset; less does not pass."""
    before, cheap, last = (Call("q", "expert", stream=False, team="trial") for _ in range(3))
    before.request_id, before.model = "pm-1", "main/claude-3-5-sonnet"
    cheap.request_id, cheap.model = "pm-2", "main/gemini-1.5-flash"
    last.error = refused("Budget demo/trial is used up; it resets at 2026-12-01T00:00:00+01:00")
    records = {"pm-1": {}, "pm-2": {"candidates": [{"filtered": "budget_tier"}]}}
    tiers = {"main/claude-3-5-sonnet": 2, "main/gemini-1.5-flash": 0}
    good = pocket.judge([before, cheap, last], records, tiers)
    assert good.problems == []
    assert (good.before, good.downgraded) == (1, 1)
    cheap.model = "main/claude-3-5-sonnet"
    assert pocket.judge([before, cheap, last], records, tiers).above_tier == 1
    assert pocket.judge([before, last], records, tiers).problems == ["no call was downgraded"]
    last.error = refused("the ledger cannot be reached")
    silent = pocket.judge([before, cheap, last], records, tiers)
    assert silent.not_leased == 1
    assert "the Budget never refused" in silent.problems


def test_personal_data_that_left_the_machine_is_told() -> None:
    """Only the local model may have answered."""
    call = answered(recorded()[0])
    assert private.problems([call])
    call.model = private.MODEL
    assert private.problems([call]) == []

"""Where the command line enters the demo, once it knows that the SDK is installed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pointsman_operator.cli import exits
from pointsman_operator.cli.demo import closing, local_model, page
from pointsman_operator.cli.demo.story import DemoOptions, Story, play
from pointsman_operator.cli.output import OUT, emit, silent
from pointsman_operator.demo_data.scoring import Line


def local_model_installed() -> bool:
    """Whether server and model of the local model are here."""
    return local_model.installed()


def run(*, folder: Path, state: Path, page_path: Path, with_model: bool, as_json: bool) -> int:
    """Play, print, write the page; the exit status says whether everything held."""
    with silent(OUT, when=as_json):
        story = play(DemoOptions(folder, state, page_path, with_model))
    return conclude(story, page_path, as_json)


def conclude(story: Story, page_path: Path, as_json: bool) -> int:
    """Tell what happened in every form; 0 exactly if all of it held."""
    with silent(OUT, when=as_json):
        page.write(story, page_path)
        closing.show(story, page_path)
    if as_json:
        emit(document(story))
    return exits.REFUSED if story.problems else exits.OK


def document(story: Story) -> dict[str, Any]:
    """What `--json` prints."""
    act2, act3 = story.failover, story.pocket
    return {
        "held": not story.problems,
        "problems": story.problems,
        "table": [row(line) for line in (story.traffic.lines if story.traffic else ())],
        "added_latency_us": story.latency.added if story.latency else {},
        "failover": {
            "in_mid_answer": act2.in_mid_answer,
            "cut": act2.cut,
            "failed_before_answer": act2.failed_before_answer,
            "switched_after_s": act2.switched_after_s,
            "back_after_s": act2.back_after_s,
        }
        if act2
        else {},
        "budget": {
            "before": act3.before,
            "downgraded": act3.downgraded,
            "error": act3.message,
        }
        if act3
        else {},
        "books": asdict(story.audit) | {"ledger_of_cut": story.audit.ledger_of_cut}
        if story.audit
        else {},
        "spend": story.spend,
        "fallbacks": story.fallbacks,
        "first_answer_s": story.first_answer_s,
        "seconds": story.seconds,
    }


def row(line: Line) -> dict[str, Any]:
    """A policy of the closing table with its verdicts in words."""
    return asdict(line) | {"verdict": line.verdict, "cost_verdict": line.cost_verdict}

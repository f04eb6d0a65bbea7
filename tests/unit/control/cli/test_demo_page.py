"""The demo's page, read as a browser reads it: one file that says what happened."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import openai
import pytest

from pointsman_operator.cli.demo import page, traffic
from pointsman_operator.cli.demo.calls import Call
from pointsman_operator.cli.demo.failover import SLOT_S, Failover
from pointsman_operator.cli.demo.story import Story
from pointsman_operator.demo_data.scoring import Outcome, closing_table

VOID = {"meta", "path", "circle", "rect", "br"}
RECORD: dict[str, Any] = {
    "id": "pm-1",
    "rule": "smart",
    "strategy": "Quality",
    "requested_model": "auto",
    "model": "main/mini",
    "provider": "openai",
    "status": 200,
    "outcome": "ok",
    "task": "math",
    "candidates": [
        {"model": "main/dear", "filtered": "budget_tier"},
        {"model": "main/mini", "score": 920_502, "probability": 927_022, "cost": 149_200_000},
        {"model": "main/tiny", "score": 831_326, "probability": 832_288, "cost": 22_030_000},
    ],
    "attempts": [
        {"model": "main/tiny", "class": "Server", "status": 503, "start_us": 200, "end_us": 4_000},
        {
            "model": "main/mini",
            "class": "ok",
            "status": 200,
            "start_us": 4_100,
            "first_byte_us": 8_100,
            "end_us": 1_502_900,
        },
    ],
    "usage": {"input": 67, "cached_input": 7, "output": 144, "source": "reported"},
    "cost": 60 * 400 + 7 * 40 + 144 * 800,
    "reserved": 500_000,
    "prices": {"input": 400, "cachedInput": 40, "output": 800},
    "stage_us": {"scan": 12, "choose": 23, "upstream": 4_000, "total": 1_502_900},
    "reason": "Quality put <b>main/tiny</b> first; main/mini answered",
}


class Reader(HTMLParser):
    """Tables as rows of cells, shapes and words; an element that is not closed is an error."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.marked: list[list[str]] = []
        self.shapes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(document)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open one."""
        if tag not in VOID:
            self.open.append(tag)
        self.shapes.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            if ("class", "chosen") in attrs:
                self.marked.append(self.tables[-1][-1])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words, and which cell they are in."""
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, *heads: str) -> list[list[str]]:
        """The rows of the table that has these columns."""
        return next(rows[1:] for rows in self.tables if set(heads) <= set(rows[0]))


def streamed(ended_s: float, model: str, *, cut: bool = False) -> Call:
    """A call of act 2."""
    call = Call("Why?", "steady", stream=True, team="support")
    call.model, call.ended_s, call.first_s = model, ended_s, ended_s - 0.1
    if cut:
        call.error = openai.OpenAIError("cut")
    return call


def story() -> Story:
    """Acts 1 and 2, and one record."""
    asked = Call("What is <17> * 23?", "auto", stream=True, team="support")
    asked.request_id = "pm-1"
    dear = [Outcome(float(n % 5 > 0), 900.0e6) for n in range(60)]
    cheap = [Outcome(float(n % 3 > 1), 20.0e6) for n in range(60)]
    alone = {"dear": dear, "labs/cheap": cheap}
    lines = tuple(closing_table(alone, [*dear[:30], *cheap[30:]], resamples=200))
    told = Story(0.0)
    told.traffic = traffic.Traffic((asked,), lines, alone, ())
    ends = (
        streamed(100.1, "main/mini", cut=True),
        streamed(100.7, "main/other"),
        streamed(104.9, "main/mini"),
    )
    told.failover = Failover(ends, 100.0, 104.0, 12, 12, 0, 0, 0, 0, 0.2, 0.9)
    told.records = {"pm-1": RECORD}
    return told


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    """One file: no script, no address to load from, and no markup out of answers."""
    told = story()
    told.problems = ["<b>not</b>"]
    text = page.page(told)
    assert "<script" not in text
    assert "<b>" not in text
    assert "<17>" not in text
    assert not re.search(r"""(?:src|href)\s*=|url\(|https?://""", text)
    assert "prefers-color-scheme: dark" in text


def test_a_request_is_explained_in_tables() -> None:
    """Candidates by score with the chosen one marked, filters in words, attempts, and the sum."""
    reader = Reader(page.page(story()))
    rows = reader.table("P(correct)", "score")
    assert [row[0] for row in rows] == ["main/mini", "main/tiny", "main/dear"]
    assert rows[0][1:4] == ["0.927", "$0.0001492", "0.921"]
    assert rows[0][5] == "chosen"
    assert rows[0] in reader.marked
    assert rows[2][1:4] == ["-", "-", "-"]
    assert "Budget" in rows[2][5]
    tried = reader.table("status", "first byte ms")
    assert [row[:3] for row in tried] == [
        ["main/tiny", "Server", "503"],
        ["main/mini", "ok", "200"],
    ]
    assert tried[0][4] == "-"
    bill = reader.table("tokens", "picodollars")
    assert [row[-1] for row in bill] == ["24,000", "280", "115,200", f"{RECORD['cost']:,}"]
    words = " ".join(reader.words)
    for fact in ("auto", "task math", "smart", "strategy Quality", "ok 200", "$0.00000013948"):
        assert fact in words
    assert RECORD["reason"] in words


def test_the_plots_show_every_model_and_the_outage() -> None:
    """A dot a model and a policy, no two names over each other; bars by half second of act 2."""
    reader = Reader(page.page(story()))
    dots = [attributes for tag, attributes in reader.shapes if tag == "circle"]
    assert len(dots) == 4
    words = " ".join(reader.words)
    for name in ("dear", "cheap", "Pointsman", "zero router", "cut", "main/other"):
        assert name in words
    labels = [a for tag, a in reader.shapes if tag == "text" and a.get("text-anchor") is None]
    at = [(a["x"], a["y"]) for a in labels if a.get("class") is None]
    assert len(set(at)) == len(at)
    [outage] = [a for tag, a in reader.shapes if a.get("class") == "outage"]
    bars = [a for tag, a in reader.shapes if tag == "rect" and str(a.get("fill")).startswith("#")]
    assert len(bars) == 3
    slots = 4 / SLOT_S
    assert float(outage["width"] or 0) / slots * 0.86 == pytest.approx(
        float(bars[0]["width"] or 0), abs=0.1
    )

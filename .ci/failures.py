"""What a failed stage says of its failures, short enough for the end of a log.

A CI shows the end of its log, and a stage's own output lies far above. Of pytest's output: the
summary's lines, and of the first failures what was asserted where; of any other program's: its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

TESTS_MOST = 5
"""Failures of one stage that are shown with their reason."""
SUMMARY_MOST = 20
"""Lines of pytest's summary."""
LINES_MOST = 25
"""Of one failure, its last; and of a program that is not pytest."""
EXCERPTS_MOST = 75
"""Lines of all excerpts of one stage together."""
CHARACTERS_MOST = 400
"""Of one line."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SECTION = re.compile(r"=+ (.+?) =+")
_TITLE = re.compile(r"_{3,} (.+?) _{3,}")
_CAPTURED = re.compile(r"-{3,} Captured .+ -{3,}")
_TELLING = re.compile(r"E( |$)|> |\S+:\d+: ")
_SUMMARY = "short test summary info"


def told(output: str) -> list[str]:
    """The lines to repeat of a failed stage's output."""
    lines = [_COLOUR.sub("", line).rstrip() for line in output.splitlines()]
    failed = [line for line in _within(lines, {_SUMMARY}) if line.startswith(("FAILED ", "ERROR "))]
    if not failed:
        return [_cut(line) for line in lines[-LINES_MOST:]]
    found = failed[:SUMMARY_MOST]
    if len(failed) > len(found):
        found.append(f"… and {len(failed) - len(found)} more")
    shown = list(_failures(_within(lines, {"ERRORS", "FAILURES"})))[:TESTS_MOST]
    each = min(LINES_MOST, EXCERPTS_MOST // max(1, len(shown)))
    for title, excerpt in shown:
        found += [f"--- {title}", *excerpt[-each:]]
    return [_cut(line) for line in found]


def _within(lines: Iterable[str], sections: set[str]) -> Iterator[str]:
    """The lines below these of pytest's headings."""
    inside = False
    for line in lines:
        heading = _SECTION.fullmatch(line)
        if heading is not None:
            inside = heading[1] in sections
        elif inside:
            yield line


def _failures(lines: Iterable[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Each failure's title, and of its traceback what was asserted and where."""
    title, excerpt, telling = "", list[str](), True
    for line in lines:
        heading = _TITLE.fullmatch(line)
        if heading is not None:
            if title:
                yield title, excerpt
            title, excerpt, telling = heading[1], [], True
        elif _CAPTURED.fullmatch(line):
            telling = False
        elif telling and _TELLING.match(line):
            excerpt.append(line)
    if title:
        yield title, excerpt


def _cut(line: str) -> str:
    return line if len(line) <= CHARACTERS_MOST else f"{line[:CHARACTERS_MOST]}…"

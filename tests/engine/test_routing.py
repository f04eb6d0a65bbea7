"""Which model a call goes to: rules, signals, names, aliases, defaults, strategies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, line
from support.tables import PRICES, model, route, table

CARD = "my card is 4111 1111 1111 1111"
SIGNALS = [
    {"name": "pii", "detector": "PII"},
    {"name": "code", "task": "code"},
    {"name": "long", "tokens": {"min": 3000}},
    {"name": "batch", "header": {"name": "x-batch", "values": ["1", "yes"]}},
    {"name": "legal", "keywords": ["liability"]},
    {"name": "auto", "models": ["auto", "gpt-*"]},
]


def rule(name: str, *targets: str, strategy: str = "Failover", **when: list[str]) -> dict[str, Any]:
    """One rule."""
    return {"name": name, "when": when, "route": route(*targets, strategy=strategy)}


def build(made: Line, **changes: Any) -> dict[str, Any]:
    """Models `a` (dear, good) and `b` (cheap, weak) under rules for every signal."""
    models = [
        model("a", made.url("a"), aliases=["house-*"], quality={"prior": 90, "byTask": {}}),
        model(
            "b",
            made.url("b"),
            aliases=["budget"],
            quality={"prior": 50, "byTask": {}},
            pricing={"input": 15, "output": 60, "source": "pool", "asOf": "2026-01-01"},
            capabilities=["chat", "embeddings"],
            contextWindow=16_000,
        ),
    ]
    weighted = route("a", "b", strategy="Weighted")
    weighted["candidates"][0]["weight"] = 3
    floored = route("a", "b", strategy="Cheapest", quality={"floor": 60})
    rules = [
        rule("private", "b", anyOf=["pii"]),
        rule("batch", "b", allOf=["batch", "auto"]),
        rule("lawyer", "b", anyOf=["legal"], noneOf=["batch"]),
        rule("long", "a", anyOf=["long"]),
        rule("code", "b", anyOf=["code"]),
        {"name": "weighted", "when": {"models": ["weighted"]}, "route": weighted},
        rule("cheapest", "a", "b", strategy="Cheapest", models=["cheapest"]),
        {"name": "floored", "when": {"models": ["floored"]}, "route": floored},
        rule("quality", "a", "b", strategy="Quality", models=["quality"]),
        {"name": "nobody", "when": {"models": ["nobody"]}, "route": route()},
        rule("rest", "a", "b", models=["auto", "gpt-*"]),
    ]
    return table(models, rules, signals=SIGNALS, **changes)


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The line under these rules."""
    with line(tmp_path_factory.mktemp("routing"), "a", "b", build=build) as made:
        yield made


def record(made: Line, text: str = "Say hello.", **more: Any) -> dict[str, Any]:
    """The record of a call that must be answered."""
    answer = made.chat(text=text, **more)
    assert answer.status_code == 200, answer.text
    return made.sidecar.record(answer.headers["x-pointsman-request-id"])


@pytest.mark.parametrize(
    ("asked", "rule_name", "chosen"),
    [
        ({"text": CARD}, "private", "main/b"),
        ({"text": "write to me@example.org"}, "private", "main/b"),
        ({"headers": {"x-batch": "yes"}}, "batch", "main/b"),
        ({"headers": {"x-batch": "no"}}, "rest", "main/a"),
        ({"text": "Is there any LIABILITY?"}, "lawyer", "main/b"),
        ({"text": "reliability"}, "rest", "main/a"),
        ({"text": "word " * 4000}, "long", "main/a"),
        ({"text": "```python\ndef f(x):\n    return x + 1\n```\nFix this code."}, "code", "main/b"),
        ({"model": "gpt-4o"}, "rest", "main/a"),
        ({"model": "cheapest"}, "cheapest", "main/b"),
        ({"model": "floored"}, "floored", "main/a"),
        ({"model": "quality"}, "quality", "main/a"),
    ],
)
def test_the_first_rule_that_holds_decides(
    routed: Line, asked: dict[str, Any], rule_name: str, chosen: str
) -> None:
    """Each signal kind, globs and each strategy lead where the table says."""
    found = record(routed, **asked)
    assert (found["rule"], found["model"]) == (rule_name, chosen)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("main/b", "main/b"), ("b", "main/b"), ("budget", "main/b"), ("house-large", "main/a")],
)
def test_a_name_that_no_rule_takes_is_a_model_or_an_alias(
    routed: Line, name: str, chosen: str
) -> None:
    """Full name, the part after the pool, a literal alias, a glob."""
    found = record(routed, model=name)
    assert (found["rule"], found["model"], found["requested_model"]) == ("model", chosen, name)


def test_the_default_deny_is_a_404_that_names_the_model(routed: Line) -> None:
    """An unknown name reaches no provider and is told in OpenAI's words."""
    answer = routed.chat(model="nothing-like-it")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["error"]["param"] == "model"


def test_a_rule_without_candidates_refuses_and_never_falls_through(routed: Line) -> None:
    """Its requests are refused; `rest` does not get them."""
    answer = routed.chat(model="nobody")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_model"
    assert answer.headers["x-should-retry"] == "false"


def test_what_a_model_cannot_do_is_never_asked_of_it(routed: Line) -> None:
    """Tools, images, JSON and length filter candidates before the strategy orders them."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    found = record(routed, model="cheapest", tools=tools)
    assert found["model"] == "main/a"
    assert [row.get("filtered") for row in found["candidates"]] == [None, "capability"]
    found = record(routed, model="cheapest", max_tokens=16_000)
    assert [row.get("filtered") for row in found["candidates"]] == [None, "context"]
    answer = routed.chat(model="b", tools=tools)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_capable_model")
    answer = routed.chat(model="b", max_tokens=16_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_the_default_passes_through_or_routes(routed: Line) -> None:
    """PassThrough keeps the caller's model name; Route chooses for it; both by table swap."""
    routed.swap(build(routed, default={"action": "PassThrough"}))
    answer = routed.chat(model="never-heard-of")
    assert answer.json()["model"] == "never-heard-of"
    assert answer.headers["x-pointsman-model"] == "main/a"
    routed.swap(build(routed, default={"action": "Route", "route": route("b")}))
    found = record(routed, model="never-heard-of")
    assert (found["rule"], found["model"]) == ("default", "main/b")


def test_a_name_passed_through_that_the_provider_does_not_know_cools_nothing(
    routed: Line,
) -> None:
    """The name was the caller's: the target stays healthy for everybody else."""
    routed.swap(build(routed, default={"action": "PassThrough"}))
    gone = {
        "error": {
            "message": "no such model",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }
    }
    routed.script("a", {"status": 404, "body": gone}, model="typo")
    assert routed.chat(model="typo").status_code >= 400
    assert routed.sidecar.state()["targets"]["main/a"] == "Closed"


def test_weights_are_shares(routed: Line) -> None:
    """3 : 1 over 200 calls lies within five standard deviations."""
    routed.script("a", {"text": "x"})
    chosen = Counter(routed.chat(model="weighted").headers["x-pointsman-model"] for _ in range(200))
    assert 120 <= chosen["main/a"] <= 180


def test_metrics_tell_what_the_best_model_would_have_cost(routed: Line) -> None:
    """The same tokens at the prices of the dear, good candidate; the saving is the rest."""
    labels = '{model="main/b",provider="sim-b"}'
    names = [f"pointsman_{name}_usd_total{labels}" for name in ("cost", "baseline_cost")]
    before = [routed.sidecar.metric(name) for name in names]
    answer = routed.chat(text="Say hello.", model="cheapest")
    assert answer.headers["x-pointsman-model"] == "main/b"
    eventually(lambda: routed.sidecar.metric(names[1]) > before[1])
    after = [routed.sidecar.metric(name) for name in names]
    cost, baseline = (now - was for now, was in zip(after, before, strict=True))
    tokens = [answer.json()["usage"][name] for name in ("prompt_tokens", "completion_tokens")]
    assert cost == pytest.approx((tokens[0] * 15 + tokens[1] * 60) / 1e12)
    dear = tokens[0] * PRICES["input"] + tokens[1] * PRICES["output"]
    assert baseline == pytest.approx(dear / 1e12)

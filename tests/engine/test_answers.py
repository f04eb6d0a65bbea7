"""What an app gets: plain answers, streams, embeddings, the list of models, headers."""

from __future__ import annotations

import re

from support.line import Line
from support.tables import PRICES


def test_a_plain_answer_is_the_providers_own_with_our_headers(here: Line) -> None:
    """Status, body and usage are the provider's; model, cost and id are said in headers."""
    here.script("a", {"text": "A fine day."})
    answer = here.chat()
    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "A fine day."
    assert body["model"] == "a-2026"
    usage = body["usage"]
    cost = usage["prompt_tokens"] * PRICES["input"] + usage["completion_tokens"] * PRICES["output"]
    assert answer.headers["x-pointsman-model"] == "main/a"
    assert answer.headers["x-pointsman-simulated"] == "1"
    assert round(float(answer.headers["x-pointsman-cost"]) * 10**12) == cost
    assert re.fullmatch(r"pm-[0-9a-z]{16}", answer.headers["x-pointsman-request-id"])
    assert "x-pointsman-cost-estimate" not in answer.headers


def test_a_plain_call_leaves_one_record_that_says_what_happened(here: Line) -> None:
    """Model, attempts, usage, price and reason of a call are in its record."""
    answer = here.chat(headers={"x-pointsman-team": "blue", "x-pointsman-key": "k1"})
    record = here.sidecar.record(answer.headers["x-pointsman-request-id"])
    said = answer.json()
    assert (record["outcome"], record["status"], record["model"]) == ("ok", 200, "main/a")
    assert (record["team"], record["key"], record["workload"]) == ("blue", "k1", "app")
    assert record["rule"] == "all"
    assert [(row["model"], row["class"], row["status"]) for row in record["attempts"]] == [
        ("main/a", "ok", 200)
    ]
    assert record["attempts"][0]["upstream_id"] == said["id"]
    assert record["usage"]["input"] == said["usage"]["prompt_tokens"]
    assert record["usage"]["output"] == said["usage"]["completion_tokens"]
    assert record["usage"]["source"] == "reported"
    assert record["digest"] == here.sidecar.state()["digest"]


def test_a_stream_arrives_event_by_event_and_ends_with_done(here: Line) -> None:
    """Deltas add up to the text, one choice finishes, `[DONE]` closes, the estimate is said."""
    here.script("a", {"text": "one two three four five six"})
    seen = here.stream()
    assert seen.status == 200
    assert seen.headers["content-type"].startswith("text/event-stream")
    assert seen.text == "one two three four five six"
    assert seen.done
    reasons = [choice["finish_reason"] for chunk in seen.chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert float(seen.headers["x-pointsman-cost-estimate"]) > 0
    record = here.sidecar.record(seen.request_id)
    assert (record["outcome"], record["stream"], record["usage"]["source"]) == (
        "ok",
        True,
        "reported",
    )


def test_the_usage_event_that_only_we_asked_for_stays_here(here: Line) -> None:
    """Not asked: no usage-only event comes down, yet the record knows the reported usage."""
    seen = here.stream()
    assert seen.done
    assert all(chunk["choices"] for chunk in seen.chunks)
    assert here.sidecar.record(seen.request_id)["usage"]["source"] == "reported"


def test_the_usage_event_that_the_caller_asked_for_comes_down(here: Line) -> None:
    """Asked: exactly one usage-only event comes, with the provider's numbers."""
    seen = here.stream(stream_options={"include_usage": True})
    last = [chunk for chunk in seen.chunks if not chunk["choices"]]
    assert len(last) == 1
    record = here.sidecar.record(seen.request_id)
    assert last[0]["usage"]["completion_tokens"] == record["usage"]["output"]
    assert seen.done


def test_tool_calls_pass_in_both_forms(here: Line) -> None:
    """Parallel tool calls arrive whole in a plain answer and in order in a stream."""
    calls = [{"name": "weather", "arguments": {"city": c}} for c in ("Ulm", "Bonn")]
    here.script("a", {"toolCalls": calls})
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    message = here.chat(tools=tools).json()["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["weather", "weather"]
    seen = here.stream(tools=tools)
    arguments = ["", ""]
    for chunk in seen.chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                arguments[call["index"]] += call["function"]["arguments"]
    assert seen.done
    assert arguments == [call["function"]["arguments"] for call in message["tool_calls"]]


def test_several_choices_all_finish(here: Line) -> None:
    """`n` = 3: three choices in a plain answer, three finish reasons in a stream."""
    assert len(here.chat(n=3).json()["choices"]) == 3
    seen = here.stream(n=3)
    finished = {
        choice["index"]
        for chunk in seen.chunks
        for choice in chunk["choices"]
        if choice["finish_reason"]
    }
    assert seen.done
    assert finished == {0, 1, 2}


def test_embeddings_are_answered_and_priced(here: Line) -> None:
    """`/v1/embeddings` takes the same path; only input tokens cost."""
    answer = here.http.post("/v1/embeddings", json={"model": "auto", "input": ["a b", "c"]})
    assert answer.status_code == 200
    assert [entry["index"] for entry in answer.json()["data"]] == [0, 1]
    record = here.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert record["endpoint"] == "embeddings"
    assert record["cost"] == answer.json()["usage"]["prompt_tokens"] * PRICES["input"]


def test_the_list_of_models_names_the_pool(here: Line) -> None:
    """`GET /v1/models` has OpenAI's shape: the pool, then the names that rules take."""
    listed = here.http.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [entry["id"] for entry in listed["data"]] == ["main/a", "main/b", "auto"]
    assert {entry["object"] for entry in listed["data"]} == {"model"}


def test_one_connection_serves_many_calls_of_all_kinds(here: Line) -> None:
    """Keep-alive holds across plain answers, streams and refusals, and upstream as well."""
    before = here.providers["a"].stats()["connections"]
    for _ in range(10):
        assert here.chat().status_code == 200
        assert here.stream().done
        assert here.http.post("/v1/chat/completions", json={}).status_code == 400
    assert here.providers["a"].stats()["connections"] - before <= 1

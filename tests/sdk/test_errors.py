"""What an app gets through the official SDK when something goes wrong: the SDK's own exceptions.

Each failing scene is a model of its own, since a target that failed is rested for a while. What
aimock cannot do, and is shown with our simulator alone:

- breaking off otherwise than by destroying the socket (it has no clean end without the last chunk,
  no complete message with less content), or before the headers of a plain answer;
- telling that its client went away (it goes on writing, its journal notes nothing): there the
  sidecar's own count of cancelled calls is the only witness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from support.eventually import eventually
from support.processes import Sidecar, Simulator, ended
from support.scenes import CUT_TEXT, CUTS, LONG_TEXT, Scene
from support.tables import budget, model, table
from support.worlds import SIDECAR_PYTHON, World

QUESTION: Any = [{"role": "user", "content": "What is six times seven?"}]


def test_a_bad_request_is_the_providers_own_word(client: OpenAI) -> None:
    """400 becomes BadRequestError with the provider's message, type and code."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="mistaken", messages=QUESTION)
    assert raised.value.type == "invalid_request_error"
    assert raised.value.code == "invalid_value"
    assert "temperature must be at most 2." in raised.value.message


def test_our_own_bad_request_names_the_parameter(client: OpenAI) -> None:
    """A value of the wrong kind is refused before any provider sees it."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model="plain", messages=QUESTION, extra_body={"max_tokens": "many"}
        )
    assert raised.value.param == "max_tokens"
    # The error object itself: 2.x puts the whole of it into `message`.
    told = raised.value.body
    assert isinstance(told, dict)
    assert told["message"].count("max_tokens") == 1


def test_a_name_beyond_its_bound_is_a_bad_request(client: OpenAI) -> None:
    """A model name of a megabyte is told as what it is, not echoed."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="m" * 1_000_000, messages=QUESTION)
    assert raised.value.param == "model"
    assert len(raised.value.message) < 500


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_model(client: OpenAI, *, streamed: bool) -> None:
    """404 becomes NotFoundError that says the name and where the names are listed."""
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-17", messages=QUESTION, stream=streamed)
    assert raised.value.code == "model_not_found"
    assert "'gpt-17'" in raised.value.message
    assert "/v1/models" in raised.value.message


def test_a_failing_model_is_replaced(world: World, client: OpenAI) -> None:
    """The app sees the answer of the fallback and nothing of the first model's 500."""
    raw = client.chat.completions.with_raw_response.create(model="spare", messages=QUESTION)
    assert raw.parse().choices[0].message.content == "The answer is forty-two."
    assert raw.headers["x-pointsman-model"] == "main/plain"
    record = world.sidecar.record(raw.headers["x-pointsman-request-id"])
    assert {a["model"] for a in record["attempts"]} == {"main/broken", "main/plain"}


def test_exhausted_fallbacks(world: World, client: OpenAI) -> None:
    """Where no candidate answers, the SDK raises InternalServerError that says so."""
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="exhausted", messages=QUESTION)
    assert raised.value.status_code == 502
    assert "No model could answer" in raised.value.message
    assert world.upstream.bodies("failing-2026")
    assert world.upstream.bodies("failing-too-2026")


@pytest.mark.parametrize(
    ("name", "kind", "status", "word"),
    [
        ("retried", openai.InternalServerError, 502, "server_error"),
        ("busy", openai.RateLimitError, 429, "rate_limit_error"),
    ],
)
def test_the_sdk_does_not_retry_what_we_retried(
    world: World,
    client: OpenAI,
    name: str,
    kind: type[openai.APIStatusError],
    status: int,
    word: str,
) -> None:
    """With the SDK's usual two retries, a call that failed on all attempts is made only once."""
    usual = client.with_options(max_retries=openai.DEFAULT_MAX_RETRIES)
    with pytest.raises(kind) as raised:
        usual.chat.completions.create(model=name, messages=QUESTION)
    assert (raised.value.status_code, raised.value.type) == (status, word)
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert world.calls(name, "failed") == 1


def test_the_sdk_retries_until_there_is_a_table(tmp_path: Path, own: World) -> None:
    """A call that comes before the first table is refused with Retry-After; the retry succeeds."""
    path = tmp_path / "table.json"
    sidecar = Sidecar(tmp_path, python=SIDECAR_PYTHON, POINTSMAN_TABLE_PATH=str(path))
    refused = 'pointsman_refusals_total{reason="no_table"}'

    def answer(retries: int) -> str | None:
        with OpenAI(base_url=f"{sidecar.url}/v1", api_key="none", max_retries=retries) as client:
            completion = client.chat.completions.create(model="plain", messages=QUESTION)
        return completion.choices[0].message.content

    with ended(sidecar), ThreadPoolExecutor() as pool:
        retried = pool.submit(answer, openai.DEFAULT_MAX_RETRIES)
        with pytest.raises(openai.InternalServerError) as raised:
            answer(0)
        eventually(lambda: sidecar.metric(refused) == 2)
        sidecar.write_table(table([model("plain", own.upstream.url)]))
        assert retried.result() == "The answer is forty-two."
    assert raised.value.code == "no_table"
    assert raised.value.response.headers["retry-after"] == "1"


def test_an_enforced_budget_without_its_ledger(tmp_path: Path, own: World) -> None:
    """A Budget that does not pay raises RateLimitError, as a provider's quota does, unretried."""
    document = table([model("plain", own.upstream.url)], budgets=[budget(5_000_000_000_000)])
    sidecar = Sidecar(tmp_path, document, python=SIDECAR_PYTHON)
    with ended(sidecar), OpenAI(base_url=f"{sidecar.url}/v1", api_key="none") as client:
        for streamed in (False, True):
            with pytest.raises(openai.RateLimitError) as raised:
                client.chat.completions.create(model="plain", messages=QUESTION, stream=streamed)
            assert raised.value.code == "insufficient_quota"
            assert "demo/team" in raised.value.message
            assert raised.value.response.headers["x-should-retry"] == "false"
        refused = 'pointsman_refusals_total{reason="ledger_unavailable"}'
        assert sidecar.metric(refused) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_a_timeout_of_the_caller(world: World, client: OpenAI, *, streamed: bool) -> None:
    """The SDK's own timeout raises APITimeoutError, and the call is given up upstream."""
    given_up = world.calls("late", "cancelled")
    noticed = abandonment(world)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(
            model="late", messages=QUESTION, stream=streamed
        )
    eventually(lambda: world.calls("late", "cancelled") == given_up + 1)
    eventually(noticed)


def test_cancel_in_mid_stream(world: World, client: OpenAI) -> None:
    """Closing a stream stops the provider's work at once."""
    noticed = abandonment(world)
    with client.chat.completions.create(model="patient", messages=QUESTION, stream=True) as stream:
        taken = [text for text, _ in zip(words(stream), range(3), strict=False)]
    assert LONG_TEXT.startswith("".join(taken))
    eventually(noticed, within_s=2)
    eventually(lambda: world.calls("patient", "cancelled") == 1)


async def test_cancel_in_mid_stream_async(world: World, async_client: AsyncOpenAI) -> None:
    """The same with the asynchronous client."""
    noticed = abandonment(world)
    stream = await async_client.chat.completions.create(
        model="patient-async", messages=QUESTION, stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    eventually(noticed, within_s=2)
    eventually(lambda: world.calls("patient-async", "cancelled") == 1)


def test_a_cut_stream_raises(world: World, client: OpenAI) -> None:
    """A stream that its provider broke off gives what came, then raises; it never just ends."""
    taken, error = until_raised(client, "cut")
    assert taken
    assert is_part(taken)
    assert "broke off" in error.message
    assert world.calls("cut", "cut") == 1


async def test_a_cut_stream_raises_async(async_client: AsyncOpenAI) -> None:
    """The same with the asynchronous client."""
    taken: list[str] = []

    async def read() -> None:
        stream = await async_client.chat.completions.create(
            model="cut-async", messages=QUESTION, stream=True
        )
        async for chunk in stream:
            taken.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - kept when it raises

    with pytest.raises(openai.APIError, match="broke off"):
        await read()
    assert is_part("".join(taken))


@pytest.mark.parametrize("scene", CUTS, ids=lambda scene: scene.name)
def test_every_cut_raises(own: World, scene: Scene) -> None:
    """Wherever and however a stream breaks off: an exception, before or after the first words."""
    with OpenAI(base_url=own.base_url, api_key="none", max_retries=0) as client:
        taken, error = until_raised(client, scene.name)
    assert scene.cut_after is not None
    if scene.cut_after <= 1:  # the role, then the first words
        assert taken == ""
        assert isinstance(error, openai.InternalServerError)
    else:
        assert is_part(taken)
        assert "broke off" in error.message


def test_the_stream_helper_raises_too(tmp_path: Path) -> None:
    """The SDK's accumulating helper does not return a completion of a cut stream."""
    scene = Scene("plain", text=CUT_TEXT, cut_after=4)
    simulator = Simulator(tmp_path, behaviour=[scene.simulated()])
    sidecar = Sidecar(tmp_path, table([model("plain", simulator.url)]), python=SIDECAR_PYTHON)
    with (
        ended(simulator, sidecar),
        OpenAI(base_url=f"{sidecar.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.APIError, match="broke off"),
        client.chat.completions.stream(model="plain", messages=QUESTION) as stream,
    ):
        stream.get_final_completion()


def abandonment(world: World) -> Callable[[], bool]:
    """Whether the provider, if it counts them, has seen one more client leave than now."""
    before = world.upstream.abandoned()
    return lambda: before is None or world.upstream.abandoned() == before + 1


def words(stream: Any) -> Iterator[str]:
    """The text deltas of a stream."""
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def until_raised(client: OpenAI, name: str) -> tuple[str, openai.APIError]:
    """The text of a stream that must raise, and what it raised."""
    taken: list[str] = []

    def read() -> None:
        stream = client.chat.completions.create(model=name, messages=QUESTION, stream=True)
        for text in words(stream):
            taken.append(text)  # noqa: PERF402 - kept when it raises

    with pytest.raises(openai.APIError) as raised:
        read()
    return "".join(taken), raised.value


def is_part(taken: str) -> bool:
    """Whether it is the beginning of the cut text, and not all of it."""
    return CUT_TEXT.startswith(taken) and taken != CUT_TEXT

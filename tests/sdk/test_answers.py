"""What an app gets through the official SDK when all goes well, from two unrelated simulators.

Only the base URL differs from a call to the provider itself. What aimock cannot do, and is shown
with our simulator alone or in another way here:

- embeddings in base64: it always answers lists of numbers, whatever was asked for. The SDK takes
  both, so the vectors are compared either way, and base64 as such with our simulator alone;
- dimensions of embeddings: a fixture is one vector;
- several choices (`n`).
Neither looks into images, so that a picture arrives whole is read in what they were sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from support.worlds import World

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionToolParam

QUESTION = "What is six times seven?"
ANSWER = "The answer is forty-two."
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PIXEL = base64.b64encode(bytes(range(256)) * 40).decode()


def tool(name: str, argument: str) -> ChatCompletionToolParam:
    """A function that takes one text."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {argument: {"type": "string"}},
        "required": [argument],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "parameters": parameters, "strict": True},
    }


TOOLS = [tool("get_weather", "city"), tool("get_time", "zone")]


class Person(BaseModel):
    """A structured answer."""

    name: str
    born: int


def test_plain(world: World, client: OpenAI) -> None:
    """A plain answer is the provider's own; its model, cost and id are in the headers."""
    raw = client.chat.completions.with_raw_response.create(
        model="plain", messages=[{"role": "user", "content": QUESTION}]
    )
    completion = raw.parse()
    assert completion.choices[0].message.content == ANSWER
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "plain-2026"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 0
    assert raw.headers["x-pointsman-model"] == "main/plain"
    assert float(raw.headers["x-pointsman-cost"]) > 0
    record = world.sidecar.record(raw.headers["x-pointsman-request-id"])
    assert (record["outcome"], record["usage"]["output"]) == (
        "ok",
        completion.usage.completion_tokens,
    )


def test_stream(client: OpenAI) -> None:
    """A stream adds up to the answer, ends properly and holds no usage that nobody asked for."""
    with client.chat.completions.create(
        model="plain", messages=[{"role": "user", "content": QUESTION}], stream=True
    ) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client: OpenAI) -> None:
    """Usage that the caller asked for is in the last chunk, as the provider sent it."""
    stream = client.chat.completions.create(
        model="plain",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    *_, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == -(-len(ANSWER) // 4)


def test_stream_helper(client: OpenAI) -> None:
    """The SDK's own accumulating helper builds the whole completion out of the stream."""
    with client.chat.completions.stream(
        model="plain", messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == ANSWER


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("tools", [("get_weather", {"city": "Paris"})]),
        (
            "parallel",
            [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Europe/Paris"})],
        ),
    ],
)
def test_tools(
    world: World, client: OpenAI, name: str, wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    """Tool calls, one or several, come whole, and their results go back up unchanged."""
    question: Any = {"role": "user", "content": "What is it like in Paris?"}
    completion = client.chat.completions.create(model=name, messages=[question], tools=TOOLS)
    choice = completion.choices[0]
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == "tool_calls"
    assert [called(call) for call in calls] == wanted
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in calls
    ]
    said: Any = choice.message.model_dump(exclude_none=True)
    messages = [question, said, *results]
    client.chat.completions.create(model="plain", messages=messages, tools=TOOLS)
    sent = world.upstream.bodies("plain-2026")[-1]
    assert [message["role"] for message in sent["messages"][2:]] == ["tool"] * len(wanted)
    assert sent["messages"][1]["tool_calls"] == said["tool_calls"]
    assert sent["tools"] == TOOLS


@pytest.mark.parametrize("name", ["tools", "parallel"])
def test_streamed_tools(client: OpenAI, name: str) -> None:
    """The deltas of one or several tool calls add up, each under its own index."""
    with client.chat.completions.stream(
        model=name, messages=[{"role": "user", "content": "Paris?"}], tools=TOOLS
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = [called(call) for call in message.tool_calls or []]
    assert calls[0] == ("get_weather", {"city": "Paris"})
    assert len(calls) == (2 if name == "parallel" else 1)


def test_structured_output(world: World, client: OpenAI) -> None:
    """`.parse` sends the schema as it stands and gets an object of the model's class."""
    completion = client.chat.completions.parse(
        model="structured",
        messages=[{"role": "user", "content": "Who wrote the first program?"}],
        response_format=Person,
    )
    assert completion.choices[0].message.parsed == Person(name="Ada", born=1815)
    sent = world.upstream.bodies("structured-2026")[-1]["response_format"]
    assert sent["json_schema"]["schema"]["required"] == ["name", "born"]


def test_image(world: World, client: OpenAI) -> None:
    """A picture in a data URL reaches the model byte for byte."""
    url = f"data:image/png;base64,{PIXEL}"
    completion = client.chat.completions.create(
        model="vision",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
                ],
            }
        ],
    )
    assert completion.choices[0].message.content == "A red square."
    part = world.upstream.bodies("vision-2026")[-1]["messages"][0]["content"][1]
    assert part["image_url"] == {"url": url, "detail": "low"}


def test_embeddings(world: World, client: OpenAI) -> None:
    """Vectors are the provider's own, whether the SDK decodes base64 (its habit) or gets floats."""
    texts = ["one", "two"]
    direct = httpx.post(
        f"{world.upstream.url}/v1/embeddings",
        json={"model": "embedder-2026", "input": texts, "encoding_format": "float"},
    ).json()
    wanted = [entry["embedding"] for entry in direct["data"]]
    usual = client.embeddings.create(model="embedder", input=texts)
    floats = client.embeddings.create(model="embedder", input=texts, encoding_format="float")
    for answer in (usual, floats):
        assert [e.index for e in answer.data] == [0, 1]
        for entry, vector in zip(answer.data, wanted, strict=True):
            assert entry.embedding == pytest.approx(vector, abs=1e-6)


def test_embeddings_in_base64(own: World) -> None:
    """Asked for base64, the caller gets base64, of as many dimensions as it wanted."""
    with OpenAI(base_url=own.base_url, api_key="none", max_retries=0) as client:
        answer = client.embeddings.create(
            model="embedder", input="one", encoding_format="base64", dimensions=16
        )
    packed: Any = answer.data[0].embedding
    assert len(struct.unpack("<16f", base64.b64decode(packed))) == 16


def test_models(client: OpenAI) -> None:
    """The SDK lists the names that a call may give, models' and rules', and finds each."""
    listed = {entry.id: entry.owned_by for entry in client.models.list()}
    assert listed["main/plain"] == "sim-plain"
    assert listed["spare"] == "pointsman"
    for name in ("main/plain", "plain", "spare"):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("main/none")
    assert raised.value.code == "model_not_found"


def test_what_goes_up(world: World, client: OpenAI) -> None:
    """Fields that we do not know go up as they are; the caller's key and own headers stay here."""
    client.chat.completions.create(
        model="plain",
        messages=[{"role": "user", "content": QUESTION}],
        extra_body={"x_future": {"deep": [1, None, "é"]}},
        extra_headers={"cookie": "session=0815", "x-pointsman-team": "blue", "traceparent": TRACE},
    )
    sent = world.upstream.bodies("plain-2026")[-1]
    assert sent["x_future"] == {"deep": [1, None, "é"]}
    assert sent["model"] == "plain-2026"
    head = world.upstream.heads("plain-2026")[-1].lower()
    assert "x-client-request-id" in head
    assert TRACE[3:35] in head
    for private in (client.api_key, "authorization", "x-pointsman", "session=0815"):
        assert private not in head


def test_two_choices(own: World) -> None:
    """With `n`, plain answers and streams keep their choices apart (aimock knows no `n`)."""
    question: Any = [{"role": "user", "content": QUESTION}]
    with OpenAI(base_url=own.base_url, api_key="none", max_retries=0) as client:
        plain = client.chat.completions.create(model="plain", messages=question, n=2)
        with client.chat.completions.stream(model="plain", messages=question, n=2) as stream:
            streamed = stream.get_final_completion()
    for choices in (plain.choices, streamed.choices):
        assert [choice.message.content for choice in choices] == [ANSWER, ANSWER]


async def test_async(async_client: AsyncOpenAI) -> None:
    """Twenty calls of the asynchronous client at once, half of them streams, all come whole."""

    async def plain() -> str:
        completion = await async_client.chat.completions.create(
            model="plain", messages=[{"role": "user", "content": QUESTION}]
        )
        return completion.choices[0].message.content or ""

    async def streamed() -> str:
        stream = await async_client.chat.completions.create(
            model="plain", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    answers = await asyncio.gather(*(call() for call in (plain, streamed) * 10))
    assert answers == [ANSWER] * 20


def called(call: Any) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a tool call."""
    return call.function.name, json.loads(call.function.arguments)

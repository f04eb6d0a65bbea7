"""The official `anthropic` package."""

from __future__ import annotations

from typing import Any

import anthropic
from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run

TOOLS: list[Any] = [
    {"name": name, "description": said, "input_schema": schema}
    for name, (said, schema) in FUNCTIONS.items()
]


def client(url: str) -> anthropic.Anthropic:
    """As an app makes it, without retries of its own."""
    return anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)


def read(made: Any) -> Got:
    """What a message says."""
    return Got(
        text="".join(block.text for block in made.content if block.type == "text"),
        calls=[call(block.name, block.input) for block in made.content if block.type == "tool_use"],
        finish=made.stop_reason,
        input_tokens=made.usage.input_tokens,
        output_tokens=made.usage.output_tokens,
    )


def ask(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """A plain call."""
    messages = [{"role": "user", "content": content}]
    return read(client(url).messages.create(model=model, max_tokens=256, messages=messages, **more))


def streamed(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """The SDK's own accumulating helper."""
    messages = [{"role": "user", "content": content}]
    with client(url).messages.stream(
        model=model, max_tokens=256, messages=messages, **more
    ) as stream:
        return read(stream.get_final_message())


def iterated(url: str, model: str) -> Got:
    """A raw loop over the events."""
    stream = client(url).messages.create(
        model=model, max_tokens=256, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    text, finish = "", None
    for event in stream:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
        elif event.type == "message_delta":
            finish = event.delta.stop_reason
    return Got(text=text, finish=finish)


def structured(url: str, model: str) -> Got:
    """JSON of a schema."""
    form = {"format": {"type": "json_schema", "schema": PERSON}}
    return ask(url, model, output_config=form)


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    return ask(
        url, model, [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
    )


def count(url: str, model: str) -> Got:
    """Tokens of a prompt before it is sent (Claude Code asks this all the time)."""
    messages = [{"role": "user", "content": QUESTION}]
    counted = client(url).messages.count_tokens(model=model, messages=messages)
    return Got(input_tokens=counted.input_tokens)


run(
    {
        "plain": ask,
        "stream": streamed,
        "iterate": iterated,
        "tools": lambda url, model: ask(url, model, WEATHER, tools=TOOLS),
        "streamed_tools": lambda url, model: streamed(url, model, WEATHER, tools=TOOLS),
        "structured": structured,
        "image": image,
        "count": count,
    }
)

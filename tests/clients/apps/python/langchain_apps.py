"""LangChain's chat models for OpenAI and Anthropic; which one, says the app's first argument."""

from __future__ import annotations

import sys
from typing import Any

from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
    for name, (said, schema) in FUNCTIONS.items()
]
KIND = sys.argv.pop(1)


def chat(url: str, model: str) -> Any:
    """As an app makes it, without retries of its own."""
    if KIND == "anthropic":
        return ChatAnthropic(model=model, base_url=url, api_key=KEY, max_retries=0, max_tokens=256)
    return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def read(message: Any) -> Got:
    """What a message, whole or assembled, says."""
    usage = message.usage_metadata or {}
    text = message.text if isinstance(message.text, str) else message.text()
    return Got(
        text=text,
        calls=[call(one["name"], one["args"]) for one in message.tool_calls],
        finish=message.response_metadata.get("finish_reason")
        or message.response_metadata.get("stop_reason"),
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
    )


def assembled(chunks: Any) -> Got:
    """The sum of a stream's chunks."""
    total: Any = None
    for chunk in chunks:
        total = chunk if total is None else total + chunk
    return read(total)


def structured(url: str, model: str) -> Got:
    """JSON of a schema, by the library's own helper."""
    schema = PERSON | {"title": "person", "description": "A person."}
    made = chat(url, model).with_structured_output(schema, method="json_schema")
    return Got(parsed=made.invoke(QUESTION))


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": QUESTION}, picture]
    return read(chat(url, model).invoke([{"role": "user", "content": content}]))


run(
    {
        "plain": lambda url, model: read(chat(url, model).invoke(QUESTION)),
        "stream": lambda url, model: assembled(chat(url, model).stream(QUESTION)),
        "tools": lambda url, model: read(chat(url, model).bind_tools(TOOLS).invoke(WEATHER)),
        "streamed_tools": lambda url, model: assembled(
            chat(url, model).bind_tools(TOOLS).stream(WEATHER)
        ),
        "structured": structured,
        "image": image,
    }
)

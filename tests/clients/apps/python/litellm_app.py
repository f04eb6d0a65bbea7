"""LiteLLM as a client, over OpenAI's or Anthropic's format; which one, says the first argument."""

from __future__ import annotations

import sys
from typing import Any

import litellm
from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
    for name, (said, schema) in FUNCTIONS.items()
]
KIND = sys.argv.pop(1)


def asked(url: str, model: str, content: Any, **more: Any) -> Any:
    """As an app calls it, without retries of its own."""
    base = url if KIND == "anthropic" else f"{url}/v1"
    return litellm.completion(
        model=f"{KIND}/{model}",
        api_base=base,
        api_key=KEY,
        messages=[{"role": "user", "content": content}],
        num_retries=0,
        max_retries=0,
        **more,
    )


def read(made: Any) -> Got:
    """What an answer says."""
    choice = made.choices[0]
    calls = [
        call(one.function.name, one.function.arguments) for one in choice.message.tool_calls or []
    ]
    usage = getattr(made, "usage", None)
    return Got(
        text=choice.message.content or "",
        calls=calls,
        finish=choice.finish_reason,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
    )


def streamed(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """The sum of a stream's chunks, by the library's own helper."""
    chunks = list(asked(url, model, content, stream=True, **more))
    return read(litellm.stream_chunk_builder(chunks))


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return read(asked(url, model, [{"type": "text", "text": QUESTION}, picture]))


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "person", "schema": PERSON, "strict": True},
}
run(
    {
        "plain": lambda url, model: read(asked(url, model, QUESTION)),
        "stream": streamed,
        "tools": lambda url, model: read(asked(url, model, WEATHER, tools=TOOLS)),
        "streamed_tools": lambda url, model: streamed(url, model, WEATHER, tools=TOOLS),
        "structured": lambda url, model: read(asked(url, model, QUESTION, response_format=SCHEMA)),
        "image": image,
    }
)

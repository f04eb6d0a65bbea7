"""The official `openai` package, chat completions."""

from __future__ import annotations

from typing import Any

import openai
from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
    for name, (said, schema) in FUNCTIONS.items()
]


def client(url: str) -> openai.OpenAI:
    """As an app makes it; without retries of its own: one call is one call."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def ask(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """A plain call."""
    messages = [{"role": "user", "content": content}]
    made = client(url).chat.completions.create(model=model, messages=messages, **more)
    choice = made.choices[0]
    calls = [
        call(one.function.name, one.function.arguments) for one in choice.message.tool_calls or []
    ]
    usage = made.usage
    return Got(
        text=choice.message.content or "",
        calls=calls,
        finish=choice.finish_reason,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
    )


def streamed(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """The SDK's own accumulating helper."""
    messages = [{"role": "user", "content": content}]
    with client(url).chat.completions.stream(
        model=model, messages=messages, stream_options={"include_usage": True}, **more
    ) as stream:
        made = stream.get_final_completion()
    choice = made.choices[0]
    calls = [
        call(one.function.name, one.function.arguments) for one in choice.message.tool_calls or []
    ]
    usage = made.usage
    return Got(
        text=choice.message.content or "",
        calls=calls,
        finish=choice.finish_reason,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
    )


def iterated(url: str, model: str) -> Got:
    """A raw loop over the chunks, as most apps have it."""
    stream = client(url).chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    text, finish = "", None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return Got(text=text, finish=finish)


def structured(url: str, model: str) -> Got:
    """JSON of a schema."""
    schema = {"name": "person", "schema": PERSON, "strict": True}
    return ask(url, model, response_format={"type": "json_schema", "json_schema": schema})


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return ask(url, model, [{"type": "text", "text": QUESTION}, picture])


run(
    {
        "plain": ask,
        "stream": streamed,
        "iterate": iterated,
        "tools": lambda url, model: ask(url, model, WEATHER, tools=TOOLS),
        "streamed_tools": lambda url, model: streamed(url, model, WEATHER, tools=TOOLS),
        "structured": structured,
        "image": image,
    }
)

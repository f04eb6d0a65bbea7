"""The official `openai` package, Responses."""

from __future__ import annotations

from typing import Any

import openai
from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run

TOOLS: list[Any] = [
    {"type": "function", "name": name, "description": said, "parameters": schema, "strict": True}
    for name, (said, schema) in FUNCTIONS.items()
]


def client(url: str) -> openai.OpenAI:
    """As an app makes it, without retries of its own."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def read(made: Any) -> Got:
    """What a response says."""
    calls = [call(one.name, one.arguments) for one in made.output if one.type == "function_call"]
    error = made.error and {"kind": "response.error", "status": None, "message": made.error.message}
    return Got(
        text=made.output_text,
        calls=calls,
        finish=made.status,
        input_tokens=made.usage.input_tokens if made.usage else None,
        output_tokens=made.usage.output_tokens if made.usage else None,
        error=error,
    )


def ask(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """A plain call."""
    return read(client(url).responses.create(model=model, input=content, **more))


def streamed(url: str, model: str, content: Any = QUESTION, **more: Any) -> Got:
    """The SDK's own accumulating helper."""
    with client(url).responses.stream(model=model, input=content, **more) as stream:
        for event in stream:
            if event.type in ("response.failed", "error"):
                return Got(error={"kind": event.type, "status": None, "message": str(event)[:400]})
        return read(stream.get_final_response())


def iterated(url: str, model: str) -> Got:
    """A raw loop over the events; without a final one the app knows that it was cut."""
    text, finish, error = "", None, None
    for event in client(url).responses.create(model=model, input=QUESTION, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type in ("response.completed", "response.incomplete"):
            finish = event.response.status
        elif event.type in ("response.failed", "error"):
            error = {"kind": event.type, "status": None, "message": str(event)[:400]}
    return Got(text=text, finish=finish, error=error)


def structured(url: str, model: str) -> Got:
    """JSON of a schema."""
    form = {"type": "json_schema", "name": "person", "schema": PERSON, "strict": True}
    return ask(url, model, text={"format": form})


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = {
        "type": "input_image",
        "image_url": f"data:image/png;base64,{PIXEL}",
        "detail": "auto",
    }
    parts = [{"type": "input_text", "text": QUESTION}, picture]
    return ask(url, model, [{"role": "user", "content": parts}])


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

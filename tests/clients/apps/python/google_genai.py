"""The official `google-genai` package."""

from __future__ import annotations

import base64
from typing import Any

from _asking import FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, Got, call, run
from google import genai
from google.genai import types

TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, description=said, parameters_json_schema=schema)
            for name, (said, schema) in FUNCTIONS.items()
        ]
    )
]
NO_LOOP = types.AutomaticFunctionCallingConfig(disable=True)


def client(url: str) -> genai.Client:
    """As an app makes it."""
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))


def read(made: list[Any]) -> Got:
    """What one or several answers say."""
    got = Got()
    for one in made:
        for candidate in one.candidates or []:
            got.finish = candidate.finish_reason.name if candidate.finish_reason else got.finish
            for part in (candidate.content and candidate.content.parts) or []:
                if part.text and not part.thought:
                    got.text += part.text
                if part.function_call:
                    got.calls.append(call(part.function_call.name, part.function_call.args or {}))
        if one.usage_metadata:
            got.input_tokens = one.usage_metadata.prompt_token_count
            got.output_tokens = one.usage_metadata.candidates_token_count
    return got


def ask(url: str, model: str, contents: Any = QUESTION, **config: Any) -> Got:
    """A plain call."""
    options = types.GenerateContentConfig(**config) if config else None
    with client(url) as made:
        return read([made.models.generate_content(model=model, contents=contents, config=options)])


def streamed(url: str, model: str, contents: Any = QUESTION, **config: Any) -> Got:
    """All chunks of a stream."""
    options = types.GenerateContentConfig(**config) if config else None
    with client(url) as made:
        stream = made.models.generate_content_stream(model=model, contents=contents, config=options)
        return read(list(stream))


def structured(url: str, model: str) -> Got:
    """JSON of a schema."""
    return ask(url, model, response_mime_type="application/json", response_json_schema=PERSON)


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    return ask(url, model, [picture, QUESTION])


def count(url: str, model: str) -> Got:
    """Tokens of a prompt before it is sent."""
    with client(url) as made:
        counted = made.models.count_tokens(model=model, contents=QUESTION)
    return Got(input_tokens=counted.total_tokens)


run(
    {
        "plain": ask,
        "stream": streamed,
        "tools": lambda url, model: ask(
            url, model, WEATHER, tools=TOOLS, automatic_function_calling=NO_LOOP
        ),
        "streamed_tools": lambda url, model: streamed(
            url, model, WEATHER, tools=TOOLS, automatic_function_calling=NO_LOOP
        ),
        "structured": structured,
        "image": image,
        "count": count,
    }
)

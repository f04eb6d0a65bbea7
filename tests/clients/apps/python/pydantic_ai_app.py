"""pydantic-ai agents over OpenAI's, Anthropic's or Google's format, by the first argument."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from _asking import FUNCTIONS, KEY, QUESTION, WEATHER, Got, call, run
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, ToolDefinition
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.toolsets import ExternalToolset

KIND = sys.argv.pop(1)


class Person(BaseModel):
    """A structured answer."""

    name: str
    born: int


def model_of(url: str, name: str) -> Any:
    """The model as an app makes it."""
    if KIND == "anthropic":
        return AnthropicModel(name, provider=AnthropicProvider(api_key=KEY, base_url=url))
    if KIND == "google":
        return GoogleModel(name, provider=GoogleProvider(api_key=KEY, base_url=url))
    return OpenAIChatModel(name, provider=OpenAIProvider(api_key=KEY, base_url=f"{url}/v1"))


def plain(url: str, name: str) -> Got:
    """One run of an agent."""
    made = Agent(model_of(url, name), retries=0).run_sync(QUESTION)
    usage = made.usage()
    return Got(text=made.output, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def stream(url: str, name: str) -> Got:
    """A streamed run."""

    async def collected() -> str:
        async with Agent(model_of(url, name), retries=0).run_stream(QUESTION) as made:
            return str(await made.get_output())

    return Got(text=asyncio.run(collected()))


def tools(url: str, name: str) -> Got:
    """Tools whose calls the app runs itself."""
    definitions = [
        ToolDefinition(name=tool, description=said, parameters_json_schema=schema)
        for tool, (said, schema) in FUNCTIONS.items()
    ]
    agent: Any = Agent(
        model_of(url, name),
        toolsets=[ExternalToolset(definitions)],
        output_type=[str, DeferredToolRequests],
        retries=0,
    )
    made = agent.run_sync(WEATHER)
    return Got(calls=[call(one.tool_name, one.args_as_dict()) for one in made.output.calls])


run({"plain": plain, "stream": stream, "tools": tools})

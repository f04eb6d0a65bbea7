"""The `openai-agents` package over chat completions or Responses, by its first argument."""

from __future__ import annotations

import asyncio
import sys

from _asking import FUNCTIONS, KEY, QUESTION, WEATHER, Got, call, run
from agents import (
    Agent,
    FunctionTool,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

KIND = sys.argv.pop(1)
set_tracing_disabled(True)


def agent(url: str, name: str, tools: list[FunctionTool] | None = None) -> Agent:
    """An agent as an app makes it."""
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    kind = OpenAIResponsesModel if KIND == "responses" else OpenAIChatCompletionsModel
    return Agent(
        name="app",
        model=kind(model=name, openai_client=client),
        tools=tools or [],
        tool_use_behavior="stop_on_first_tool",
    )


def plain(url: str, name: str) -> Got:
    """One run."""
    return Got(text=str(asyncio.run(Runner.run(agent(url, name), QUESTION)).final_output))


def stream(url: str, name: str) -> Got:
    """A streamed run."""

    async def collected() -> str:
        made = Runner.run_streamed(agent(url, name), QUESTION)
        async for _ in made.stream_events():
            pass
        return str(made.final_output)

    return Got(text=asyncio.run(collected()))


def tools(url: str, name: str) -> Got:
    """The first tool call ends the run; what was called is what the tools saw."""
    seen = []

    def tool(tool_name: str) -> FunctionTool:
        async def invoked(_context: object, arguments: str) -> str:
            seen.append(call(tool_name, arguments))
            return "fine"

        said, schema = FUNCTIONS[tool_name]
        return FunctionTool(
            name=tool_name, description=said, params_json_schema=schema, on_invoke_tool=invoked
        )

    asyncio.run(Runner.run(agent(url, name, [tool(one) for one in FUNCTIONS]), WEATHER))
    return Got(calls=seen)


run({"plain": plain, "stream": stream, "tools": tools})

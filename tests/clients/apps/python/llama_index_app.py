"""LlamaIndex's OpenAI-like chat model."""

from __future__ import annotations

import base64

from _asking import KEY, PIXEL, QUESTION, WEATHER, Got, call, run
from llama_index.core.llms import ChatMessage, ImageBlock, LLMMetadata, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI


class Named(OpenAI):
    """A model whose name the library does not know: it keeps a table of OpenAI's own."""

    @property
    def metadata(self) -> LLMMetadata:
        """What the library asks of a model."""
        return LLMMetadata(
            context_window=128_000,
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self.model,
        )


def chat(url: str, model: str) -> Named:
    """As an app makes it, without retries of its own."""
    return Named(model=model, api_base=f"{url}/v1", api_key=KEY, max_retries=0)


def plain(url: str, model: str) -> Got:
    """A plain call."""
    made = chat(url, model).chat([ChatMessage(role="user", content=QUESTION)])
    return Got(text=made.message.content or "")


def stream(url: str, model: str) -> Got:
    """The last of a stream's messages holds all of it."""
    stream = chat(url, model).stream_chat([ChatMessage(role="user", content=QUESTION)])
    *_, last = stream
    return Got(text=last.message.content or "")


def tools(url: str, model: str) -> Got:
    """Tools whose calls the app runs itself."""

    def get_weather(city: str) -> str:
        """The weather of a city."""
        return city

    def get_time(zone: str) -> str:
        """The time of a zone."""
        return zone

    offered = [
        FunctionTool.from_defaults(get_weather, name="get_weather"),
        FunctionTool.from_defaults(get_time, name="get_time"),
    ]
    made = chat(url, model)
    answered = made.chat_with_tools(offered, WEATHER, allow_parallel_tool_calls=True)
    chosen = made.get_tool_calls_from_response(answered, error_on_no_tool_call=False)
    return Got(calls=[call(one.tool_name, one.tool_kwargs) for one in chosen])


def image(url: str, model: str) -> Got:
    """A picture beside the question."""
    picture = ImageBlock(image=base64.b64decode(PIXEL), image_mimetype="image/png")
    message = ChatMessage(role="user", blocks=[TextBlock(text=QUESTION), picture])
    return Got(text=chat(url, model).chat([message]).message.content or "")


run({"plain": plain, "stream": stream, "tools": tools, "image": image})

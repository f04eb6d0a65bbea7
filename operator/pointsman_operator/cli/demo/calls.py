"""A caller as users write them: the official SDK, our base URL, no retries of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AsyncOpenAI, Omit, omit
from openai._legacy_response import LegacyAPIResponse

CALL_TIMEOUT_S = 45.0
"""No call may use up the 90 s in which the demo ends; the longest recorded answer takes 34."""
SIMULATED = "x-pointsman-simulated"


@dataclass
class Call:
    """One call: who asked for what, what came, and when (seconds on one clock)."""

    prompt: str
    asked_model: str
    stream: bool
    team: str
    max_tokens: int | Omit = omit
    began_s: float = 0.0
    first_s: float | None = None
    ended_s: float = 0.0
    request_id: str = ""
    model: str = ""
    text: str = ""
    sent_bytes: int = 0
    """The request's body as it went out."""
    pieces: list[str] = field(default_factory=list, repr=False)
    """A streamed answer's texts as they came."""
    simulated: bool = False
    error: openai.OpenAIError | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the answer came whole."""
        return self.error is None

    @property
    def cut(self) -> bool:
        """Whether it failed after it had begun to answer."""
        return self.error is not None and self.first_s is not None

    @property
    def failed_before_answer(self) -> bool:
        """Whether the caller got nothing at all."""
        return self.error is not None and self.first_s is None


def sdk(base_url: str) -> AsyncOpenAI:
    """The client; a key is needed by the SDK only, no provider sees it."""
    return AsyncOpenAI(
        base_url=base_url, api_key="not-a-key", max_retries=0, timeout=CALL_TIMEOUT_S
    )


def unheard(_piece: str) -> None:
    """Nobody watches this stream."""


async def ask(client: AsyncOpenAI, call: Call, heard: Callable[[str], None] = unheard) -> Call:
    """Make the call; the SDK's own errors are the outcome, anything else is a bug and is raised.

    `heard` gets each piece of a streamed answer as it comes.
    """
    call.began_s = time.monotonic()
    try:
        if call.stream:
            await stream(client, call, heard)
        else:
            await whole(client, call)
    except openai.OpenAIError as error:
        call.error = error
        if isinstance(error, openai.APIStatusError):
            call.request_id = error.response.headers.get("x-pointsman-request-id", "")
    call.ended_s = time.monotonic()
    return call


async def whole(client: AsyncOpenAI, call: Call) -> None:
    """A plain answer."""
    raw = await client.chat.completions.with_raw_response.create(
        model=call.asked_model,
        messages=[{"role": "user", "content": call.prompt}],
        max_completion_tokens=call.max_tokens,
        extra_headers={"x-pointsman-team": call.team},
    )
    note(call, raw)
    call.text = raw.parse().choices[0].message.content or ""
    call.first_s = time.monotonic()


async def stream(client: AsyncOpenAI, call: Call, heard: Callable[[str], None]) -> None:
    """A streamed answer; the first content is noted when it comes."""
    raw = await client.chat.completions.with_raw_response.create(
        model=call.asked_model,
        messages=[{"role": "user", "content": call.prompt}],
        max_completion_tokens=call.max_tokens,
        extra_headers={"x-pointsman-team": call.team},
        stream=True,
    )
    note(call, raw)
    async for chunk in raw.parse():
        for choice in chunk.choices:
            if choice.delta.content:
                call.first_s = call.first_s or time.monotonic()
                call.pieces.append(choice.delta.content)
                heard(choice.delta.content)
        call.text = "".join(call.pieces)


def note(call: Call, raw: LegacyAPIResponse[Any]) -> None:
    """What went out, and what the answer's headers say."""
    known = {name.lower(): value for name, value in raw.headers.items()}
    call.sent_bytes = len(raw.http_request.content)
    call.request_id = known.get("x-pointsman-request-id", "")
    call.model = known.get("x-pointsman-model", "")
    call.simulated = known.get(SIMULATED) == "1"

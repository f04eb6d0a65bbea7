"""Apps that ask through a sidecar, plain or streamed, and what they got."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.money_world import MoneyWorld

CLIENT_TIMEOUT_S = 30.0


@dataclass
class Got:
    """What one call got; `whole` only where the answer ended properly."""

    status: int = 0
    request_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    broken: str = ""

    @property
    def refused(self) -> bool:
        """Refused by a Budget before anything was asked upstream."""
        return self.status == httpx.codes.TOO_MANY_REQUESTS

    @property
    def code(self) -> str:
        """The native error's code."""
        return str(self.error.get("code", ""))


def body_of(
    *, stream: bool, max_tokens: int | None, text: str = "Say something.", model: str = "auto"
) -> dict[str, Any]:
    """A chat completion's request body."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if stream:
        body["stream"] = True
    if max_tokens is not None:
        body["max_completion_tokens"] = max_tokens
    return body


class Apps(httpx.AsyncClient):
    """The connections of many callers at once, and what the simulator shall do for them."""

    def __init__(self, world: MoneyWorld) -> None:
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=0)
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().__init__(timeout=CLIENT_TIMEOUT_S, limits=limits, verify=no_tls)
        self.scripted = world.scripted


async def ask(
    apps: Apps,
    url: str,
    *,
    stream: bool = False,
    max_tokens: int | None = None,
    do: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    **body: Any,
) -> Got:
    """One call to a sidecar; transport errors are part of what it got.

    Nobody asks twice: a refusal that a second try would have hidden is a false one.
    """
    sent = {"authorization": "Bearer none", **(headers or {})}
    if do is not None:
        sent["user-agent"] = apps.scripted(do)
    document = body_of(stream=stream, max_tokens=max_tokens, **body)
    got = Got()
    target = f"{url}/v1/chat/completions"
    try:
        async with apps.stream("POST", target, json=document, headers=sent) as answer:
            got.status = answer.status_code
            got.headers = dict(answer.headers)
            got.request_id = answer.headers.get("x-pointsman-request-id", "")
            if got.status == httpx.codes.OK and stream:
                await _read_stream(answer, got)
            else:
                _read_plain(json.loads(await answer.aread()), got)
    except httpx.TransportError as error:
        got.broken = type(error).__name__
        got.whole = False
    return got


def _read_plain(document: dict[str, Any], got: Got) -> None:
    if got.status != httpx.codes.OK:
        got.error = document["error"]
        return
    got.text = str(document["choices"][0]["message"]["content"])
    got.whole = True


async def _read_stream(answer: httpx.Response, got: Got) -> None:
    async for line in answer.aiter_lines():
        if line == "data: [DONE]":
            got.whole = not got.error
        elif line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                got.error = event["error"]
            for choice in event.get("choices", []):
                got.text += choice["delta"].get("content") or ""

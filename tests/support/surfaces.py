"""One question on every surface, and what a caller reads of the answer: no SDK, only the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Surface:
    """How callers of one surface speak."""

    name: str
    path: Callable[[str, bool], str]
    """Of a model, streamed or not."""
    body: Callable[[str, bool], Body]
    said: Callable[[Body], str]
    """The text of a plain answer."""
    part: Callable[[Body], str]
    """The text of one event."""
    mark: Callable[[list[Body | str]], bool]
    """Whether the events have the surface's proper end."""
    error: Callable[[Body], bool]
    """Whether an event or answer is the surface's own error."""

    def text(self, events: list[Body | str]) -> str:
        """The text of all events."""
        return "".join(self.part(event) for event in events if isinstance(event, dict))

    def told(self, events: list[Body | str]) -> bool:
        """Whether the last event is the surface's own error."""
        return bool(events) and isinstance(events[-1], dict) and self.error(events[-1])


def events_of(raw: bytes) -> list[Body | str]:
    """The data of each server-sent event: JSON, or a text that is none."""
    blocks = raw.decode().replace("\r\n", "\n").split("\n\n")
    rows = [
        row.removeprefix("data:").strip()
        for block in blocks
        for row in block.split("\n")
        if row.startswith("data:")
    ]
    return [json.loads(row) if row.startswith(("{", "[{")) else row for row in rows]


def _chat(model: str, stream: bool) -> Body:  # noqa: FBT001 - as the others
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}


def _of_kind(kind: str) -> Callable[[list[Body | str]], bool]:
    return lambda events: any(isinstance(it, dict) and it.get("type") == kind for it in events)


def _gemini_text(told: Body) -> str:
    candidates = told.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts)


def _choice(told: Body) -> Body:
    choices: list[Body] = told.get("choices") or [{}]
    return choices[0]


def _openai_error(told: Body) -> bool:
    error = told.get("error")
    return isinstance(error, dict) and bool(error.get("message"))


SURFACES = (
    Surface(
        "Chat Completions",
        lambda *_: "/v1/chat/completions",
        _chat,
        lambda told: str(_choice(told)["message"]["content"] or ""),
        lambda told: str(_choice(told).get("delta", {}).get("content") or ""),
        lambda events: "[DONE]" in events,
        _openai_error,
    ),
    Surface(
        "Completions",
        lambda *_: "/v1/completions",
        lambda model, stream: {"model": model, "stream": stream, "prompt": "Hi", "max_tokens": 999},
        lambda told: str(_choice(told)["text"]),
        lambda told: str(_choice(told).get("text") or ""),
        lambda events: "[DONE]" in events,
        _openai_error,
    ),
    Surface(
        "Responses",
        lambda *_: "/v1/responses",
        lambda model, stream: {"model": model, "stream": stream, "input": "Hi"},
        lambda told: str(told["output"][0]["content"][0]["text"]),
        lambda told: str(told["delta"]) if told.get("type") == "response.output_text.delta" else "",
        lambda events: (
            _of_kind("response.completed")(events) or _of_kind("response.incomplete")(events)
        ),
        lambda told: told.get("type") == "response.failed" or _openai_error(told),
    ),
    Surface(
        "Anthropic Messages",
        lambda *_: "/v1/messages",
        lambda model, stream: _chat(model, stream) | {"max_tokens": 999},
        lambda told: str(told["content"][0]["text"]),
        lambda told: str((told.get("delta") or {}).get("text") or ""),
        _of_kind("message_stop"),
        lambda told: told.get("type") == "error" and bool(told["error"]["message"]),
    ),
    Surface(
        "Gemini",
        lambda model, stream: (
            f"/v1beta/models/{model}:"
            + ("streamGenerateContent?alt=sse" if stream else "generateContent")
        ),
        lambda *_: {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        _gemini_text,
        _gemini_text,
        lambda events: any(
            isinstance(it, dict)
            and it.get("candidates")
            and bool(it["candidates"][0].get("finishReason"))
            for it in events
        ),
        lambda told: bool((told.get("error") or {}).get("status")),
    ),
)

"""Prompts with personal data: the policy keeps them on this machine, and a real model answers."""

from __future__ import annotations

from collections.abc import Callable

from openai import AsyncOpenAI

from pointsman_operator.cli.demo.calls import Call, ask

MODEL = "main/smollm2"
TEAM = "support"
MAX_TOKENS = 48
"""A small model may ramble; the act shall not."""
PROMPTS = (
    "Write one friendly sentence to our customer anna.schmidt@example.com. Thank her for waiting.",
    "Card 4111 1111 1111 1111 was declined. Say in one sentence what the customer can try.",
    "IBAN DE89 3704 0044 0532 0130 00 is on file. Answer in one word: in which country is it?",
)


async def act(client: AsyncOpenAI, show: Callable[[str], None]) -> list[Call]:
    """Ask one after the other, streamed; prompts and answers are shown as they come."""
    calls = []
    for prompt in PROMPTS:
        show(f"> {prompt}\n  ")
        asked = Call(prompt, "auto", stream=True, team=TEAM, max_tokens=MAX_TOKENS)
        call = await ask(client, asked, show)
        show(f"\n  [{call.model or call.error}]\n")
        calls.append(call)
    return calls


def problems(calls: list[Call]) -> list[str]:
    """Calls that failed, or that left this machine."""
    return [
        f"personal data: {call.error or f'went to {call.model}'}"
        for call in calls
        if not call.ok or call.model != MODEL
    ]

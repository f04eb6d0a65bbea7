"""An app that calls on and on for short answers, until standard input ends.

Argument: `plain` or `streamed`. A line of JSON a call: the model and its tokens, or what failed.
"""

import json
import sys
import threading

from openai import OpenAI, OpenAIError
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionUserMessageParam

ASKED: ChatCompletionUserMessageParam = {"role": "user", "content": "Say hello."}
MOST_TOKENS = 4
PAUSE_S = 0.2
client = OpenAI(max_retries=0, timeout=90)
ended = threading.Event()


def listen() -> None:
    """Wait for the end of standard input."""
    sys.stdin.read()
    ended.set()


def plain() -> dict[str, object]:
    """One answer in one piece."""
    answer = client.chat.completions.create(model="auto", messages=[ASKED], max_tokens=MOST_TOKENS)
    return told(answer.model, answer.usage)


def streamed() -> dict[str, object]:
    """One answer as a stream, read to its end."""
    model, used, reason = "", None, None
    for chunk in client.chat.completions.create(
        model="auto",
        messages=[ASKED],
        max_tokens=MOST_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
    ):
        model, used = chunk.model or model, chunk.usage or used
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
    return told(model, used) if reason else {"failed": "the stream has no end"}


def told(model: str, used: CompletionUsage | None) -> dict[str, object]:
    """What is said of an answered call."""
    assert used is not None
    return {"model": model, "in": used.prompt_tokens, "out": used.completion_tokens}


ask = {"plain": plain, "streamed": streamed}[sys.argv[1]]
threading.Thread(target=listen, daemon=True).start()
while not ended.wait(PAUSE_S):
    try:
        said = ask()
    except OpenAIError as error:
        said = {"failed": repr(error)}
    print(json.dumps(said), flush=True)

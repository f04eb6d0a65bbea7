"""What every app here asks, and how it tells what it got: a JSON document a line."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

QUESTION = "What is six times seven?"
WEATHER = "What is it like in Paris?"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
"""A whole PNG of one pixel."""
KEY = "sk-callers-own-canary"
"""Providers must never see it."""
_ANSWERS = sys.stdout
# Some packages print advice where answers go.
sys.stdout = sys.stderr


@dataclass
class Got:
    """What an app can tell of its answer."""

    text: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    parsed: Any = None
    finish: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: dict[str, Any] | None = None


def parameters(argument: str) -> dict[str, Any]:
    """The schema of a function that takes one text."""
    return {
        "type": "object",
        "properties": {argument: {"type": "string", "description": "Which one."}},
        "required": [argument],
        "additionalProperties": False,
    }


FUNCTIONS = {
    "get_weather": ("The weather of a city.", parameters("city")),
    "get_time": ("The time of a zone.", parameters("zone")),
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
    "additionalProperties": False,
}


def call(name: str, arguments: str | dict[str, Any]) -> dict[str, Any]:
    """A tool call as every app tells it."""
    parsed = json.loads(arguments) if isinstance(arguments, str) else dict(arguments)
    return {"name": name, "arguments": parsed}


def run(features: dict[str, Callable[[str, str], Got]]) -> None:
    """Answer lines of `{"feature": …, "model": …}` until the input ends.

    The router is at POINTSMAN_URL. One process for all questions: importing some of these packages
    takes longer than all calls.
    """
    url = os.environ["POINTSMAN_URL"]
    # Whoever waits in vain asks where it stands.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    tell(sorted(features))
    # Collected between questions only: a broken stream that a package left open (LiteLLM does) is
    # closed by the collector, and where that runs inside the next call, httpcore's connection pool
    # waits for its own lock for ever.
    gc.disable()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            got = features[asked["feature"]](url, asked["model"])
        except Exception as error:  # noqa: BLE001  # whatever the client raises is what its app sees
            got = Got(error=told(error))
        tell(asdict(got))
        gc.collect()


def tell(document: object) -> None:
    """One line to whoever asks."""
    _ANSWERS.write(json.dumps(document) + "\n")
    _ANSWERS.flush()


def told(error: BaseException) -> dict[str, Any]:
    """The error's kind, status and message; of a wrapped one, the innermost that has a status."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    statuses = [getattr(one, "status_code", None) or getattr(one, "code", None) for one in chain]
    status = next((one for one in statuses if isinstance(one, int)), None)
    return {"kind": type(error).__name__, "status": status, "message": str(error)[:400]}

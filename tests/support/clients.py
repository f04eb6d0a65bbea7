"""Apps as users have them: each a process around one client package, asked line by line."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.tree import ROOT
from support.upstreams import NODE

APPS = ROOT / "tests" / "clients" / "apps"
NODE_PACKAGES = ROOT / "build" / "clients"
"""Where .ci/setup.py installs tests/clients/package-lock.json."""
STARTS_WITHIN_S = 120.0
"""For the slowest import of all on a loaded machine."""
ANSWERS_WITHIN_S = 60.0
"""A call takes a few milliseconds; a stream that stalls is given up by the router after 30 s."""
STACKS_WITHIN_S = 2.0
"""For an app that is asked where it stands to write it to its log."""
LOG_SHOWN = 4000
ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""What keeps a package from asking anybody but the router: LiteLLM would fetch prices."""
PYTHONS = {"openai 3": ".venv-clients", "openai 2": ".venv-sdk2"}
"""Environments by the generation of the official SDK in them."""


@dataclass(frozen=True)
class Client:
    """A client package and the surface that it speaks."""

    name: str
    surface: str
    app: str
    """A file in `apps/`."""
    generation: str = "openai 3"
    arguments: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """How its app is started."""
        if self.app.endswith(".mjs"):
            return [str(NODE), str(NODE_PACKAGES / "apps" / self.app), *self.arguments]
        python = ROOT / PYTHONS[self.generation] / "bin" / "python"
        return [str(python), str(APPS / "python" / self.app), *self.arguments]


CHAT, RESPONSES = "Chat Completions", "Responses"
MESSAGES, GEMINI = "Anthropic Messages", "Gemini"

CLIENTS = (
    Client("openai (Python)", CHAT, "openai_chat.py"),
    Client("openai 2 (Python)", CHAT, "openai_chat.py", "openai 2"),
    Client("openai (Python)", RESPONSES, "openai_responses.py"),
    Client("anthropic (Python)", MESSAGES, "anthropic_messages.py"),
    Client("google-genai (Python)", GEMINI, "google_genai.py"),
    Client("langchain-openai", CHAT, "langchain_apps.py", arguments=("openai",)),
    Client("langchain-anthropic", MESSAGES, "langchain_apps.py", arguments=("anthropic",)),
    Client("pydantic-ai", CHAT, "pydantic_ai_app.py", arguments=("openai",)),
    Client("pydantic-ai", MESSAGES, "pydantic_ai_app.py", arguments=("anthropic",)),
    Client("pydantic-ai", GEMINI, "pydantic_ai_app.py", arguments=("google",)),
    Client("openai-agents", CHAT, "openai_agents_app.py", arguments=("chat",)),
    Client("openai-agents", RESPONSES, "openai_agents_app.py", arguments=("responses",)),
    Client("litellm", CHAT, "litellm_app.py", "openai 2", ("openai",)),
    Client("litellm", MESSAGES, "litellm_app.py", "openai 2", ("anthropic",)),
    Client("llama-index-llms-openai", CHAT, "llama_index_app.py", "openai 2"),
    Client("instructor", CHAT, "instructor_app.py", "openai 2"),
    Client("openai (Node)", CHAT, "openai_chat.mjs"),
    Client("openai (Node)", RESPONSES, "openai_responses.mjs"),
    Client("@anthropic-ai/sdk", MESSAGES, "anthropic_messages.mjs"),
    Client("@google/genai", GEMINI, "google_genai.mjs"),
    Client("ai with @ai-sdk/openai", RESPONSES, "ai_sdk.mjs", arguments=("responses",)),
    Client("ai with @ai-sdk/openai", CHAT, "ai_sdk.mjs", arguments=("chat",)),
    Client("ai with @ai-sdk/anthropic", MESSAGES, "ai_sdk.mjs", arguments=("anthropic",)),
)


class SilentError(AssertionError):
    """An app that does not answer."""


class App:
    """A running app."""

    def __init__(self, client: Client, url: str, log: Path) -> None:
        """In front of the router at `url`."""
        self._client = client
        self._url = url
        self._log = log
        self._start()

    def _start(self) -> None:
        with self._log.open("a") as errors:
            self._process = subprocess.Popen(
                self._client.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={
                    **os.environ,
                    **ALONE,
                    "POINTSMAN_URL": self._url,
                    "PYTHONPATH": str(APPS / "python"),
                },
            )
        self.features = frozenset(self._read(STARTS_WITHIN_S))

    def ask(self, feature: str, model: str) -> dict[str, Any]:
        """What the app got; SilentError with its log and stacks where it says nothing.

        The next question has a new process then: one that stands still costs one answer's time.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"feature": feature, "model": model}) + "\n")
        self._process.stdin.flush()
        try:
            got: dict[str, Any] = self._read(ANSWERS_WITHIN_S)
        except SilentError:
            self._process.kill()
            self.end()
            self._start()
            raise
        return got

    def _read(self, within_s: float) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            ready = selector.select(within_s)
        line = stdout.readline() if ready else ""
        if not line:
            raise SilentError(f"the app says nothing:\n{self._told()}")
        return json.loads(line)

    def _told(self) -> str:
        """Its log's end, with where each of its threads stands (Python's: `_asking.py`)."""
        if self._process.poll() is None and not self._client.app.endswith(".mjs"):
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(STACKS_WITHIN_S)
        return self._log.read_text()[-LOG_SHOWN:]

    def end(self) -> None:
        """Its input ends, and so does it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running(client: Client, url: str, folder: Path) -> Iterator[App]:
    """The app of a client, in front of the router at `url`."""
    app = App(client, url, folder / "app.log")
    try:
        yield app
    finally:
        app.end()

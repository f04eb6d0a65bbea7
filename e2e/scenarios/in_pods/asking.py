"""An app that lists the models, then asks for some by name: a line each, answer or refusal."""

import sys
from collections.abc import Callable

from openai import APIStatusError, OpenAI

client = OpenAI(max_retries=0, timeout=30)


def say(ask: Callable[[], str]) -> None:
    """What comes, or status and code of the refusal."""
    try:
        print(ask())
    except APIStatusError as error:
        print(error.status_code, error.code)


def ask(name: str) -> str:
    """The model that answers under a name."""
    return client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": "Say hello."}]
    ).model


say(lambda: ",".join(sorted(model.id for model in client.models.list())))
for name in sys.argv[1:]:
    say(lambda name=name: ask(name))  # type: ignore[misc]

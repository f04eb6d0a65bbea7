"""instructor: a pydantic model out of a tool call."""

from __future__ import annotations

import instructor
import openai
from _asking import KEY, QUESTION, Got, run
from pydantic import BaseModel


class Person(BaseModel):
    """A structured answer."""

    name: str
    born: int


def structured(url: str, model: str) -> Got:
    """One validated answer, without retries."""
    plain = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    made = instructor.from_openai(plain, mode=instructor.Mode.JSON_SCHEMA).chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": QUESTION}],
        response_model=Person,
        max_retries=0,
    )
    return Got(parsed=made.model_dump())


run({"structured": structured})

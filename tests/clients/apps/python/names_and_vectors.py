"""What official SDKs make of lists of models and of vectors: one document on standard output.

Called with the router's URL.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

KEY = "sk-callers-own-canary"
TEXTS = ["one", "two"]


def names(url: str) -> dict[str, Any]:
    """The list, and one of it, of each SDK."""
    anthropics = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
    googles = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
    openais = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    one = anthropics.models.retrieve("gemini-embedder")
    return {
        "anthropic": [it.id for it in anthropics.models.list()],
        "google": [it.name for it in googles.models.list()],
        "openai": [it.id for it in openais.models.list()],
        "one": [one.id, one.max_tokens, str(googles.models.get(model="gemini-embedder").name)],
    }


def vectors(url: str, model: str) -> dict[str, Any]:
    """The same texts by OpenAI's SDK and by Google's."""
    googles = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
    openais = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    by_google = googles.models.embed_content(model=model, contents=list(TEXTS))
    by_openai = openais.embeddings.create(model=model, input=TEXTS)
    return {
        "google": [it.values for it in by_google.embeddings or []],
        "openai": [it.embedding for it in by_openai.data],
    }


def refused(url: str) -> dict[str, Any]:
    """What comes of asking for what is nowhere."""
    openais = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    try:
        openais.responses.create(
            model="openai-plain", input="Hi", previous_response_id="resp_a_pm00000000"
        )
    except openai.BadRequestError as error:
        return {"code": error.code, "message": error.message}
    return {}


def main() -> None:
    """All of it."""
    url = sys.argv[1]
    models = ("openai-embedder", "gemini-embedder")
    told = {"names": names(url), "refused": refused(url)}
    told["vectors"] = {model: vectors(url, model) for model in models}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()

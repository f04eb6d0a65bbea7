"""What official SDKs make of what providers keep: one document on standard output.

Called with the router's URL and the accounts whose models are asked.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

KEY = "sk-callers-own-canary"
TEXT = b"The train now standing at platform nine."
ASKED = "Which platform?"


def openais(url: str, model: str) -> openai.OpenAI:
    """With base URL and key changed, and a header that says which account is to keep things."""
    named = {"x-pointsman-model": model}
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, default_headers=named)


def openai_files(url: str, account: str) -> Any:
    """A file is kept, listed, read and gone."""
    client = openais(url, f"openai-{account}")
    kept = client.files.create(file=("a.txt", TEXT), purpose="user_data")
    whole = client.files.content(kept.id).content
    listed = [one.id for one in client.files.list()]
    gone = client.files.delete(kept.id).deleted
    return [whole.decode(), kept.id in listed, gone, status(lambda: client.files.retrieve(kept.id))]


def openai_batches(url: str, account: str) -> Any:
    """A batch of a file's lines, and its output."""
    client = openais(url, f"openai-{account}")
    body = {"model": "openai-2026", "messages": [{"role": "user", "content": ASKED}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    source = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    made = client.batches.create(
        input_file_id=source.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    seen = client.batches.retrieve(made.id)
    output = client.files.content(seen.output_file_id or "").text
    said = json.loads(output)["response"]["body"]["choices"][0]["message"]["content"]
    return [seen.status, seen.input_file_id == source.id, said]


def openai_stored_responses(url: str, account: str) -> Any:
    """An answer is looked up, gone on from, and deleted."""
    client = openais(url, f"openai-{account}")
    model = f"openai-{account}"
    first = client.responses.create(model=model, input=ASKED)
    again = client.responses.retrieve(first.id)
    after = client.responses.create(model=model, input="Sure?", previous_response_id=first.id)
    client.responses.delete(first.id)
    lost = status(lambda: client.responses.retrieve(first.id))
    return [again.output_text == first.output_text, bool(after.output_text), lost]


def claude(url: str, model: str) -> anthropic.Anthropic:
    """The same of Anthropic's."""
    named = {"x-pointsman-model": model}
    return anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, default_headers=named)


def anthropic_files(url: str, account: str) -> Any:
    """A file is kept, read, asked about and gone; elsewhere it is not known."""
    client = claude(url, f"anthropic-{account}")
    kept = client.beta.files.upload(file=("a.txt", TEXT, "text/plain"))
    about = client.beta.files.retrieve_metadata(kept.id)
    whole = client.beta.files.download(kept.id).read()

    def ask(model: str) -> Any:
        source: Any = {"type": "file", "file_id": kept.id}
        content: Any = [{"type": "document", "source": source}, {"type": "text", "text": ASKED}]
        return client.beta.messages.create(
            model=model,
            max_tokens=50,
            messages=[{"role": "user", "content": content}],
            betas=["files-api-2025-04-14"],
        )

    said = bool(ask(f"anthropic-{account}").content)
    other = "two" if account == "one" else "one"
    elsewhere = status(lambda: ask(f"anthropic-{other}"))
    listed = [one.id for one in client.beta.files.list()]
    client.beta.files.delete(kept.id)
    gone = status(lambda: client.beta.files.retrieve_metadata(kept.id))
    return [about.size_bytes, whole.decode(), said, kept.id in listed, elsewhere, gone]


def anthropic_batches(url: str, account: str) -> Any:
    """A batch by our name of its model, its results, and the list of them."""
    client = claude(url, f"anthropic-{account}")
    params: Any = {
        "model": f"anthropic-{account}",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": ASKED}],
    }
    requests: Any = [{"custom_id": "a", "params": params}, {"custom_id": "b", "params": params}]
    made = client.messages.batches.create(requests=requests)
    results = [
        [one.custom_id, one.result.message.model]
        for one in client.messages.batches.results(made.id)
        if one.result.type == "succeeded"
    ]
    listed = [one.id for one in client.messages.batches.list()]
    client.messages.batches.delete(made.id)
    gone = status(lambda: client.messages.batches.retrieve(made.id))
    return [made.processing_status, results, made.id in listed, gone]


def google(url: str, model: str) -> genai.Client:
    """The same of Google's."""
    named = {"x-pointsman-model": model}
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, headers=named))


def google_files(url: str, account: str) -> Any:
    """A file is uploaded in parts, looked up, asked about and gone."""
    client = google(url, f"gemini-{account}")
    config = types.UploadFileConfig(mime_type="text/plain")
    kept = client.files.upload(file=io.BytesIO(TEXT), config=config)
    name = kept.name or ""
    about = client.files.get(name=name)
    model = f"gemini-{account}"
    said = bool(client.models.generate_content(model=model, contents=[kept, ASKED]).text)
    other = "gemini-two" if account == "one" else "gemini-one"
    elsewhere = status(lambda: client.models.generate_content(model=other, contents=[kept, ASKED]))
    listed = [one.name for one in client.files.list()]
    client.files.delete(name=name)
    gone = status(lambda: client.files.get(name=name))
    return [about.size_bytes, said, name in listed, elsewhere, gone]


def google_caches(url: str, account: str) -> Any:
    """A cache by our name of its model, asked from, kept longer and gone."""
    client = google(url, f"gemini-{account}")
    model = f"gemini-{account}"
    config = types.CreateCachedContentConfig(contents=[TEXT.decode() * 50], ttl="300s")
    made = client.caches.create(model=model, config=config)
    name = made.name or ""
    asked = types.GenerateContentConfig(cached_content=name)
    said = bool(client.models.generate_content(model=model, contents=ASKED, config=asked).text)
    pieces = client.models.generate_content_stream(model=model, contents=ASKED, config=asked)
    streamed = bool("".join(piece.text or "" for piece in pieces))
    longer = client.caches.update(name=name, config=types.UpdateCachedContentConfig(ttl="600s"))
    listed = [one.name for one in client.caches.list()]
    client.caches.delete(name=name)
    gone = status(lambda: client.caches.get(name=name))
    return [made.model, said, streamed, longer.name == name, name in listed, gone]


def status(call: Callable[[], Any]) -> int | None:
    """The status that the SDK raises; None: it raises none."""
    try:
        call()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        return error.status_code
    except genai.errors.APIError as error:
        return int(error.code)
    return None


CALLS: dict[str, Callable[[str, str], Any]] = {
    "openai_files": openai_files,
    "openai_batches": openai_batches,
    "openai_stored_responses": openai_stored_responses,
    "anthropic_files": anthropic_files,
    "anthropic_batches": anthropic_batches,
    "google_files": google_files,
    "google_caches": google_caches,
}


def main() -> None:
    """All calls, at each account."""
    url, *accounts = sys.argv[1:]
    told = {one: {name: call(url, one) for name, call in CALLS.items()} for one in accounts}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()

"""An app that sends large bodies all at once. Arguments: how many, megabytes each.

A line a call: `200`, or status, error code and Retry-After of a refusal as the SDK raises it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from openai import APIStatusError, OpenAI

CALLS, MEGABYTES = map(int, sys.argv[1:])
client = OpenAI(max_retries=0, timeout=120)
together = Barrier(CALLS)
image = {"url": f"data:image/png;base64,{'A' * MEGABYTES * 1_000_000}"}
content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": image}]


def call(_: int) -> str:
    """One call, together with all others."""
    together.wait()
    try:
        client.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": content}],  # type: ignore[misc,list-item]
            max_tokens=5,
        )
    except APIStatusError as error:
        headers = error.response.headers
        return f"{error.status_code} {error.code} {headers.get('retry-after', '-')}"
    return "200"


with ThreadPoolExecutor(CALLS) as pool:
    for said in pool.map(call, range(CALLS)):
        print(said)

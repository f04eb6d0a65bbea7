"""A caller that has no router: the official SDK, told by its environment whom to call and trust.

Argument: its key; empty: it sends none. One line: the model that answered, or status and code of
the refusal, or `unreachable`.
"""

import sys

from openai import APIConnectionError, APIStatusError, APITimeoutError, Omit, OpenAI

(KEY,) = sys.argv[1:]
client = OpenAI(api_key=KEY or "not sent", max_retries=0, timeout=30)
try:
    answer = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Say hello."}],
        extra_headers={} if KEY else {"Authorization": Omit()},
    )
    print(answer.model)
except APIStatusError as error:
    print(error.status_code, error.code)
except APITimeoutError:
    raise
except APIConnectionError:
    print("unreachable")

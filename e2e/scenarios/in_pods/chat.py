"""An app: the official SDK, told by nothing but its environment.

Arguments: how many calls, seconds between them. A line a call: time, model, tokens in and
out.
"""

import sys
import time

from openai import OpenAI

client = OpenAI(max_retries=0, timeout=30)
for _ in range(int(sys.argv[1])):
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Say hello."}]
    )
    used = answer.usage
    assert used is not None
    print(time.time(), answer.model, used.prompt_tokens, used.completion_tokens, flush=True)
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)

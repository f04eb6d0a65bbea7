"""An app: the official SDK, told by nothing but its environment.

Arguments: how many calls, seconds between them. A line a call: time, model, answer.
"""

import sys
import time

from openai import OpenAI

client = OpenAI(max_retries=0, timeout=30)
for _ in range(int(sys.argv[1])):
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Say hello."}]
    )
    print(time.time(), answer.model, answer.choices[0].message.content, flush=True)
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)

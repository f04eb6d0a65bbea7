"""An app that calls on and on: the official SDK, told by nothing but its environment.

A line a call: when it ended, and the model or what the SDK raised. SIGTERM ends it.
"""

import signal
import sys
import time

from openai import OpenAI, OpenAIError

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
client = OpenAI(max_retries=0, timeout=30)
while True:
    try:
        said = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Say hello."}]
        ).model
    except OpenAIError as error:
        said = repr(error)
    print(time.time(), said, flush=True)
    time.sleep(0.1)

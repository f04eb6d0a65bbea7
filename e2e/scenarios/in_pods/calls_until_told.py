"""An app that calls until it is told to end; a line a call: `ok` and the model, or the failure."""

import signal
import threading

from openai import OpenAI, OpenAIError

PAUSE_S = 0.05
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
client = OpenAI(max_retries=0, timeout=30)
while not ended.wait(PAUSE_S):
    try:
        answer = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Say hello."}]
        )
        print("ok", answer.model)
    except OpenAIError as error:
        print("failed", type(error).__name__, error)
print("ended")

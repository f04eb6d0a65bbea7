"""An app that streams: told to end, it lets its streams finish, makes one more call, and ends.

Argument: how many streams at once. A line each: `streaming` once all have begun, `told`,
`stream FINISH_REASON` each, `after MODEL`.
"""

import signal
import sys
import threading

from openai import OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

ASKED: ChatCompletionUserMessageParam = {"role": "user", "content": "Say hello."}
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
client = OpenAI(max_retries=0, timeout=60)
streams = int(sys.argv[1])
begun = threading.Barrier(streams + 1)


def follow() -> None:
    """Read one stream to its end."""
    waits, reason = True, ""
    for chunk in client.chat.completions.create(model="auto", messages=[ASKED], stream=True):
        if waits:
            begun.wait()
            waits = False
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
    print(f"stream {reason}\n", end="", flush=True)  # in one piece, among threads


threads = [threading.Thread(target=follow) for _ in range(streams)]
for thread in threads:
    thread.start()
begun.wait()
print("streaming", flush=True)
signal.sigwait({signal.SIGTERM})
print("told", flush=True)
for thread in threads:
    thread.join()
answer = client.chat.completions.create(model="auto", messages=[ASKED])
print("after", answer.model, flush=True)

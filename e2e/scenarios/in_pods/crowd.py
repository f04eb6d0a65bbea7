"""Callers that go around the router and fill an engine, until standard input ends.

Arguments: the engine's URL, the model, how many callers, how many tokens each answer has.
"""

import json
import os
import sys
import threading
import urllib.request

URL, MODEL, CALLERS, TOKENS = sys.argv[1:]
BODY = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Tell a very long story."}],
    "max_tokens": int(TOKENS),
    "ignore_eos": True,
}


def call() -> None:
    """Call for ever."""
    while True:
        asked = urllib.request.Request(  # noqa: S310 - of the same pod
            f"{URL}/v1/chat/completions",
            json.dumps(BODY).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(asked, timeout=300).read()  # noqa: S310


for _ in range(int(CALLERS)):
    threading.Thread(target=call, daemon=True).start()
sys.stdin.read()
# At once, and with all connections: an engine works on for callers who are still there.
os._exit(0)

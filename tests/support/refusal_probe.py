"""Asks a hub with one pod's token until it is refused, and says when that was.

A process of its own: a thread beside ten thousand simulated streams would measure those. The token
comes on standard input; the answer is the monotonic time, which all processes share.
"""

from __future__ import annotations

import argparse
import http.client
import ssl
import sys
import time

from support.eventually import eventually


def main() -> int:
    """Ask until 401 is answered; a failure when that takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--within-s", type=float, required=True)
    options = parser.parse_args()
    trust = ssl.create_default_context(cafile=options.ca)
    headers = {"authorization": f"Bearer {sys.stdin.read().strip()}"}

    def refused() -> bool:
        hub = http.client.HTTPSConnection(
            "localhost", options.port, timeout=options.within_s, context=trust
        )
        try:
            hub.request("POST", "/v1/ledger/sync", body=b"{}", headers=headers)
            return hub.getresponse().status == http.HTTPStatus.UNAUTHORIZED
        except (OSError, http.client.HTTPException):
            # No answer says nothing yet.
            return False
        finally:
            hub.close()

    eventually(refused, options.within_s)
    sys.stdout.write(f"{time.monotonic()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Every bound and interval of what talks to Kubernetes (I6), each with its reason."""

from __future__ import annotations

THREADS = 8
"""Calls of the blocking client in flight."""

PAGE = 500
"""Objects a page of a list."""
WATCH_S = 300
"""The server ends a watch after this long; it is resumed from where it was."""
SILENCE_S = 75.0
"""Bookmarks come once a minute: a watch that says nothing for longer is dead."""
CONNECT_WITHIN_S = 10.0
RECONNECT_FIRST_S = 0.5
RECONNECT_MOST_S = 15.0
"""Pauses between attempts to reach the API server or the hub: double from the first to the last."""

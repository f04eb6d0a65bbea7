"""What each exit status means; `--help` of every command that uses one says it."""

from __future__ import annotations

OK = 0
"""It worked, and the answer is yes."""
REFUSED = 1
"""It worked, and the answer is no: resources with errors, a demo whose figures do not hold."""
USAGE = 2
"""The command line itself is wrong."""
NOT_FOUND = 3
"""What was asked for does not exist: an unknown request id."""
FORBIDDEN = 77
"""The API server or the hub knows the caller and says no; the message names the missing right."""
UNAVAILABLE = 69
"""Something that is needed is not there: no hub answers, a port is taken, a program is missing."""
FAILED = 70
"""A process that we started ended when it should not have."""

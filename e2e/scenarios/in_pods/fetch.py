"""Runs in a pod: prints what a URL answers."""

from __future__ import annotations

import sys
from urllib.request import urlopen

print(urlopen(sys.argv[1], timeout=5).read().decode())  # noqa: S310 - the test's own URL

"""Memory that does not follow what waits in circles for Python's collector."""

from __future__ import annotations

import asyncio
import gc


async def free_circles(every_s: float) -> None:
    """Free for ever, every `every_s` seconds, what kopf and the HTTP clients leave in circles.

    The collector itself waits until there is a quarter as much of it as of all else. What there is
    at the call stays: left out of the collector's books, it costs nothing to look past.
    """
    gc.collect()
    gc.freeze()
    while True:
        await asyncio.sleep(every_s)
        gc.collect()

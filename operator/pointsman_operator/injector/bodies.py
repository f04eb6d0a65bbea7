"""Request bodies within bounds: each, and all that are in memory together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request

from pointsman_operator.injector import limits


class Bodies:
    """Admits as many bytes as memory holds; others wait unread, which holds their senders."""

    def __init__(self) -> None:
        self._free = limits.BODIES_BYTES_MAX
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """A body, kept count of while the block runs; raises 411, 413 or 503."""
        size = declared(request)
        counted = max(size, limits.BODY_BYTES_LEAST)
        async with self._room(counted):
            try:
                async with asyncio.timeout(limits.REVIEW_WITHIN_S):
                    yield await _collect(request, size)
            except TimeoutError as error:
                raise HTTPException(503, "the body did not come in time") from error

    @asynccontextmanager
    async def _room(self, size: int) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(limits.REVIEW_WITHIN_S), self._changed:
                await self._changed.wait_for(lambda: self._free >= size)
                self._free -= size
        except TimeoutError as error:
            raise HTTPException(503, "too many large bodies at once") from error
        try:
            yield
        finally:
            async with self._changed:
                self._free += size
                self._changed.notify_all()


def declared(request: Request) -> int:
    """The announced length, which is what memory is set aside for."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "content-length is needed")
    if int(length) > limits.BODY_BYTES_MAX:
        raise HTTPException(413, f"a review holds at most {limits.BODY_BYTES_MAX} bytes")
    return int(length)


async def _collect(request: Request, size: int) -> bytes:
    """The HTTP parser holds the sender to its announcement."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
    if len(pieces) != size:
        raise HTTPException(400, "the body ended early")
    return bytes(pieces)

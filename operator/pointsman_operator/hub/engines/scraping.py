"""Pages of engines, one question at a time each: bounded in time, size and number at once."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import httpx

from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.exposition import NAMES, ExpositionError, Reading, read

_log = logging.getLogger(__name__)


class ScrapeError(Exception):
    """An engine did not answer as it should; the message says how."""


class Scraper:
    """Asks engines for their metrics, and vLLM whether it sleeps where the metrics do not say."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(limits.SCRAPES_AT_ONCE)
        self._sleep_unknown_until_s: dict[str, float] = {}
        self._http = httpx.AsyncClient(
            timeout=limits.SCRAPE_WITHIN_S,
            limits=httpx.Limits(max_connections=2 * limits.SCRAPES_AT_ONCE),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    def forget(self, url: str) -> None:
        """The endpoint is gone."""
        self._sleep_unknown_until_s.pop(url, None)

    async def scrape(self, url: str, engine: str) -> Reading:
        """What the engine at `url` says now; raises `ScrapeError`."""
        if engine not in NAMES:
            return Reading()
        async with self._room:
            try:
                async with asyncio.timeout(limits.SCRAPE_WITHIN_S):
                    reading = read(engine, await self._page(f"{url}/metrics"))
                    if engine == "vLLM" and reading.asleep is None:
                        return await self._with_sleep(url, reading)
                    return reading
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ExpositionError) as error:
                raise ScrapeError(f"{url}: {str(error) or type(error).__name__}") from error

    async def _page(self, url: str) -> str:
        body = bytearray()
        async with self._http.stream("GET", url) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise ScrapeError(f"{url}: {answer.status_code}")
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > limits.PAGE_BYTES_MAX:
                    raise ScrapeError(f"{url}: more than {limits.PAGE_BYTES_MAX} bytes")
        return body.decode(errors="replace")

    async def _with_sleep(self, url: str, reading: Reading) -> Reading:
        """Older vLLM tells by a path of its own, if at all."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._sleep_unknown_until_s.get(url, 0):
            return reading
        answer = await self._http.get(f"{url}/is_sleeping")
        asleep = _sleeping(answer)
        if not isinstance(asleep, bool):
            self._sleep_unknown_until_s[url] = now_s + limits.SLEEP_AGAIN_S
            return reading
        return Reading(
            **{name: getattr(reading, name) for name in Reading.__slots__ if name != "asleep"},
            asleep=asleep,
        )


def _sleeping(answer: httpx.Response) -> object:
    try:
        said = answer.json() if answer.status_code == HTTPStatus.OK else None
    except ValueError:
        return None
    return said.get("is_sleeping") if isinstance(said, dict) else None

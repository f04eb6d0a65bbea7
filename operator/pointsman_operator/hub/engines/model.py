"""One self-hosted model: its endpoints followed and scraped, its state and load worked out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pointsman_operator.compile.endpoints import Full, OwnModel
from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.engines.endpoint import Endpoint
from pointsman_operator.hub.engines.saturation import Level
from pointsman_operator.hub.engines.scraping import ScrapeError, Scraper
from pointsman_operator.kube.endpoints import Found, Place

_log = logging.getLogger(__name__)

State = Literal["Ready", "Starting", "Asleep", "Absent"]


class Watched(Protocol):
    """What is known of a place (`kube.endpoints.EndpointWatch`)."""

    found: tuple[Found, ...]
    missing: str
    known: bool

    async def run(self) -> None:
        """Keep up for ever."""
        ...


Watching = Callable[[Place, Callable[[], None]], Watched]
"""Makes the watch of a place; it calls back on changes."""


@dataclass(frozen=True)
class Load:
    """What sidecars are told of a model."""

    state: State
    endpoints: tuple[tuple[str, Level], ...]
    """Those that may be called, by URL."""
    unready: tuple[str, ...] = ()
    """Others that are there and awake: what they work on may still come."""

    def document(self) -> dict[str, Any]:
        """As in the event `fleet`."""
        rows = [{"url": url, "level": int(level)} for url, level in self.endpoints]
        return {"state": self.state, "endpoints": rows, "unready": list(self.unready)}


@dataclass(frozen=True)
class Told:
    """What the controller is told of a model."""

    state: State
    ready: int
    """Endpoints that may be called."""
    endpoints: int
    asleep: int
    saturated: bool
    """All that may be called have been full for a while."""
    message: str
    """What is missing; empty: nothing."""


class ModelWatch:
    """Follows one model until it is closed."""

    def __init__(self, own: OwnModel, place: Place, watching: Watching, scraper: Scraper) -> None:
        self.own = own
        self.place = place
        self.endpoints: dict[str, Endpoint] = {}
        self.load: Load | None = None
        """None: nothing is known yet."""
        self._scraper = scraper
        self._watch = watching(place, self._take_found)
        self._following = asyncio.create_task(self._watch.run())
        self._following.add_done_callback(self._ended)
        self._scraping: dict[str, asyncio.Task[None]] = {}
        self._saturated = False
        self._other_since_s: float | None = None
        """Since when it is the other way round."""

    async def close(self) -> None:
        """End everything that was begun."""
        tasks = [self._following, *self._scraping.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self, now_s: float) -> bool:
        """Work out the load as of now; whether it has changed."""
        full = self.own.full or Full(max_first_token_ms=0)
        for endpoint in self.endpoints.values():
            endpoint.look(full, now_s)
        before, self.load = self.load, self._load_now()
        self._settle(now_s)
        return before != self.load

    def told(self) -> Told | None:
        """For the controller; None: nothing is known yet."""
        if self.load is None:
            return None
        return Told(
            state=self.load.state,
            ready=len(self.load.endpoints),
            endpoints=len(self.endpoints),
            asleep=sum(it.asleep and it.ready for it in self.endpoints.values()),
            saturated=self._saturated,
            message=self._watch.missing,
        )

    def least_share(self) -> float | None:
        """How full the emptiest endpoint is; None: there is none."""
        return min((it.gauge.share for it in self.endpoints.values() if it.usable), default=None)

    def _load_now(self) -> Load | None:
        if not self._watch.known:
            return None
        there = self.endpoints.values()
        usable = sorted((it.url, it.gauge.level) for it in there if it.usable)
        unready = tuple(sorted(it.url for it in there if not (it.usable or it.asleep)))
        if usable:
            return Load("Ready", tuple(usable), unready)
        if any(it.ready and not it.asked for it in there):
            return self.load
        if any(it.ready and it.asleep for it in there):
            return Load("Asleep", (), unready)
        return Load("Starting" if self.endpoints else "Absent", (), unready)

    def _settle(self, now_s: float) -> None:
        levels = [level for _, level in self.load.endpoints] if self.load else []
        full = bool(levels) and min(levels) is Level.FULL
        if full == self._saturated:
            self._other_since_s = None
        elif self._other_since_s is None:
            self._other_since_s = now_s
        elif now_s - self._other_since_s >= limits.SETTLED_S:
            self._saturated, self._other_since_s = full, None

    def _take_found(self) -> None:
        found = {it.url: it for it in self._watch.found[: limits.ENDPOINTS_PER_MODEL_MAX]}
        for url in self.endpoints.keys() - found.keys():
            del self.endpoints[url]
            self._scraping.pop(url).cancel()
            self._scraper.forget(url)
        for url, it in found.items():
            if url not in self.endpoints:
                endpoint = self.endpoints[url] = Endpoint(url)
                self._scraping[url] = asyncio.create_task(self._scrape(endpoint))
                self._scraping[url].add_done_callback(self._ended)
            self.endpoints[url].ready = it.ready

    def _ended(self, task: asyncio.Task[None]) -> None:
        """These tasks end when they are cancelled; else it is a defect, and must be seen."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s is not watched any more", self.own.name, exc_info=error)

    async def _scrape(self, endpoint: Endpoint) -> None:
        """Ask for the page again and again; silence is told once."""
        loop = asyncio.get_running_loop()
        failing = False
        while True:
            begun_s = loop.time()
            try:
                endpoint.take(
                    await self._scraper.scrape(endpoint.url, self.own.engine), loop.time()
                )
                failing = False
            except (ScrapeError, TimeoutError) as error:
                if not failing and endpoint.ready:
                    _log.info("%s: no figures of an engine: %s", self.own.name, error)
                failing = True
            endpoint.asked = endpoint.asked or endpoint.ready
            jitter = random.uniform(1 - limits.SCRAPE_JITTER, 1 + limits.SCRAPE_JITTER)  # noqa: S311
            await asyncio.sleep(max(0.0, limits.SCRAPE_EVERY_S * jitter - (loop.time() - begun_s)))

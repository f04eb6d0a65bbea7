"""kopf, as far as we use it: events of the three kinds, from a thread of its own.

Only `on.event` handlers: kopf then writes nothing onto users' objects, neither finalizers nor
annotations. It treats every task of its loop as its own at its end, so it gets one to itself; what
it sees is handed over to the controller's. kopf does not tell what was deleted while it had to
list again: `comparing` finds that out.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf

from pointsman_operator.api.kinds import KINDS
from pointsman_operator.api.meta import GROUP, VERSION
from pointsman_operator.controller import limits
from pointsman_operator.kube import limits as kube_limits
from pointsman_operator.kube.connection import Connection

Told = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's type (`DELETED` or another) and the object."""
LOGIN_LASTS = dt.timedelta(minutes=10)

_log = logging.getLogger(__name__)


class Watcher:
    """kopf in a thread; what it tells arrives in the loop that started it."""

    def __init__(self, connection: Connection, namespaces: Collection[str], told: Told) -> None:
        self._connection = connection
        self._namespaces = namespaces
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    async def stop(self) -> None:
        """End, within the time that a shutdown has; one that never began has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, limits.SHUTDOWN_WITHIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            error = asyncio.run(self._operate())
            if not self._stop.is_set():
                _log.warning("kopf ended, starting it again: %r", error)
                self._stop.wait(limits.KOPF_RESTART_S)

    async def _operate(self) -> BaseException | None:
        """One life of kopf's; why it ended."""
        operator = kopf.operator(
            registry=_registry(self._connection, self._hand_over),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=tuple(self._namespaces),
            stop_flag=self._stop,
        )
        task = asyncio.create_task(operator)
        await asyncio.wait({task})
        return task.exception()

    def _hand_over(self, kind: str, item: Mapping[str, Any]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told, kind, item)


def _registry(connection: Connection, hand_over: Told) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return _login(connection)

    async def seen(event: Mapping[str, Any], **_: Any) -> None:
        hand_over(str(event["type"]), event["object"])

    for kind in KINDS:
        kopf.on.event(GROUP, VERSION, kind.plural, registry=registry)(seen)
    return registry


def _login(connection: Connection) -> kopf.ConnectionInfo:
    own = connection.configuration
    scheme, _, token = connection.authorization().partition(" ")
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_path=own.ssl_ca_cert,
        ca_data=own.ca_cert_data,
        scheme=scheme.capitalize() or None,
        token=token or None,
        certificate_path=own.cert_file,
        private_key_path=own.key_file,
        # ServiceAccount tokens are renewed within the hour, in place.
        expiration=dt.datetime.now(dt.UTC) + LOGIN_LASTS if token else None,
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # Without: kopf would list and watch CRDs and namespaces in the whole cluster.
    settings.scanning.disabled = True
    settings.watching.server_timeout = kube_limits.WATCH_S
    settings.watching.client_timeout = kube_limits.WATCH_S + 30
    settings.watching.connect_timeout = kube_limits.CONNECT_WITHIN_S
    settings.watching.inactivity_timeout = kube_limits.SILENCE_S
    settings.watching.chunk_size = kube_limits.PAGE
    settings.networking.request_timeout = kube_limits.CALL_WITHIN_S
    settings.networking.enforce_retry_after = True
    return settings

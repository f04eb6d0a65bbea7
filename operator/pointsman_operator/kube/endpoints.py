"""Where self-hosted models answer now: the endpoints of a Service, or pods by label.

One watch for each place that a served table asks for, in its own namespace. Called by the hub.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pointsman_operator.kube import limits
from pointsman_operator.kube.watch import Key, Streaming, Watch

OF_SERVICE = "kubernetes.io/service-name"
NOT_FOUND = 404
FAMILIES = ("IPv4", "IPv6")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where to look: a Service, or labels of pods."""

    namespace: str
    service: str
    """Empty: `labels` count."""
    labels: tuple[tuple[str, str], ...]
    port: int
    """The Service's, or the pods'."""

    def __str__(self) -> str:
        """As messages name it."""
        if self.service:
            return f"Service {self.namespace}/{self.service}"
        shown = ",".join(f"{name}={value}" for name, value in self.labels)
        return f"pods of {self.namespace} with {shown}"


@dataclass(frozen=True, order=True)
class Found:
    """One address; not ready: it is starting, or on its way out."""

    url: str
    """`http://HOST:PORT`."""
    ready: bool


class EndpointWatch:
    """The endpoints of one place, as of now; `changed` is told that they may have changed."""

    def __init__(self, connection: Streaming, place: Place, changed: Callable[[], None]) -> None:
        self.found: tuple[Found, ...] = ()
        self.missing = ""
        """What is not there although it is named; empty: it is."""
        self.known = False
        """Whether the API server has been heard."""
        self._connection = connection
        self._place = place
        self._changed = changed
        self._stirred = asyncio.Event()
        base = f"/namespaces/{place.namespace}"
        if place.service:
            path = f"/apis/discovery.k8s.io/v1{base}/endpointslices"
            wanted = f"{OF_SERVICE}={place.service}"
        else:
            path = f"/api/v1{base}/pods"
            wanted = ",".join(f"{name}={value}" for name, value in place.labels)
        keep: Callable[[Mapping[str, Any]], Any] = _slice if place.service else _pod
        self.watch: Watch[Any] = Watch(connection, path, keep, self._stir, label_selector=wanted)

    async def run(self) -> None:
        """Keep up for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run())
            await self.watch.synced.wait()
            while True:
                self._stirred.clear()
                if not await self._read():
                    await asyncio.sleep(limits.SERVICE_AGAIN_S)
                    continue
                await self._stirred.wait()

    def _stir(self, _key: Key, _kept: object) -> None:
        self._stirred.set()

    async def _read(self) -> bool:
        """Take what the watch holds; False: ask again soon."""
        settled = True
        if self._place.service:
            try:
                service = await self._service()
            except (httpx.HTTPError, OSError, ValueError) as error:
                _log.info("%s: %s; asking again", self._place, repr(error))
                return False
            found, missing = _of_service(self._place, service, self.watch.kept())
            # A Service can be made, or get its port, without any word from its EndpointSlices.
            settled = not missing
        else:
            pods = (pod for pod in self.watch.kept() if pod is not None)
            found, missing = _found((ip, self._place.port, ready) for ip, ready in pods), ""
        if (found, missing, True) != (self.found, self.missing, self.known):
            self.found, self.missing, self.known = found, missing, True
            self._changed()
        return settled

    async def _service(self) -> Mapping[str, Any] | None:
        path = f"/api/v1/namespaces/{self._place.namespace}/services/{self._place.service}"
        async with self._connection.streaming(limits.CALL_WITHIN_S) as http:
            answer = await http.get(path)
        if answer.status_code == NOT_FOUND:
            return None
        answer.raise_for_status()
        service: Mapping[str, Any] = answer.json()
        return service


@dataclass(frozen=True)
class _Slice:
    """What counts of an EndpointSlice."""

    family: str
    ports: tuple[tuple[str, int | None], ...]
    addresses: tuple[tuple[str, str, bool], ...]
    """What it is of (a pod's UID, else the address), address, ready."""


def _slice(item: Mapping[str, Any]) -> _Slice:
    addresses = []
    for endpoint in item.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        ready = conditions.get("ready") is not False and not conditions.get("terminating")
        for address in endpoint.get("addresses") or ():
            of = str((endpoint.get("targetRef") or {}).get("uid") or address)
            addresses.append((of, str(address), ready))
    ports = tuple((str(it.get("name") or ""), it.get("port")) for it in item.get("ports") or ())
    return _Slice(str(item.get("addressType", "")), ports, tuple(addresses))


def _pod(item: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Address and whether it is ready; None: a pod that has none, or has finished."""
    status = item.get("status") or {}
    address = status.get("podIP")
    if not address or status.get("phase") in {"Succeeded", "Failed"}:
        return None
    conditions = {it.get("type"): it.get("status") for it in status.get("conditions") or ()}
    leaving = "deletionTimestamp" in item["metadata"]
    return str(address), conditions.get("Ready") == "True" and not leaving


def _of_service(
    place: Place, service: Mapping[str, Any] | None, slices: tuple[_Slice, ...]
) -> tuple[tuple[Found, ...], str]:
    if service is None:
        return (), f"there is no {place}"
    ports = (service.get("spec") or {}).get("ports") or ()
    names = {it.get("port"): str(it.get("name") or "") for it in ports}
    if names and place.port not in names:
        has = ", ".join(map(str, sorted(names)))
        return (), f"{place} has no port {place.port}, but {has}"
    return _found(_chosen(slices, names.get(place.port, ""), place.port)), ""


def _chosen(
    slices: tuple[_Slice, ...], name: str, otherwise: int
) -> Iterator[tuple[str, int, bool]]:
    """Address, port, ready; a pod with two families once, by IPv4."""
    seen: set[str] = set()
    for family in FAMILIES:
        new: set[str] = set()
        for it in slices:
            # A headless Service without ports has slices without ports: the port is what was asked.
            port = dict(it.ports).get(name) if it.ports else otherwise
            if it.family != family or port is None:
                continue
            for of, address, ready in it.addresses:
                if of not in seen:
                    new.add(of)
                    yield address, port, ready
        seen |= new


def _found(addresses: Iterable[tuple[str, int, bool]]) -> tuple[Found, ...]:
    """In order, each once: while slices are rewritten an endpoint can stand in two of them."""
    urls: dict[str, bool] = {}
    for address, port, ready in addresses:
        shown = f"[{address}]" if ":" in address else address
        url = f"http://{shown}:{port}"
        urls[url] = urls.get(url, False) or ready
    return tuple(Found(url, ready) for url, ready in sorted(urls.items()))

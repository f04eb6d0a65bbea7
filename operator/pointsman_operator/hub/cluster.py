"""The hub in a cluster: tokens to callers, rights by RBAC, pods that leave, engines to watch.

`__main__` opens this where the settings say that there is a cluster around.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pointsman_operator.api.meta import GROUP
from pointsman_operator.hub.app import Callers
from pointsman_operator.hub.callers import Authenticator, Caller, Role
from pointsman_operator.hub.callers import Rights as AccessRights
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.state import HubState
from pointsman_operator.kube.api import Api
from pointsman_operator.kube.connection import Connection
from pointsman_operator.kube.endpoints import EndpointWatch
from pointsman_operator.kube.presence import Presence
from pointsman_operator.kube.tokens import CannotTellError, Identity, Keys, Rights, Tokens

KEYS_FILE = "cluster-keys.json"


class ClusterCallers:
    """Authenticator and rights of a hub in a cluster."""

    guards_metrics = True

    def __init__(self, tokens: Tokens, rights: Rights, controller: str) -> None:
        """`controller` is the controller's ServiceAccount, as `NAMESPACE/NAME`."""
        self._tokens = tokens
        self._rights = rights
        self._controller = tuple(controller.split("/", 1))

    async def __call__(self, token: str) -> Caller | None:
        """Whose token it is; raises `HubError` where nobody can tell now."""
        try:
            found = await self._tokens.identify(token)
        except CannotTellError as error:
            raise HubError(503, "busy", f"this token cannot be checked now: {error}") from error
        if found is None:
            return None
        if not found.person:
            if (found.namespace, found.service_account) == self._controller:
                return _caller(Role.CONTROLLER, found)
            # Ours, but of no pod: nothing that may speak for a sidecar.
            return _caller(Role.POD, found) if found.pod_uid else None
        return _caller(Role.PERSON, found)

    async def allowed(self, caller: Caller, verb: str, resource: str, namespace: str) -> bool:
        """Whether a person may, as the cluster's RBAC says; raises `HubError`."""
        identity = Identity(
            username=caller.name,
            expires_s=0,
            groups=caller.groups,
            extra=tuple((caller.extra or {}).items()),
        )
        try:
            return await self._rights.allowed(identity, GROUP, verb, resource, namespace)
        except CannotTellError as error:
            raise HubError(503, "busy", f"rights cannot be checked now: {error}") from error


def cluster_callers(connection: Connection, controller: str, folder: Path) -> Callers:
    """Callers of a hub in this cluster; the streams of pods that leave are ended."""

    @asynccontextmanager
    async def callers(
        state: HubState,
    ) -> AsyncIterator[tuple[Authenticator, AccessRights]]:
        def left(pod_uid: str) -> None:
            state.feed.dismiss(pod_uid)
            state.fleet.forget(pod_uid)
            state.health.forget(pod_uid)
            state.guarded.forget(pod_uid)
            state.desk.left(pod_uid)
            if state.guarded.tickets.revoke(pod_uid):
                state.feed.wake_gateways()

        async def look_once() -> None:
            """Pods that left while no hub ran hold tickets that are void, too."""
            await presence.watch.synced.wait()
            for pod_uid in state.guarded.tickets.holders():
                if not presence.is_here(pod_uid):
                    left(pod_uid)

        presence = Presence(connection, left)
        api = Api(connection, lambda: None)
        keys = Keys(connection, folder / KEYS_FILE)
        watching = asyncio.create_task(presence.watch.run())
        following = asyncio.create_task(
            state.models.run(partial(EndpointWatch, connection), state.fleet.changed)
        )
        looking = asyncio.create_task(look_once())
        try:
            # Before a whole fleet knocks: its handshakes would leave the list no time.
            await presence.listed()
            known = ClusterCallers(Tokens(keys, api, presence), Rights(api), controller)
            yield known, known
        finally:
            watching.cancel()
            following.cancel()
            looking.cancel()
            await asyncio.gather(watching, following, looking, return_exceptions=True)
            api.close()

    return callers


def _caller(role: Role, found: Identity) -> Caller:
    return Caller(
        role,
        name=found.username,
        namespace=found.namespace,
        pod=found.pod,
        uid=found.pod_uid,
        account=found.service_account,
        groups=found.groups,
        extra=dict(found.extra),
    )

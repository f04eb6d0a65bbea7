"""Who calls, and what that caller may do: every rule of docs/contracts-kubernetes.md 4 is here.

`gate` finds the caller out before anything is parsed; the routes ask here. Outside a cluster there
is one caller, the bearer of the token file, who may do all.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from pointsman_operator.api.gateways import PREFIXES, service_name
from pointsman_operator.hub.errors import HubError

FORBIDDEN = HTTPStatus.FORBIDDEN


class Role(StrEnum):
    """The kinds of callers."""

    LOCAL = "local"
    """The bearer of the token file: `pointsman up` and its sidecar."""
    POD = "pod"
    """A sidecar, by its pod's token."""
    CONTROLLER = "controller"
    PERSON = "person"
    """Anybody else whom the API server knows."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller."""

    role: Role
    name: str = ""
    """For the audit: `system:serviceaccount:NS:NAME`, or a person's user name."""
    namespace: str = ""
    """A pod's; it decides what the pod may see."""
    pod: str = ""
    uid: str = ""
    """A pod's UID, which is its sidecar's name."""
    account: str = ""
    """A pod's ServiceAccount."""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] | None = None
    """What the API server knows of a person beside; rights may depend on it."""


class Authenticator(Protocol):
    """Finds out whose token it is."""

    guards_metrics: bool
    """Whether the metrics, which tell of everybody's Budgets, want a token like all else."""

    async def __call__(self, token: str) -> Caller | None:
        """The caller; None where the token is nobody's. Raises `HubError` if it cannot tell now."""
        ...


class Rights(Protocol):
    """Asks the API server what a person may do."""

    async def allowed(self, caller: Caller, verb: str, resource: str, namespace: str) -> bool:
        """Whether the caller may; an empty namespace means all. Raises `HubError` if unknown."""
        ...


class LocalToken:
    """The authenticator outside a cluster: one token."""

    guards_metrics = False

    def __init__(self, token: str) -> None:
        self._expected = token.encode()

    async def __call__(self, token: str) -> Caller | None:
        """The one caller, if the token is the one."""
        return Caller(Role.LOCAL) if hmac.compare_digest(token.encode(), self._expected) else None


class NoRights:
    """Outside a cluster nobody is a person."""

    async def allowed(self, caller: Caller, verb: str, resource: str, namespace: str) -> bool:
        """Never."""
        del caller, verb, resource, namespace
        return False


def own_namespace(caller: Caller, sidecar: str, namespace: str) -> str:
    """The namespace of a sidecar that speaks for itself; raises `HubError`.

    The pod's token decides; what the call claims beside must agree with it.
    """
    if caller.role is Role.LOCAL:
        return namespace
    if caller.role is not Role.POD:
        raise HubError(FORBIDDEN, "forbidden", "only a pod's own token may speak for a sidecar")
    if sidecar != caller.uid:
        raise HubError(FORBIDDEN, "forbidden", "`sidecar` is not the UID of this token's pod")
    if namespace and namespace != caller.namespace:
        raise HubError(FORBIDDEN, "forbidden", "`namespace` is not that of this token's pod")
    return caller.namespace


def is_gateway(caller: Caller) -> bool:
    """Whether it is a pod of a gateway: only the controller makes ServiceAccounts of these names.

    Its namespace decides all the same; whoever may make such a pod there may read its Secrets.
    """
    return caller.role is Role.POD and caller.account.startswith(tuple(PREFIXES.values()))


def serves_guests(caller: Caller) -> bool:
    """Whether its callers' own sidecars book the same calls: so at a pool's gateway only."""
    return is_gateway(caller) and caller.account.startswith(PREFIXES["pool"])


def check_gateway(caller: Caller, gateway: str) -> None:
    """Whether it is that gateway (`pool/NAME` or `policy/NAME`); raises `HubError`."""
    kind, _, name = gateway.partition("/")
    known = kind in {"pool", "policy"} and bool(name)
    if not known or caller.role is not Role.POD or caller.account != service_name(kind, name):  # type: ignore[arg-type]  # checked before
        raise HubError(FORBIDDEN, "forbidden", "`gateway` is not that of this token's pod")


def check_controller(caller: Caller) -> None:
    """Only the controller publishes; raises `HubError`."""
    if caller.role not in {Role.LOCAL, Role.CONTROLLER}:
        raise HubError(FORBIDDEN, "forbidden", "only Pointsman's controller may do this")


async def check_right(
    caller: Caller, rights: Rights, verb: str, resource: str, namespace: str
) -> None:
    """People need a right in Kubernetes; pods have none here. Raises `HubError`."""
    if caller.role in {Role.LOCAL, Role.CONTROLLER}:
        return
    if caller.role is Role.PERSON and await rights.allowed(caller, verb, resource, namespace):
        return
    where = f"in namespace {namespace}" if namespace else "in all namespaces (or name a namespace)"
    raise HubError(
        FORBIDDEN, "forbidden", f"this needs the right to {verb} {resource}.pointsman.dev {where}"
    )

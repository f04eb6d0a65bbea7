"""Which hub a command asks: that of `pointsman up` on this machine, or one in a cluster.

`at_hub` gives a command the options; it gets a `Place`, and `reached` opens it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import typer

from pointsman_operator.cli import exits
from pointsman_operator.cli.hub_client import HubClient, HubError, connect
from pointsman_operator.cli.options import (
    HOME,
    AllNamespaces,
    Context,
    HubURL,
    InCluster,
    Kubeconfig,
    Namespace,
    OperatorNamespace,
    StatePath,
    Token,
)
from pointsman_operator.cli.output import stop
from pointsman_operator.cli.remote.kubeconfig import kubeconfig_there
from pointsman_operator.cli.remote.way import Cluster, reach
from pointsman_operator.cli.state import default_state


@dataclass(frozen=True)
class Local:
    """The hub on this machine."""

    state: Path
    hub: str


Place = Local | Cluster


@dataclass(frozen=True)
class Reached:
    """A hub that can be asked."""

    client: HubClient
    namespace: str
    """What to ask about; empty: all that there is."""


def at_hub(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `place_of`; its parameter `place` is what they say."""
    shared = inspect.signature(place_of, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters

    def run(**given: Any) -> None:
        place = place_of(**{name: given.pop(name) for name in shared})
        command(place=place, **given)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    parameters = [one for name, one in own.items() if name != "place"] + list(shared.values())
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    # What typer reads a command's options from.
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in keywords}
    return run


def place_of(
    *,
    state: StatePath = None,
    hub: HubURL = "",
    cluster: InCluster = False,
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    operator_namespace: OperatorNamespace = "",
    token: Token = "",
) -> Place:
    """What the options mean; raises `typer.BadParameter` where they contradict each other."""
    there = (cluster, namespace, all_namespaces, kubeconfig, context, operator_namespace, token)
    if state and any(there):
        raise typer.BadParameter("--state is this machine's hub, the other options a cluster's")
    if namespace and all_namespaces:
        raise typer.BadParameter("-n names one namespace, -A means all: give one of them")
    if any(there) or (not (state or hub or _runs_here()) and kubeconfig_there(os.environ)):
        return Cluster(
            namespace=None if all_namespaces else namespace,
            kubeconfig=kubeconfig,
            context=context,
            home=operator_namespace or HOME,
            token=token,
            hub=hub,
        )
    return Local(state or default_state(), hub)


@contextmanager
def reached(place: Place) -> Iterator[Reached]:
    """The hub of that place, while the block runs; raises `HubError` with a remedy."""
    if isinstance(place, Cluster):
        with reach(place) as (client, namespace):
            yield Reached(client, namespace)
        return
    with connect(place.state, place.hub) as client:
        yield Reached(client, "")


def give_up(error: HubError) -> NoReturn:
    """End the command with what the hub, or the way to it, says."""
    status: dict[int, int] = {
        HTTPStatus.NOT_FOUND: exits.NOT_FOUND,
        HTTPStatus.UNAUTHORIZED: exits.FORBIDDEN,
        HTTPStatus.FORBIDDEN: exits.FORBIDDEN,
        HTTPStatus.CONFLICT: exits.REFUSED,
    }
    stop(str(error), status.get(error.status, exits.UNAVAILABLE), error.remedy)


def _runs_here() -> bool:
    return (default_state() / "up.json").exists()

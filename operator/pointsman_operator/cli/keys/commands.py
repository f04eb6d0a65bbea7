"""`pointsman keys create|list|rotate|disable|enable|revoke`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys import changing, lasting
from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.folder import FolderShelf
from pointsman_operator.cli.keys.form import Made, make
from pointsman_operator.cli.keys.last_use import uses
from pointsman_operator.cli.keys.listing import document, show
from pointsman_operator.cli.keys.secret import SecretShelf
from pointsman_operator.cli.keys.shelf import SECRET, Changes, Entries, Shelf
from pointsman_operator.cli.output import ERR, OUT, JSONFlag, emit
from pointsman_operator.cli.place import Local, Place, at_hub, give_up
from pointsman_operator.cli.remote.kubeconfig import log_in
from pointsman_operator.cli.state import State

KEYS = typer.Typer(
    help="API keys for callers from outside pods, who reach a RoutingPolicy's gateway.\n\n"
    "A gateway lets in who sends one as `Authorization: Bearer pmk_…` (or x-api-key, api-key, "
    "x-goog-api-key). Only a hash is kept, in the policy namespace's Secret "
    "`pointsman-api-keys`, written with your own rights (get, patch); with `pointsman up` in its "
    "state folder. Changes act within about a minute: the kubelet's refresh, then two seconds.",
    epilog="Exit status: 0, 1 a name that is taken, 2 usage, 3 no such key, 69 no API server, "
    "77 no right.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Which = Annotated[str, typer.Argument(metavar="ID|NAME", help="As `pointsman keys list` shows it.")]
ONCE = "This is the only time that the key is shown: put it where the caller finds it."


@KEYS.command("create")
@at_hub
def create(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Whose key: what spend and Budgets call it."),
    ],
    place: Place,
    expires: Annotated[
        str, typer.Option(help=f"When it ends: {lasting.HELP}; default: never.")
    ] = "",
    models: Annotated[
        list[str] | None,
        typer.Option(
            help="A glob of model names that it may ask for, again for more; default: all."
        ),
    ] = None,
    team: Annotated[
        str, typer.Option(help="The team that its spend counts for, whatever a header says.")
    ] = "",
    requests_per_minute: Annotated[
        int | None, typer.Option(help="At most so many, counted by each gateway replica.")
    ] = None,
    max_in_flight: Annotated[
        int | None, typer.Option(help="At most so many at a time, counted by each gateway replica.")
    ] = None,
    json_output: JSONFlag = False,
) -> None:
    """Make a key and print it, once.

    Exit status: 0, 1 where the name is taken, 69, 77 without a right.

    Example: pointsman keys create ci -n shop --expires 90d --models 'gpt-*' --team build
    """
    now = this_second()
    made = make()
    try:
        entry = Entry(
            id=made.id,
            hash=made.hash,
            name=name,
            created=now,
            expires=lasting.moment(expires, now) if expires else None,
            models=tuple(models) if models else None,
            team=team or None,
            requests_per_minute=requests_per_minute,
            max_in_flight=max_in_flight,
        )
    except ValidationError as error:
        raise typer.BadParameter(_said(error)) from error
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires") from error
    _change(place, lambda entries: changing.added(entries, entry))
    _hand_over(made, entry, json_output=json_output)


@KEYS.command("list")
@at_hub
def list_keys(place: Place, json_output: JSONFlag = False) -> None:
    """List the keys: id, name, age, expiry, limits, and when each was last used.

    The last use is what the hub has booked under the key's name, to the minute (older than two
    days: to the hour); without a way to the hub the rest is shown all the same.
    Exit status: 0, 69 where no API server answers, 77 without a right.

    Example: pointsman keys list -n shop
    """
    try:
        entries = _shelf(place).read()
    except HubError as error:
        give_up(error)
    known, now = changing.readable(entries), this_second()
    used = uses(place)
    if json_output:
        emit(document(known, changing.faults(entries), used, now))
        return
    show(known, changing.faults(entries), used, now)


@KEYS.command("rotate")
@at_hub
def rotate(
    which: Which,
    place: Place,
    overlap: Annotated[
        str, typer.Option(help="How long the old key goes on: 30m, 24h, 7d; 0 ends it now.")
    ] = "24h",
    json_output: JSONFlag = False,
) -> None:
    """Make a new key in the place of another, which goes on for a while.

    The new one has the old one's name, team, models, limits, and as long to live.
    Exit status: 0, 3 without such a key, 69, 77 without a right.

    Example: pointsman keys rotate ci -n shop --overlap 7d
    """
    now = this_second()
    made = make()
    try:
        until = now if overlap == "0" else lasting.moment(overlap, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--overlap") from error
    successors: list[Entry] = []

    def decide(entries: Entries) -> Changes:
        successors.append(changing.successor(entries, which, made, now))
        return changing.rotated(entries, which, successors[-1], until)

    _change(place, decide)
    _hand_over(made, successors[-1], json_output=json_output)
    if not json_output:
        ends = "has ended" if until <= now else f"ends in {lasting.ahead(until, now)}"
        ERR.print(f"The old one {ends}.", highlight=False)


@KEYS.command("disable")
@at_hub
def disable(which: Which, place: Place) -> None:
    """Shut a key out until `enable`; by name: all of that name.

    Exit status: 0, 3 without such a key, 69, 77 without a right.

    Example: pointsman keys disable ci -n shop
    """
    _change(place, lambda entries: changing.switched(entries, which, disabled=True))


@KEYS.command("enable")
@at_hub
def enable(which: Which, place: Place) -> None:
    """Let a disabled key in again; by name: all of that name.

    Exit status: 0, 3 without such a key, 69, 77 without a right.

    Example: pointsman keys enable ci -n shop
    """
    _change(place, lambda entries: changing.switched(entries, which, disabled=False))


@KEYS.command("revoke")
@at_hub
def revoke(which: Which, place: Place) -> None:
    """Forget a key for good; by name: all of that name.

    Exit status: 0, 3 without such a key, 69, 77 without a right.

    Example: pointsman keys revoke 7f3k9q2m4x -n shop
    """
    _change(place, lambda entries: changing.revoked(entries, which))


def this_second() -> dt.datetime:
    """Now, as entries say it."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _shelf(place: Place) -> Shelf:
    """Where the keys of that place lie; raises `HubError`."""
    if isinstance(place, Local):
        return FolderShelf(State(place.state).secrets / SECRET)
    if place.namespace is None:
        raise typer.BadParameter("a key belongs to one namespace: name it by -n")
    login = log_in(place.kubeconfig, place.context)
    return SecretShelf(login.connection, place.namespace or login.namespace)


def _change(place: Place, decide: Any) -> None:
    try:
        shelf = _shelf(place)
        shelf.change(decide)
    except HubError as error:
        give_up(error)
    ERR.print(f"{shelf.where} is changed.", highlight=False, soft_wrap=True)


def _hand_over(made: Made, entry: Entry, *, json_output: bool) -> None:
    """The key on standard output alone, so that a pipe gets nothing else."""
    if json_output:
        emit({"id": made.id, "key": made.key, "name": entry.name, "expires": entry.expires})
        return
    OUT.print(made.key, highlight=False, soft_wrap=True)
    ERR.print(ONCE, highlight=False)


def _said(error: ValidationError) -> str:
    """Each field as its option, and what it takes."""
    said = []
    for one in error.errors():
        option = str(one["loc"][0]).replace("_", "-") if one["loc"] else "options"
        said.append(f"{option}: {one['msg']}")
    return "; ".join(said)

"""`pointsman up`: the whole product on this machine, following a folder of resources."""

from __future__ import annotations

import json
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pointsman_operator.cli import exits
from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.local.children import StackError
from pointsman_operator.cli.local.ports import Ports
from pointsman_operator.cli.local.stack import Stack, StackOptions
from pointsman_operator.cli.local.watch import FolderWatch
from pointsman_operator.cli.output import ERR, OUT, JSONFlag, stop
from pointsman_operator.cli.resources import Judged, judge, show_problems
from pointsman_operator.cli.state import Running, State, StateBusyError, StateOption, default_state

LOOK_EVERY_S = 0.3
MAX_REVIVALS = 5
"""Deaths of children in one run; more is not bad luck."""


def up(
    folder: Annotated[
        Path,
        typer.Option(
            "--folder", "-f", exists=True, help="The resources to serve.", show_default=False
        ),
    ],
    state: StateOption,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65532,
            help="The base URL's port; probes, debug and hub follow. 0: free ones.",
        ),
    ] = 4617,
    policy: Annotated[
        str, typer.Option(help="NAMESPACE/NAME, where the folder has several policies.")
    ] = "",
    simulate: Annotated[
        list[str] | None,
        typer.Option(help="Simulate this provider although its key is there; repeat for more."),
    ] = None,
    json_output: JSONFlag = False,
) -> None:
    """Serve a folder of resources on this machine until Ctrl-C: hub, sidecar, simulated providers.

    A provider's key is read by the sidecar only, from STATE/secrets/NAME/KEY or the provider's
    usual variable; a provider without one is simulated and labelled so. The folder is watched: a
    change is compiled and swapped in without dropping a stream. With --json, one line when it is
    up.

    Exit status: 0 after Ctrl-C or SIGTERM, 1 for resources with errors, 69 where a port is taken
    or a part is missing, 70 where a process keeps dying.

    Example: pointsman up -f examples/demo
    """
    judged = judge(folder, cluster=False)
    show_problems(judged.problems)
    if judged.loaded.problems and judged.errors:
        stop("the folder has errors; nothing was started", exits.REFUSED)
    found = State(state)
    ports = Ports.beginning_at(port)
    if taken := ports.taken():
        stop(f"{', '.join(taken)} is in use", remedy="choose another --port, or 0 for free ones")
    options = StackOptions(found, ports, policy, tuple(simulate or ()))
    found.prepare()
    try:
        with found.lock():
            serve(Stack(options), folder, judged, found, json_output=json_output)
    except StateBusyError:
        stop(f"another `pointsman up` uses {state}", remedy="stop it, or choose another --state")


def serve(stack: Stack, folder: Path, judged: Judged, state: State, *, json_output: bool) -> None:
    """Start, announce, follow the folder until a signal, and end in order."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    watch = FolderWatch(folder)
    try:
        stack.start(judged)
        state.announce(running(stack))
        announce(stack, folder, state, json_output=json_output)
        follow(stack, folder, watch, ending)
    except (StackError, HubError) as error:
        stop(str(error))
    finally:
        state.withdraw()
        stack.stop()
    if not json_output:
        OUT.print("stopped")


def follow(stack: Stack, folder: Path, watch: FolderWatch, ending: threading.Event) -> None:
    """Until the end: swap in what changes, start again what dies."""
    revivals = 0
    while not ending.wait(LOOK_EVERY_S):
        if watch.changed():
            swap(stack, folder)
        for name in stack.revive():
            revivals += 1
            ERR.print(f"[yellow]{name} died and was started again[/]")
            if revivals > MAX_REVIVALS:
                stop(f"{name} keeps dying", exits.FAILED, "its log is in the state folder")


def swap(stack: Stack, folder: Path) -> None:
    """Serve what the folder says now; with unreadable resources, go on with what is in force."""
    judged = judge(folder, cluster=False)
    show_problems(judged.problems)
    if any(problem.severity == "error" for problem in judged.loaded.problems):
        ERR.print("[yellow]kept what was in force until the resources above are right[/]")
        return
    try:
        table = stack.publish(judged)
        stack.wait_in_force(table.digest)
    except (StackError, HubError) as error:
        ERR.print(f"[yellow]not swapped in: {error}[/]", highlight=False)
        return
    ERR.print(f"[green]in force:[/] {table.digest}", highlight=False)


def running(stack: Stack) -> Running:
    """What other commands need to know."""
    return Running(
        pid=stack.sidecar.pid if stack.sidecar else 0,
        base_url=stack.base_url,
        hub_url=stack.hub_url,
        policy=str(stack.policy),
        simulated=tuple(stack.simulators),
    )


def announce(stack: Stack, folder: Path, state: State, *, json_output: bool) -> None:
    """Say where it is, what is simulated, and what to try next."""
    if json_output:
        sys.stdout.write(json.dumps(asdict(running(stack))) + "\n")
        sys.stdout.flush()
        return
    flag = "" if state.path == default_state() else f" --state {state.path}"
    simulated = ", ".join(f"{label} [yellow](simulated: no key)[/]" for label in stack.simulators)
    OUT.print(f"[bold green]Pointsman is up[/] and serves {stack.policy} from {folder}")
    bare = stack.base_url.removesuffix("/v1")
    OUT.print(f"  base URL   [bold]{stack.base_url}[/]", highlight=False)
    OUT.print(f"             {bare} for Anthropic's and Google's SDKs", highlight=False)
    OUT.print(f"  hub        {stack.hub_url}", highlight=False)
    OUT.print(f"  providers  {simulated or 'all real'}", highlight=False)
    headers = "-H 'content-type: application/json'"
    if stack.takes_keys:
        OUT.print("  callers    need an API key, as at the policy's gateway in a cluster")
        headers += ' -H "authorization: Bearer $KEY"'
    OUT.print("Try:")
    if stack.takes_keys:
        OUT.print(f"  KEY=$(pointsman keys create me{flag})", highlight=False)
    body = '{"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}'
    OUT.print(
        f"  curl -si {stack.base_url}/chat/completions {headers} \\\n    -d '{body}'",
        highlight=False,
        soft_wrap=True,
    )
    OUT.print(f"  pointsman spend --by model{flag}", highlight=False)
    OUT.print(f"  pointsman budgets{flag}", highlight=False)
    OUT.print("Changes in the folder are swapped in. Ctrl-C stops.")

"""The options by which a command is told which hub to ask, as `--help` shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HERE = "The hub of pointsman up (example: --state ~/.local/state/pointsman)"
THERE = "The hub of a cluster (example: --cluster, or -n shop)"
HOME = "pointsman-system"

StatePath = Annotated[
    Path | None,
    typer.Option(
        "--state",
        show_default="~/.local/state/pointsman",
        help="The folder that `pointsman up` keeps its state in.",
        rich_help_panel=HERE,
    ),
]
HubURL = Annotated[
    str,
    typer.Option(
        "--hub",
        help="The hub's URL. Default: that of `pointsman up`; in a cluster a port-forward to "
        "its pod. Behind an Ingress: `--cluster --hub https://…` (trusted are the system's "
        "roots or SSL_CERT_FILE).",
    ),
]
InCluster = Annotated[
    bool,
    typer.Option(
        "--cluster",
        help="Ask the cluster of your kubeconfig; every option below implies it. Default where "
        "no `pointsman up` runs and a kubeconfig is there.",
        rich_help_panel=THERE,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace to ask about; default: the context's.",
        rich_help_panel=THERE,
    ),
]
AllNamespaces = Annotated[
    bool,
    typer.Option(
        "--all-namespaces",
        "-A",
        help="Ask about all of them (needs the right in all).",
        rich_help_panel=THERE,
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        show_default="$KUBECONFIG, ~/.kube/config, the pod's own ServiceAccount",
        help="The kubeconfig.",
        rich_help_panel=THERE,
    ),
]
Context = Annotated[
    str,
    typer.Option(help="The kubeconfig's context; default: current.", rich_help_panel=THERE),
]
OperatorNamespace = Annotated[
    str,
    typer.Option(show_default=HOME, help="Where Pointsman is installed.", rich_help_panel=THERE),
]
Token = Annotated[
    str,
    typer.Option(
        help="Who you are to the hub; default: the kubeconfig's bearer token. With a client "
        'certificate: `--token "$(kubectl create token ACCOUNT)"`.',
        rich_help_panel=THERE,
    ),
]

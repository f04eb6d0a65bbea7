"""What to do about a refusal, as the next command or the rule to grant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.remote.kubeconfig import NAME_YOURSELF

KINDS = "routingpolicies.pointsman.dev,budgets.pointsman.dev"
KIND = re.compile(r"(?:^|,)(\w+)")


@contextmanager
def advised(namespace: str, home: str) -> Iterator[None]:
    """Add to each `HubError` of the hub what helps."""
    try:
        yield
    except HubError as error:
        if error.remedy:
            raise
        raise HubError(str(error), error.status, remedy(error.status, namespace, home)) from error


def remedy(status: int, namespace: str, home: str) -> str:
    """For the hub's answer with that status; 0: there was none."""
    if status == HTTPStatus.UNAUTHORIZED:
        return f"the API server does not know your token (expired?); {NAME_YOURSELF}"
    if status == HTTPStatus.FORBIDDEN:
        return f"who may grant rights runs: {grant('get', KINDS, namespace)}"
    if status == HTTPStatus.NOT_FOUND:
        return (
            "or it is of a namespace that you may not see: that needs the right to get "
            "routingpolicies.pointsman.dev there"
        )
    return f"is the hub well? kubectl get pods -n {home} -l app.kubernetes.io/component=hub"


def refused(status: int, what: str, namespace: str, resource: str, verb: str) -> HubError:
    """The API server's refusal of something that we need on the way to the hub."""
    if status == HTTPStatus.FORBIDDEN:
        message = f"you have no right to {what}"
        advice = (
            f"who may grant rights runs: {grant(verb, resource, namespace)}; or go another way: "
            "--cluster --hub https://…"
        )
        return HubError(message, status, advice)
    if status == HTTPStatus.UNAUTHORIZED:
        message = "the API server does not know you (an expired login?)"
        return HubError(message, status, "log in as for kubectl: kubectl auth whoami")
    if status == HTTPStatus.NOT_FOUND:
        return HubError(f"cannot {what}: there is none", 0, f"kubectl get all -n {namespace}")
    return HubError(f"cannot {what}: the API server answered {status}", 0, "kubectl version")


def grant(verbs: str, resources: str, namespace: str) -> str:
    """The commands that grant it in a namespace; empty: in all."""
    kind, place = ("role", f" -n {namespace}") if namespace else ("clusterrole", "")
    name = "pointsman-" + "-".join((*verbs.split(","), *KIND.findall(resources)))
    return (
        f"kubectl create {kind} {name} --verb={verbs} --resource={resources}{place} && "
        f"kubectl create {kind}binding {name} --{kind}={name} --user=USER{place}"
    )

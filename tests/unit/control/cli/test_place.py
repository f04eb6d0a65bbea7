"""Which hub a command asks: this machine's or a cluster's, and how the way there is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.place import Local, Place, place_of
from pointsman_operator.cli.remote.advice import advised, grant
from pointsman_operator.cli.remote.kubeconfig import log_in
from pointsman_operator.cli.remote.way import Cluster
from pointsman_operator.cli.state import Running, State
from support.free_port import free_port

RUN = CliRunner()
ENDPOINT = {"server": f"http://127.0.0.1:{free_port()}"}


def choose(**given: Any) -> Place:
    """The place, by options that are all absent but these."""
    absent: dict[str, Any] = {"state": None, "hub": "", "cluster": False, "namespace": ""}
    absent |= {"all_namespaces": False, "kubeconfig": None, "context": ""}
    return place_of(**absent | {"operator_namespace": "", "token": ""} | given)


def kubeconfig(folder: Path, user: dict[str, Any], namespace: str = "shop") -> Path:
    """A kubeconfig of one user."""
    path = folder / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": ENDPOINT}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": namespace}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
        "current-context": "one",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has neither a state folder nor a kubeconfig."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def test_a_running_up_is_asked_unless_an_option_says_cluster(home: Path) -> None:
    """`up` runs here: it is asked; each of the cluster's options turns that around."""
    state = State(home / "state" / "pointsman")
    state.prepare()
    state.announce(Running(1, "http://127.0.0.1:1/v1", "http://127.0.0.1:1", "a/b", ()))
    assert choose() == Local(state.path, "")
    for option in (
        {"cluster": True},
        {"namespace": "shop"},
        {"all_namespaces": True},
        {"kubeconfig": Path("k")},
        {"context": "c"},
        {"operator_namespace": "o"},
        {"token": "t"},
    ):
        assert isinstance(choose(**option), Cluster), option


def test_without_up_the_kubeconfig_decides(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl: with a kubeconfig the cluster is asked; a hub that is named is local."""
    assert isinstance(choose(), Local)
    monkeypatch.setenv("KUBECONFIG", f"/nowhere:{kubeconfig(home, {'token': 't'})}")
    assert isinstance(choose(), Cluster)
    assert isinstance(choose(state=home), Local)
    assert choose(hub="http://127.0.0.1:1") == Local(
        home / "state" / "pointsman", "http://127.0.0.1:1"
    )


@pytest.mark.parametrize(
    "given",
    [{"state": Path("s"), "cluster": True}, {"namespace": "a", "all_namespaces": True}],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    """Never a silent choice between two that were named."""
    with pytest.raises(typer.BadParameter):
        choose(**given)


def test_the_kubeconfig_says_namespace_and_token(home: Path) -> None:
    """The context's namespace, `default` without one; tokens from text, file and plugin."""
    file = home / "token"
    file.write_text("from-file\n")
    plugin = home / "plugin"
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
    plugin.write_text(f'#!/bin/sh\necho \'{credential}"status":{{"token":"from-plugin"}}}}\'\n')
    plugin.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    run |= {"interactiveMode": "Never"}
    for user, token in (
        ({"token": "from-text"}, "from-text"),
        ({"tokenFile": str(file)}, "from-file"),
        ({"exec": run}, "from-plugin"),
    ):
        login = log_in(kubeconfig(home, user), "")
        assert (login.token(), login.namespace) == (token, "shop")
    assert log_in(kubeconfig(home, {"token": "t"}), "two").namespace == "default"


def test_a_kubeconfig_without_token_names_the_next_command(home: Path) -> None:
    """A user without bearer token learns how to get one; no half-made request is sent."""
    path = kubeconfig(home, {"username": "u", "password": "p"})
    outcome = RUN.invoke(APPLICATION, ["spend", "--kubeconfig", str(path)])
    assert outcome.exit_code == exits.UNAVAILABLE
    assert "no bearer token" in outcome.stderr
    assert '--token "$(kubectl create token' in outcome.stderr


@pytest.mark.parametrize("command", [["explain", "pm-1"], ["spend"], ["budgets"], ["proxy-status"]])
def test_an_absent_api_server_is_no_stack_trace(command: list[str], home: Path) -> None:
    """Status 69, its address, and what to try next."""
    path = kubeconfig(home, {"token": "t"})
    outcome = RUN.invoke(APPLICATION, [*command, "--kubeconfig", str(path)])
    assert outcome.exit_code == exits.UNAVAILABLE, outcome.output
    assert "the API server does not answer" in outcome.stderr
    assert "kubectl version" in outcome.stderr


def test_a_wrong_context_is_told(home: Path) -> None:
    """Not the library's exception."""
    path = kubeconfig(home, {"token": "t"})
    command = ["budgets", "--kubeconfig", str(path), "--context", "three"]
    outcome = RUN.invoke(APPLICATION, command)
    assert outcome.exit_code == exits.UNAVAILABLE
    assert "kubectl config get-contexts" in outcome.stderr


def test_a_token_travels_over_tls_only(home: Path) -> None:
    """A plain URL beyond this machine is refused before anything is sent."""
    path = kubeconfig(home, {"token": "t"})
    command = ["spend", "--kubeconfig", str(path), "--hub", "http://hub.example.org"]
    outcome = RUN.invoke(APPLICATION, command)
    assert outcome.exit_code == exits.UNAVAILABLE
    assert "in the clear" in outcome.stderr


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (0, "kubectl get pods -n home"),
        (401, "kubectl create token"),
        (403, "kubectl create rolebinding"),
        (404, "may not see"),
    ],
)
def test_each_refusal_of_the_hub_names_its_remedy(status: int, named: str) -> None:
    """What to run next, or what right is missing."""
    with pytest.raises(HubError) as raised, advised("shop", "home"):
        raise HubError("no", status)
    assert named in raised.value.remedy
    assert raised.value.status == status


def test_rights_in_all_namespaces_take_a_cluster_role() -> None:
    """A Role and its binding in a namespace; cluster-wide ones for -A."""
    assert " -n shop" in grant("get", "pods", "shop")
    everywhere = grant("get", "routingpolicies.pointsman.dev,budgets.pointsman.dev", "")
    assert "create clusterrole pointsman-get-routingpolicies-budgets " in everywhere
    assert "clusterrolebinding" in everywhere
    assert " -n" not in everywhere

"""`pointsman keys` with people's own rights against a real API server: none loses another's key."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.control_plane import ControlPlane
from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys.changing import added, readable, revoked
from pointsman_operator.cli.keys.commands import this_second
from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.form import make
from pointsman_operator.cli.keys.secret import SecretShelf
from pointsman_operator.cli.keys.shelf import SECRET
from pointsman_operator.cli.remote.kubeconfig import log_in

pytestmark = pytest.mark.timeout(180)
RUN = CliRunner()


def run(kubeconfig: Path, namespace: str, *words: str) -> Result:
    """One command by that person."""
    place = ("--kubeconfig", str(kubeconfig), "-n", namespace)
    return RUN.invoke(APPLICATION, ["keys", *words, *place])


def stored(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    """The Secret."""
    found: dict[str, Any] = plane.kubectl.within(namespace).json("get", "secret", SECRET)
    return found


def test_what_is_forbidden_is_told_with_the_rule_that_allows_it(
    control_plane: ControlPlane, namespace: str
) -> None:
    """Status 77; with exactly the rights that the message names, everything works."""
    kubectl = control_plane.kubectl.within(namespace)
    kubectl("create", "serviceaccount", "ann")
    ann = control_plane.kubeconfig_for_service_account(namespace, "ann", seconds=3600)
    for command in (("create", "ci"), ("list",), ("revoke", "ci")):
        refused = run(ann, namespace, *command)
        assert refused.exit_code == exits.FORBIDDEN, refused.output
        assert "you have no right to get" in refused.stderr
    commands = refused.stderr.split("runs: ", 1)[1].split(" && ")
    for line in commands:
        words = line.replace("(if there is none yet)", "").split()
        assert words[0] == "kubectl"
        user = f"system:serviceaccount:{namespace}:ann"
        kubectl(*(word.replace("=USER", f"={user}") for word in words[1:]))
    made = run(ann, namespace, "create", "ci", "--expires", "1d")
    assert made.exit_code == exits.OK, made.output
    (key,) = json.loads(run(ann, namespace, "list", "--json").stdout)["keys"]
    assert (key["name"], key["state"]) == ("ci", "active")
    assert run(ann, namespace, "rotate", "ci", "--overlap", "0").exit_code == exits.OK
    assert run(ann, namespace, "revoke", "ci").exit_code == exits.OK
    assert stored(control_plane, namespace).get("data") is None
    everywhere = RUN.invoke(APPLICATION, ["keys", "list", "-A", "--kubeconfig", str(ann)])
    assert everywhere.exit_code == exits.USAGE
    assert "one namespace" in everywhere.stderr


def test_a_missing_secret_is_made_and_a_missing_namespace_told(
    control_plane: ControlPlane, namespace: str
) -> None:
    """Nothing but the hash lies in it, under the key's id."""
    admin = control_plane.kubeconfig
    made = run(admin, namespace, "create", "ci")
    assert made.exit_code == exits.OK, made.output
    key = made.stdout.strip()
    secret = stored(control_plane, namespace)
    assert list(secret["data"]) == [key.split("_")[1]]
    assert key.split("_")[2] not in json.dumps(secret)
    lost = run(admin, "no-such-namespace", "create", "ci")
    assert lost.exit_code == exits.NOT_FOUND, lost.output
    assert "there is no namespace no-such-namespace" in lost.stderr


def test_of_writers_at_once_none_loses_a_key(control_plane: ControlPlane, namespace: str) -> None:
    """Also the first ones, who both find no Secret; one name is given once, whoever was faster."""
    connection = log_in(control_plane.kubeconfig, "").connection
    shelf = SecretShelf(connection, namespace)
    refused: list[HubError] = []

    def write(number: int) -> None:
        try:
            for name in (f"key-{number}", "shared"):
                made = make()
                entry = Entry(id=made.id, hash=made.hash, name=name, created=this_second())
                shelf.change(lambda entries, entry=entry: added(entries, entry))  # type: ignore[misc]
            shelf.change(lambda entries: revoked(entries, f"key-{number}"))
        except HubError as error:
            refused.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [entry.name for entry in readable(shelf.read())]
    assert names.count("shared") == 1
    assert len(refused) == 4, refused
    assert all("there is a key called" in str(error) for error in refused)
    # Who got the shared name went on to revoke their own key; the others' are there.
    assert sum(name.startswith("key-") for name in names) == 4

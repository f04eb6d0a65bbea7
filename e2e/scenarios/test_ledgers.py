"""Where the ledger lies, under real pods: on a volume, and in a PostgreSQL that runs as a pod."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import apps, books, following, postgresql
from harness.binaries import UnavailableError
from harness.books import HUB_POD, Books
from harness.fixtures import unavailable
from harness.following import Followed
from harness.installation import CLAIM, HOME, Installation
from harness.kubectl import Kubectl
from harness.postgresql import Postgresql
from harness.provider import Provider
from support.backup_page import PAGE
from support.eventually import eventually
from support.postgresql_tls import IN_TLS

pytestmark = pytest.mark.timeout(600)

SECRET = "pointsman-database"  # noqa: S105 - its name
AMOUNT = "1000"
OUTPUT_TOKENS = 1_000
"""Dear enough that a lease is used up, and the ledger told of calls, within some seconds."""
GRACE_S = 45
"""Time for the sidecar's last report, whatever the machine is busy with."""
BOOKED_S = 60
"""The router tells the ledger within 30 s; and a busy machine's share."""
TO_POSTGRESQL = dict(re.findall(r"--set (hub\.storage\.[^=]+)=(\S+)", PAGE))
"""The values that docs/operations.md gives to Helm."""


def test_a_ledger_on_a_volume_outlives_the_hubs_pods(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """Deleted under calls: none fails, each is booked once; deleted again, nobody reports anew."""
    claim = installed.kubectl.json("get", "pvc", CLAIM)
    assert claim["status"]["phase"] == "Bound"
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    kubectl = _app(installed, restricted)

    def held() -> Books:
        return books.of_file(installed, restricted)

    with _spending(kubectl, tmp_path, held) as (app, line, before):
        _replace_hub(installed)
        assert held().settled >= before.settled
        app.go_on()
        calls = app.end() + 1
    closed = books.closed(calls, apps.cost(line, calls), before.incarnation)
    eventually(lambda: held().requests >= calls, BOOKED_S)
    assert held() == closed
    # All pods that could tell a new ledger what was spent are gone.
    _replace_hub(installed)
    assert held() == closed


@pytest.fixture
def server(installed: Installation, restricted: str, tmp_path: Path) -> Iterator[Postgresql]:
    """The release keeps its ledger there for as long as this test runs, and then where it was."""
    cluster = installed.cluster
    try:
        cluster.load(postgresql.image(tmp_path))
    except UnavailableError as error:
        unavailable(error)
    cluster.volume("postgresql")
    made = Postgresql(cluster, restricted)
    made.ask(*_sql())
    with ExitStack() as stack:
        url = f"postgresql://pointsman:PASSWORD@{made.host}/pointsman?sslmode=verify-full"
        installed.kubectl.apply(_secret({"url": url, "ca.crt": cluster.ca}))
        stack.callback(installed.kubectl, "delete", "secret", SECRET)
        stack.callback(_keep_ledger, installed)
        _keep_ledger(installed, **TO_POSTGRESQL)
        yield made


def test_a_ledger_in_postgresql_outlives_the_pods_of_hub_and_server(
    installed: Installation, server: Postgresql, restricted: str, tmp_path: Path
) -> None:
    """By the page's values, verified by TLS; either goes under calls, and nothing is lost."""
    hub = installed.kubectl.json("get", "pod", HUB_POD)
    assert {"emptyDir": {}, "name": "state"} in hub["spec"]["volumes"]
    assert server.ask(IN_TLS) == "t"
    kubectl = _app(installed, restricted)

    def held() -> Books:
        return books.of_server(server, restricted)

    with _spending(kubectl, tmp_path, held) as (app, line, before):
        _replace_hub(installed)
        app.go_on()
        server.kill()
        app.go_on()
        server.wait()
        there = held()
        assert there.settled >= before.settled
        eventually(lambda: held().settled > there.settled, BOOKED_S)
        calls = app.end() + 1
    eventually(lambda: held().requests >= calls, BOOKED_S)
    assert held() == books.closed(calls, apps.cost(line, calls), before.incarnation)
    status = installed.kubectl.json("get", "pod", HUB_POD)["status"]
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert "not encrypted" not in installed.kubectl.logs(HUB_POD)
    assert server.ask(IN_TLS) == "t"


def _app(installed: Installation, namespace: str) -> Kubectl:
    """An app that calls on and on, in a Budget that lets it, with or without a ledger."""
    kubectl = installed.cluster.kubectl.within(namespace)
    simulated = Provider(installed.cluster, namespace)
    simulated.script({"do": {"outputTokens": OUTPUT_TOKENS}})
    *routing, budget = apps.three(namespace, simulated.url, amount=AMOUNT)
    budget["spec"]["enforcement"] = {"onLedgerUnavailable": "Allow"}
    app = apps.asking(apps.app(program=following.PROGRAM, grace_s=GRACE_S))
    kubectl.apply(*routing, budget, app)
    kubectl("rollout", "status", apps.APP, "--timeout=180s")
    kubectl("wait", "--for=condition=Ready", "rpol/support", "bud/team", "--timeout=180s")
    return kubectl


@contextmanager
def _spending(
    kubectl: Kubectl, folder: Path, held: Callable[[], Books]
) -> Iterator[tuple[Followed, str, Books]]:
    """The app that is followed, one call more as it is told, and the books once they show calls."""
    with following.followed(kubectl, folder) as app:
        (line,) = apps.asked(kubectl)
        eventually(lambda: held().settled > 0, BOOKED_S)
        yield app, line, held()


def _replace_hub(installed: Installation) -> None:
    """Delete its pod and wait for the next one."""
    installed.kubectl("delete", "pod", HUB_POD)
    for what in ("create", "condition=Ready"):
        installed.kubectl("wait", f"--for={what}", f"pod/{HUB_POD}", "--timeout=120s")


def _keep_ledger(installed: Installation, **values: Any) -> None:
    """As docs/operations.md changes where it lies: by a new StatefulSet."""
    installed.kubectl("delete", "statefulset", "pointsman-hub", "--ignore-not-found")
    installed.upgrade(**values)


def _sql() -> list[str]:
    """The page's statements that make role and database."""
    block = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def _secret(entries: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": SECRET, "namespace": HOME}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries}

"""The local stack's parts: which providers are simulated, ports, watching, children."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_operator.catalog.natives import NATIVES
from pointsman_operator.cli.local.children import Child, StackError, wait_until
from pointsman_operator.cli.local.ports import Ports, busy
from pointsman_operator.cli.local.providers import Simulator, present, prices, without_key
from pointsman_operator.cli.local.stack import chosen_policy
from pointsman_operator.cli.local.watch import FolderWatch
from pointsman_operator.cli.output import dollars
from pointsman_operator.cli.resources import Judged, judge
from pointsman_operator.cli.state import State
from pointsman_operator.compile.table import TableCredential
from support.tree import ROOT

EXAMPLE = ROOT / "examples" / "demo"


@pytest.fixture(scope="module")
def example() -> Judged:
    """The example that the demo serves."""
    return judge(EXAMPLE)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A process that says one line and waits."""
    code = "import sys, time; print('hello', flush=True); time.sleep(60)"
    one = Child("a child", (sys.executable, "-c", code), os.environ, tmp_path / "log")
    yield one
    one.kill()


def test_a_provider_without_a_key_is_simulated(example: Judged, tmp_path: Path) -> None:
    """A key in the state folder or the usual variable makes it real; the value is not read."""
    state = State(tmp_path)
    everyone = ["anthropic", "deepinfra", "google", "openai"]
    assert without_key(example.compiled, state, {}) == everyone
    assert "openai" not in without_key(example.compiled, state, {"OPENAI_API_KEY": "sk-1"})
    file = state.secrets / "anthropic" / "api-key"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o000)
    assert "anthropic" not in without_key(example.compiled, state, {})


@pytest.mark.parametrize(
    ("kind", "names", "found"),
    [
        ("Bedrock", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), True),
        ("Bedrock", ("AWS_ACCESS_KEY_ID",), False),
        ("Bedrock", (), False),
        ("Vertex", ("GOOGLE_APPLICATION_CREDENTIALS",), True),
        ("AzureOpenAI", ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"), True),
        ("AzureOpenAI", ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"), False),
    ],
)
def test_what_a_clouds_own_tools_read_does_for_a_key(
    example: Judged, tmp_path: Path, kind: str, names: tuple[str, ...], *, found: bool
) -> None:
    """All of the usual variables, and the usual file in the home folder."""
    state, home = State(tmp_path / "state"), tmp_path / "home"
    table = next(iter(example.compiled.tables.values())).table
    keyed = next(m.provider for m in table.models if m.provider.credential is not None)
    secret = TableCredential(secret="none", key="none", env="")
    provider = keyed.model_copy(update={"type": kind, "credential": secret})
    given = {"HOME": str(home), **dict.fromkeys(names, "x")}
    assert present(provider, state, given) is found
    file = home / (NATIVES[kind].file or "none")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert present(provider, state, given) is (found or bool(NATIVES[kind].file))


def test_a_simulator_charges_what_the_real_one_does(example: Judged, tmp_path: Path) -> None:
    """Its configuration holds the table's prices, and nothing of a key."""
    table = next(iter(example.compiled.tables.values())).table
    models = {m.provider.model: m for m in table.models if m.provider.label == "openai"}
    simulator = Simulator("openai", tmp_path, models, {"seed": 7})
    config = simulator.config(tmp_path / "announce")
    mini = config["prices"]["gpt-4o-mini-2024-07-18"]
    assert mini == {"input": 150_000, "cachedInput": 75_000, "output": 600_000}
    assert config["seed"] == 7
    assert "api-key" not in json.dumps(config)
    assert prices(models["gpt-4o-2024-08-06"])["output"] == 10_000_000


def test_the_only_policy_is_served(example: Judged) -> None:
    """No choice has to be made where there is none; a wrong one names those that exist."""
    assert str(chosen_policy(example.compiled, "")) == "demo/support"
    with pytest.raises(StackError, match="demo/support"):
        chosen_policy(example.compiled, "demo/other")


def test_free_ports_are_free_and_differ() -> None:
    """`--port 0` never collides with itself or with who listens already."""
    ports = Ports.beginning_at(0)
    addresses = {ports.data, ports.admin, ports.debug, ports.hub}
    assert len(addresses) == 4
    assert ports.taken() == []
    assert Ports.beginning_at(4617).hub == "127.0.0.1:4620"
    assert not busy(ports.data)


def test_a_changed_folder_is_noticed_once(tmp_path: Path) -> None:
    """New, rewritten and removed resources count; other files do not."""
    watch = FolderWatch(tmp_path)
    (tmp_path / "notes.txt").write_text("no resource")
    assert not watch.changed()
    (tmp_path / "pool.yaml").write_text("a: 1")
    assert watch.changed()
    assert not watch.changed()
    (tmp_path / "pool.yaml").unlink()
    assert watch.changed()


def test_a_child_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Waiting for something that a dead child cannot bring ends at once, with its log."""
    code = "print('no such address'); raise SystemExit(3)"
    child = Child("a child", (sys.executable, "-c", code), os.environ, tmp_path / "log")
    child.start()
    with pytest.raises(StackError, match=r"status 3(?s:.*)no such address"):
        wait_until(lambda: False, [child], "nothing", within_s=30)


def test_children_stop_when_told(child: Child) -> None:
    """SIGTERM ends a child that listens; a stopped one can be started again."""
    child.start()
    wait_until(lambda: child.log.exists() and child.log.read_text(), [child], "a line", 30)
    first = child.pid
    child.stop()
    assert not child.alive()
    child.start()
    assert child.alive()
    assert child.pid != first


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [(0, "$0.00"), (1, "$0.000000000001"), (2_500_000_000_000, "$2.50"), (10**13, "$10.00")],
)
def test_money_is_shown_exactly(picodollars: int, text: str) -> None:
    """Not a picodollar is rounded away, and nobody reads an exponent."""
    assert dollars(picodollars) == text

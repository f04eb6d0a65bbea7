from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from support.processes import Sidecar, Simulator, ended, simulator_binary
from support.tables import model, table
from support.tree import ROOT
from support.up import Up

pytestmark = pytest.mark.timeout(600)

CALL = {"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here starts from a folder that is not the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def test_the_sidecar_alone_answers(tmp_path: Path, bare_python: Path) -> None:
    """`python -m pointsman_sidecar` with a table file needs its own wheel only."""
    simulator = Simulator(tmp_path, behaviour=[{"do": {"text": "391"}}])
    document = table([model("mini", simulator.url)])
    sidecar = Sidecar(tmp_path, document, python=str(bare_python))
    with ended(simulator, sidecar):
        answer = httpx.post(f"{sidecar.url}/v1/chat/completions", json=CALL)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "391"
        assert answer.headers["x-pointsman-model"] == "main/mini"
        with httpx.stream(
            "POST", f"{sidecar.url}/v1/chat/completions", json=CALL | {"stream": True}
        ) as stream:
            assert stream.read().endswith(b"data: [DONE]\n\n")
        assert sidecar.terminate() == 0


def test_the_sidecar_is_not_of_the_checkout(bare_python: Path) -> None:
    """What was tested is the wheel: both packages are imported from their environment."""
    program = "import pointsman_sidecar._engine as e; print(e.__file__)"
    assert said(bare_python, "-c", program).startswith(str(bare_python.parents[1]))


def test_help(full_python: Path) -> None:
    """`pointsman --help` lists the commands, and each command teaches with an example."""
    pointsman = full_python.with_name("pointsman")
    listed = said(pointsman, "--help")
    for command in ("up", "validate", "compile", "explain", "spend", "budgets"):
        assert command in listed
        assert "Example: pointsman " in said(pointsman, command, "--help")


def test_validate_and_compile(tmp_path: Path, full_python: Path) -> None:
    """The demo's resources are valid and compile, with prices out of the wheel's catalogue."""
    pointsman = full_python.with_name("pointsman")
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo")
    found = json.loads(said(pointsman, "validate", "demo", "--json"))
    assert (found["errors"], len(found["objects"])) == (0, 4)
    [compiled] = json.loads(said(pointsman, "compile", "demo", "--json"))["tables"].values()
    sources = {entry["pricing"]["source"] for entry in compiled["table"]["models"]}
    assert "pool" not in sources
    assert any("head" in entry for entry in compiled["table"]["models"])


def test_up(tmp_path: Path, full_python: Path) -> None:
    """The whole product out of two wheels: hub, sidecar, a routed answer, its spend, an end."""
    shutil.copytree(ROOT / "examples" / "demo", tmp_path / "demo")
    pointsman = full_python.with_name("pointsman")
    simulator = {"POINTSMAN_SIM": str(simulator_binary())}
    up = Up(pointsman, Path("demo"), Path("state"), tmp_path / "up.log", **simulator)
    with ended(up):
        answer = httpx.post(f"{up.said['base_url']}/chat/completions", json=CALL, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert answer.headers["x-pointsman-simulated"] == "1"
        request = answer.headers["x-pointsman-request-id"]
        told = said(pointsman, "explain", request, "--state", "state", "--json")
        assert json.loads(told)["id"] == request
        assert up.end() == 0


def said(*command: str | Path) -> str:
    """What a command printed; it must succeed."""
    wide = os.environ | {"COLUMNS": "200", "TERM": "dumb"}
    done = subprocess.run(command, env=wide, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

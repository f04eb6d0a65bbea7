"""`pointsman up` as a user has it: an answer, a change of mind, a crash, a clean end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.tree import ROOT
from support.up import Up

PROGRAM = str(Path(sys.executable).parent / "pointsman")
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}
pytestmark = pytest.mark.timeout(120)


class Example(Up):
    """A running `pointsman up` on a copy of the example."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.resources = folder / "resources"
        self.state = folder / "state"
        shutil.copytree(ROOT / "examples" / "demo", self.resources)
        keys = {"OPENAI_API_KEY": "", "GEMINI_API_KEY": ""} | variables
        super().__init__(PROGRAM, self.resources, self.state, folder / "up.log", **keys)

    def ask(self, **changes: object) -> httpx.Response:
        """One plain call."""
        url = f"{self.said['base_url']}/chat/completions"
        return httpx.post(url, json=QUESTION | changes, trust_env=False, timeout=30)

    def run(self, *arguments: str) -> Any:
        """Another command on the same state, its JSON."""
        command = [PROGRAM, *arguments, "--state", str(self.state), "--json"]
        outcome = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(outcome.stdout)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Example]:
    """Up, and ended with SIGINT as Ctrl-C does."""
    up = Example(tmp_path)
    yield up
    assert up.end(signal.SIGINT) == 0


def alive(pid: int) -> bool:
    """Whether a process still runs."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def children_of(up: Example) -> list[int]:
    """The processes that it started."""
    pid = up.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_call_is_answered_explained_and_booked(running: Example) -> None:
    """The base URL answers; the id in the answer explains it, and spend and budgets count it."""
    answer = running.ask()
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-pointsman-simulated"] == "1"
    request_id = answer.headers["x-pointsman-request-id"]
    record = running.run("explain", request_id)
    assert record["model"] == answer.headers["x-pointsman-model"]
    assert record["rule"] == "smart"
    assert len(record["candidates"]) == 8
    eventually(lambda: running.run("spend")["total"]["requests"] == 1, within_s=60)
    total = running.run("spend", "--by", "provider")["total"]
    assert total["cost"] == record["cost"] > 0
    accounts = {row["account"] for row in running.run("budgets")}
    assert {"demo/company/month", "demo/trial/month"} <= accounts


def test_a_change_in_the_folder_is_served(running: Example) -> None:
    """An edited policy is in force soon; one that cannot be read changes nothing."""
    policy = running.resources / "policy.yaml"
    text = policy.read_text()
    assert running.ask(model="novel").status_code == 404
    policy.write_text(text.replace('models: ["auto", "gpt-*"]', 'models: ["auto", "novel"]'))
    eventually(lambda: running.ask(model="novel").status_code == 200, within_s=30)
    policy.write_text("spec: [")
    assert running.ask(model="novel").status_code == 200


def test_what_dies_is_started_again(running: Example) -> None:
    """A sidecar killed outright is back within seconds, with its table."""
    before = running.said["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not alive(before))
    eventually(lambda: answers(running), within_s=30)


def answers(running: Example) -> bool:
    """Whether the base URL serves at this moment."""
    try:
        return running.ask().status_code == 200
    except httpx.HTTPError:
        return False


def test_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """After SIGTERM no child runs, the announcement is gone, and the token stays the owner's."""
    up = Example(tmp_path)
    children = children_of(up)
    assert len(children) == 6
    assert up.end(signal.SIGTERM) == 0
    assert [pid for pid in children if alive(pid)] == []
    assert not (up.state / "up.json").exists()
    assert (up.state / "token").stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_told(running: Example, tmp_path: Path) -> None:
    """A second one on the same port says so, with status 69."""
    port = running.said["base_url"].removesuffix("/v1").rpartition(":")[2]
    command = [PROGRAM, "up", "-f", str(running.resources), "--state", str(tmp_path / "other")]
    outcome = subprocess.run(
        [*command, "--port", port], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 69
    assert port in outcome.stderr


def test_i7_only_the_sidecar_sees_a_providers_key(tmp_path: Path) -> None:
    """I7: with a key set that provider is real, and neither hub nor simulators hold the key."""
    up = Example(tmp_path, OPENAI_API_KEY="sk-canary-4617")
    try:
        assert sorted(up.said["simulated"]) == ["anthropic", "deepinfra", "google"]
        holders = [
            pid
            for pid in children_of(up)
            if b"sk-canary-4617" in Path(f"/proc/{pid}/environ").read_bytes()
        ]
        assert holders == [up.said["pid"]]
    finally:
        assert up.end(signal.SIGTERM) == 0
    written = [path for path in up.state.rglob("*") if path.is_file()]
    assert [path for path in written if b"sk-canary-4617" in path.read_bytes()] == []


def test_the_readmes_client_and_curl_work(running: Example, tmp_path: Path) -> None:
    """The three lines of Python and the curl command of the README, but for the port."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```(\w+)\n(.*?)```", readme, re.DOTALL)
    (client,) = [text for kind, text in blocks if kind == "python"]
    (curl,) = [text for kind, text in blocks if kind == "sh" and text.startswith("curl")]
    script = tmp_path / "client.py"
    script.write_text(client.replace("http://127.0.0.1:4617/v1", running.said["base_url"]))
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "ChatCompletion" in made.stdout
    command = curl.replace("http://127.0.0.1:4617/v1", running.said["base_url"])
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("HTTP/1.1 200")
    assert "x-pointsman-cost" in told.stdout

"""Provider keys: from the mounted folder, to allowed hosts only, rotated without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, line
from support.tables import model, table

FIRST, SECOND = "sk-canary-first", "sk-canary-second"


def keyed(made: Line, name: str, secret: str, **more: Any) -> dict[str, Any]:
    """A model that wants `secret/api-key`."""
    credential = {"secret": secret, "key": "api-key", **more}
    return model(name, made.url("a"), provider={"credential": credential})


def build(made: Line) -> dict[str, Any]:
    """One model each case."""
    return table(
        [
            keyed(made, "good", "good"),
            keyed(made, "elsewhere", "elsewhere"),
            keyed(made, "absent", "absent"),
            keyed(made, "environment", "none", env="CANARY_KEY"),
            model("open", made.url("a")),
        ]
    )


def secret(folder: Path, name: str, key: str, hosts: str | None = None) -> None:
    """Write a secret as a mounted folder."""
    path = folder / "secrets" / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "api-key").write_text(key)
    if hosts is not None:
        (path / "allowed-hosts").write_text(hosts)


@pytest.fixture(scope="module")
def keyed_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line whose models want keys."""
    folder = tmp_path_factory.mktemp("keys")
    secret(folder, "good", FIRST, "api.example.org, 127.0.0.1\n")
    secret(folder, "elsewhere", FIRST, "api.example.org")
    with line(folder, "a", build=build, CANARY_KEY="sk-env") as made:
        yield made


def authorization(made: Line, name: str) -> str | None:
    """What the provider got as credential."""
    before = len(made.captured("a"))
    answer = made.chat(model=name, headers={"authorization": "Bearer sk-callers-own"})
    assert answer.status_code == 200, answer.text
    return made.captured("a")[before].headers.get("authorization")


def test_the_mounted_key_goes_to_a_host_that_the_secret_allows(keyed_line: Line) -> None:
    """The key of the folder is sent, never the caller's."""
    assert authorization(keyed_line, "good") == f"Bearer {FIRST}"


def test_a_model_without_credential_gets_none(keyed_line: Line) -> None:
    """Not even the caller's."""
    assert authorization(keyed_line, "open") is None


@pytest.mark.parametrize("name", ["elsewhere", "absent", "environment"])
def test_a_key_goes_nowhere_else(keyed_line: Line, name: str) -> None:
    """Another host, no file, a variable for a host that is not well-known: no call, 503."""
    before = keyed_line.providers["a"].stats()["requests"]
    answer = keyed_line.chat(model=name)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_credential"
    assert FIRST not in answer.text
    assert keyed_line.providers["a"].stats()["requests"] == before
    record = keyed_line.sidecar.record(answer.headers["x-pointsman-request-id"])
    assert (record["class"], record["cost"]) == ("Auth", 0)


def test_a_rotated_key_is_used_without_a_restart(keyed_line: Line) -> None:
    """The next key is sent within seconds of its being written."""
    assert authorization(keyed_line, "good") == f"Bearer {FIRST}"
    secret(keyed_line.folder, "good", SECOND)
    eventually(lambda: authorization(keyed_line, "good") == f"Bearer {SECOND}")

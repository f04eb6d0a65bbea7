"""A refused key rests for all who use it, and only for them, until the Secret holds another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.eventually import eventually
from support.line import Line, line
from support.tables import model, route, table

BAD, GOOD = "sk-canary-refused", "sk-canary-accepted"
CHANGE_S = 3.0
"""Well under the minute after which the refused key would be tried again anyway."""


def mounted(folder: Path, name: str, key: str, turn: int = 0) -> None:
    """Put a Secret there as the kubelet does: the link `..data` is renamed over the old one."""
    secret = folder / "secrets" / name
    version = secret / f"..version-{turn}"
    version.mkdir(parents=True)
    (version / "api-key").write_text(key)
    (version / "allowed-hosts").write_text("127.0.0.1")
    fresh = secret / "..data_tmp"
    fresh.symlink_to(version.name)
    fresh.rename(secret / "..data")
    for entry in ("api-key", "allowed-hosts"):
        if not (secret / entry).is_symlink():
            (secret / entry).symlink_to(f"..data/{entry}")


def build(made: Line) -> dict[str, Any]:
    """`a` and `b` share a key, `c` has its own; `second` is another rule over `b`, then `c`."""

    def keyed(name: str, secret: str) -> dict[str, Any]:
        credential = {"secret": secret, "key": "api-key"}
        return model(name, made.url(name), provider={"credential": credential})

    rules = [
        {"name": "second", "when": {"models": ["second"]}, "route": route("b", "c")},
        {"name": "all", "when": {"models": ["auto"]}, "route": route("a", "b", "c")},
    ]
    return table([keyed("a", "shared"), keyed("b", "shared"), keyed("c", "own")], rules)


@pytest.fixture
def keyed_line(tmp_path: Path) -> Iterator[Line]:
    """Three providers, two credentials."""
    mounted(tmp_path, "shared", BAD)
    mounted(tmp_path, "own", GOOD)
    with line(tmp_path, "a", "b", "c", build=build) as made:
        yield made


def refuse(made: Line, status: int = 401, code: str = "invalid_api_key") -> None:
    """`a` and `b` refuse the shared key."""
    body = f'{{"error":{{"message":"no","type":"{code}","code":"{code}"}}}}'
    for name in ("a", "b"):
        made.script(name, {"status": status, "body": body})


def requests(made: Line) -> dict[str, int]:
    """How often each provider was asked."""
    return {name: provider.stats()["requests"] for name, provider in made.providers.items()}


def answered_by(made: Line, wanted: str = "auto") -> str:
    """Which model answers a call that must succeed."""
    answer = made.chat(model=wanted)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-pointsman-model"])


@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (429, "insufficient_quota")]
)
def test_one_refusal_rests_the_credential_in_all_models_and_rules(
    keyed_line: Line, status: int, code: str
) -> None:
    """`b` has the key that `a` was refused with: it is not asked, in this call or the next."""
    refuse(keyed_line, status, code)
    assert answered_by(keyed_line) == "main/c"
    assert requests(keyed_line) == {"a": 1, "b": 0, "c": 1}
    assert answered_by(keyed_line, "second") == "main/c"
    assert answered_by(keyed_line) == "main/c"
    assert requests(keyed_line) == {"a": 1, "b": 0, "c": 3}
    targets = keyed_line.sidecar.state()["targets"]
    assert targets == {"main/a": "Open", "main/b": "Open", "main/c": "Closed"}


def test_another_key_in_the_secret_ends_the_rest_without_a_restart(keyed_line: Line) -> None:
    """Traffic returns within seconds of the swap, with the new key, for all who use it."""
    refuse(keyed_line)
    assert answered_by(keyed_line) == "main/c"
    for name in ("a", "b"):
        keyed_line.script(name)
    assert answered_by(keyed_line) == "main/c", "the same key goes on resting"
    mounted(keyed_line.folder, "shared", GOOD, turn=1)
    began = time.monotonic()
    eventually(lambda: answered_by(keyed_line) == "main/a", CHANGE_S)
    assert time.monotonic() - began < CHANGE_S
    assert answered_by(keyed_line, "second") == "main/b"
    for name in ("a", "b"):
        assert keyed_line.captured(name)[-1].headers["authorization"] == f"Bearer {GOOD}"


def test_a_host_that_the_secret_does_not_allow_rests_no_other(tmp_path: Path) -> None:
    """The key may not go to `a`'s host by that name; where it may go it still goes."""
    mounted(tmp_path, "shared", GOOD)

    def hosts(made: Line) -> dict[str, Any]:
        credential = {"secret": "shared", "key": "api-key"}
        url = made.url("a").replace("127.0.0.1", "localhost")
        models = [
            model("a", url, provider={"credential": credential}),
            model("b", made.url("b"), provider={"credential": credential}),
        ]
        return table(models)

    with line(tmp_path, "a", "b", build=hosts) as made:
        assert answered_by(made) == "main/b"
        assert answered_by(made) == "main/b"
        assert made.sidecar.state()["targets"]["main/b"] == "Closed"

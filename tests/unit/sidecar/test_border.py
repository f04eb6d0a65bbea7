from __future__ import annotations

import json

import pytest

from pointsman_sidecar._engine import Engine, TableRejected

CONFIG = {
    "data": {"address": "127.0.0.1:0"},
    "admin": {"address": "127.0.0.1:0", "debugAddress": "127.0.0.1:0"},
    "identity": {"sidecar": "a", "namespace": "demo", "workload": "app", "pod": "app-1"},
}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"x", "Malformed"),
        (b"{}", "Malformed"),
        (b'{"version":9,"minReader":9}', "SidecarOutdated"),
    ],
)
def test_the_engine_says_why_it_refuses_a_table(table: bytes, reason: str) -> None:
    """A refusal carries a condition's reason and a sentence, as `_engine.pyi` says."""
    engine = Engine(json.dumps(CONFIG).encode())
    with pytest.raises(TableRejected) as raised:
        engine.load(table)
    told, sentence = raised.value.args
    assert told == reason
    assert sentence.startswith("the table ")

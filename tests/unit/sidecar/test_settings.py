"""The environment becomes one frozen object, or one list of everything that is wrong with it."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from pointsman_sidecar.settings import PARSERS, Settings, SettingsError, read_settings

HUB = {
    "POINTSMAN_HUB_URL": "http://127.0.0.1:4620/",
    "POINTSMAN_HUB_TOKEN_FILE": "state/token",
    "POINTSMAN_SIDECAR": "uid-1",
}


def test_every_field_has_its_variable() -> None:
    """No setting exists that the environment cannot give."""
    assert {field.name for field in fields(Settings)} == set(PARSERS)


def test_all_problems_are_told_at_once() -> None:
    """Three mistakes are three sentences, each naming its variable."""
    with pytest.raises(SettingsError) as caught:
        read_settings(
            {
                "POINTSMAN_DATA_ADDRESS": "4617",
                "POINTSMAN_DRAIN_SECONDS": "soon",
                "POINTSMAN_LOG_LEVEL": "LOUD",
            }
        )
    told = " ".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for name in ("DATA_ADDRESS", "DRAIN_SECONDS", "LOG_LEVEL", "TABLE_PATH"):
        assert f"POINTSMAN_{name}" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POINTSMAN_DEBUG_ADDRESS", "::1:4617"),
        ("POINTSMAN_DATA_ADDRESS", "127.0.0.1:70000"),
        ("POINTSMAN_HUB_URL", "ftp://hub"),
        ("POINTSMAN_HUB_URL", "https://user:pass@hub"),
        ("POINTSMAN_SECRETS_FROM_ENV", "perhaps"),
        ("POINTSMAN_DATA_THREADS", "0"),
        ("POINTSMAN_HUB_CA_FILE", "ca.pem"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: str) -> None:
    """A value that could not work is named, not guessed at."""
    with pytest.raises(SettingsError, match=name):
        read_settings(HUB | {name: value})


def test_the_engine_gets_its_document() -> None:
    """The engine's configuration says what the environment says, and omits what it does not."""
    settings = read_settings(HUB | {"POINTSMAN_STATE_DIR": "state/sidecar"})
    document = json.loads(settings.engine_config())
    assert document["hub"] == {"url": "http://127.0.0.1:4620", "tokenFile": "state/token"}
    assert document["stateDir"] == "state/sidecar"
    assert document["identity"]["sidecar"] == "uid-1"
    assert "tracing" not in document
    assert "secretsDir" not in document


def test_memory_is_what_is_said_and_else_what_the_cgroup_says() -> None:
    """Outside a container somebody may want a bound all the same."""
    said = read_settings(HUB | {"POINTSMAN_MEMORY_LIMIT_BYTES": "8388608"})
    for settings, limit in ((said, 8 << 20), (read_settings(HUB), 1 << 30)):
        assert json.loads(settings.engine_config(1 << 30))["memoryLimitBytes"] == limit
    assert "memoryLimitBytes" not in json.loads(read_settings(HUB).engine_config())


def test_a_collector_brings_its_share_of_calls() -> None:
    """All calls that begin a trace are sampled unless said; a share without a collector is idle."""
    collector = HUB | {"POINTSMAN_OTLP_ENDPOINT": "http://collector:4318/"}
    document = json.loads(read_settings(collector).engine_config())
    assert document["tracing"] == {"otlpEndpoint": "http://collector:4318", "samplePercent": 100}
    few = collector | {"POINTSMAN_OTLP_SAMPLE_PERCENT": "5"}
    assert json.loads(read_settings(few).engine_config())["tracing"]["samplePercent"] == 5
    with pytest.raises(SettingsError, match="POINTSMAN_OTLP_SAMPLE_PERCENT"):
        read_settings(collector | {"POINTSMAN_OTLP_SAMPLE_PERCENT": "101"})

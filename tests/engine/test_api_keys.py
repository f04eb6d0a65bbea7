"""A gateway lets in who shows a key, by the official SDK over real sockets; others hear why not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from pointsman_operator.cli.keys.form import CHECKSUM_LENGTH, checksum
from support.api_keys import GATEWAY, Keys
from support.eventually import eventually
from support.hub_process import HubProcess, hub_process
from support.line import Line, line
from support.processes import canonical
from support.tables import budget, model, table

ASK: Any = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
ACTS_WITHIN_S = 2.0
"""After the mount has changed."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The keys of the module's gateway."""
    return Keys(tmp_path_factory.mktemp("gateway") / "secrets")


@pytest.fixture(scope="module")
def gateway(keys: Keys) -> Iterator[Line]:
    """A gateway before two providers."""
    keys.make("here-from-the-start")
    with line(keys.secrets.parent, "a", "b", **GATEWAY) as made:
        yield made


def sdk(here: Line, key: str) -> OpenAI:
    """The official client as a caller outside makes it."""
    return OpenAI(base_url=f"{here.sidecar.url}/v1", api_key=key, max_retries=0)


def known(here: Line, count: int) -> bool:
    """Whether the gateway knows so many keys by now."""
    found = here.sidecar.state()["gateway"]["apiKeys"]
    return bool(found["keys"] == count)


def count(keys: Keys) -> int:
    """How many there are."""
    return len(keys.shelf.read())


def test_a_good_key_is_answered_and_goes_no_further(gateway: Line, keys: Keys) -> None:
    """Its name and team are in the record, whatever headers say; no provider sees the key (I7)."""
    made = keys.make("acme", team="sales")
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    claims = {"x-pointsman-key": "other", "x-pointsman-team": "other"}
    with sdk(gateway, made.key) as client:
        raw = client.chat.completions.with_raw_response.create(**ASK, extra_headers=claims)
    record = gateway.sidecar.record(raw.headers["x-pointsman-request-id"])
    assert (record["key"], record["team"], record["outcome"]) == ("acme", "sales", "ok")
    sent = gateway.captured("a")[-1]
    secret = made.key.rsplit("_", 1)[1]
    places = [str(sent.headers), sent.body.decode(), gateway.sidecar.log.read_text()]
    places += [str(gateway.sidecar.state()), str(record)]
    assert not any(secret in place or made.hash in place for place in places)
    assert "x-pointsman-key" not in sent.headers


def test_who_is_not_let_in_hears_why_in_the_sdks_own_errors(gateway: Line, keys: Keys) -> None:
    """401 and 403 with a code each; a wrong secret sounds like an unknown id."""
    good, expired = keys.make("good"), keys.expired("expired")
    disabled, narrow = keys.make("off", disabled=True), keys.make("narrow", models=["other-*"])
    body = expired.key[:-CHECKSUM_LENGTH].replace(expired.id, good.id)
    forged, mistyped = body + checksum(body), good.key[:-1] + "~"
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    before = sum(provider.stats()["requests"] for provider in gateway.providers.values())
    cases: list[tuple[str, type[openai.APIStatusError], str]] = [
        ("sk-someone-elses", openai.AuthenticationError, "invalid_api_key"),
        (mistyped, openai.AuthenticationError, "invalid_api_key"),
        (forged, openai.AuthenticationError, "invalid_api_key"),
        (expired.key, openai.AuthenticationError, "api_key_expired"),
        (disabled.key, openai.PermissionDeniedError, "api_key_disabled"),
        (narrow.key, openai.PermissionDeniedError, "model_not_allowed"),
    ]
    for key, kind, code in cases:
        with sdk(gateway, key) as client, pytest.raises(kind) as raised:
            client.chat.completions.create(**ASK)
        assert raised.value.code == code
        assert key not in raised.value.message
    missing = gateway.chat()
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "missing_api_key")
    assert missing.headers["www-authenticate"] == "Bearer"
    after = sum(provider.stats()["requests"] for provider in gateway.providers.values())
    assert after == before
    assert gateway.sidecar.metric('pointsman_refusals_total{reason="missing_api_key"}') == 1


def test_what_a_provider_keeps_for_all_callers_is_not_listed(gateway: Line, keys: Keys) -> None:
    """Files and batches of all who use a gateway lie in one account: each is had by its id."""
    made = keys.make("keeper")
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    before = sum(provider.stats()["requests"] for provider in gateway.providers.values())
    with sdk(gateway, made.key) as client:
        for asked in (client.files.list, client.batches.list):
            with pytest.raises(openai.PermissionDeniedError) as raised:
                asked()
            assert raised.value.code == "list_not_allowed"
    after = sum(provider.stats()["requests"] for provider in gateway.providers.values())
    assert after == before


def test_models_are_listed_as_far_as_a_key_may_ask_for_them(gateway: Line, keys: Keys) -> None:
    """The list says what a call may name; another name is 403, also where it exists."""
    made = keys.make("lister", models=["main/*"])
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    with sdk(gateway, made.key) as client:
        listed = [found.id for found in client.models.list()]
        assert listed
        assert all(name.startswith("main/") for name in listed)
        assert client.chat.completions.create(**ASK | {"model": listed[0]}).choices
        with pytest.raises(openai.PermissionDeniedError):
            client.models.retrieve("auto")


def test_a_revoked_key_is_refused_within_two_seconds_and_its_streams_end_well(
    gateway: Line, keys: Keys
) -> None:
    """What was let in is answered to its end."""
    made = keys.make("leaver")
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    gateway.script("a", {"text": "word " * 120, "tokensPerSecond": 40})
    with sdk(gateway, made.key) as client:
        stream = client.chat.completions.create(**ASK, stream=True)
        first = next(stream)
        keys.revoke("leaver")
        revoked = time.monotonic()
        eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
        took = time.monotonic() - revoked
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        assert took < ACTS_WITHIN_S + 1, "one second of it for a busy machine"
        last = [first, *stream][-1]
        assert last.choices[0].finish_reason == "stop"
    gateway.script("a")


def test_limits_are_told_in_the_callers_terms(gateway: Line, keys: Keys) -> None:
    """429 with Retry-After: too many a minute, too many at once; a call's end frees its place."""
    slow, single = keys.make("slow", requests_per_minute=2), keys.make("single", max_in_flight=1)
    eventually(lambda: known(gateway, count(keys)), ACTS_WITHIN_S + 3)
    with sdk(gateway, slow.key) as client:
        for _ in range(2):
            client.chat.completions.create(**ASK)
        with pytest.raises(openai.RateLimitError, match="2 requests a minute") as raised:
            client.chat.completions.create(**ASK)
    assert raised.value.code == "rate_limit_exceeded"
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 30
    gateway.script("a", {"text": "word " * 50, "tokensPerSecond": 50})
    with sdk(gateway, single.key) as client:
        stream = client.chat.completions.create(**ASK, stream=True)
        next(stream)
        with pytest.raises(openai.RateLimitError, match="1 requests in flight"):
            client.chat.completions.create(**ASK)
        list(stream)
        eventually(lambda: client.chat.completions.create(**ASK).choices is not None)
    gateway.script("a")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub that keeps the money."""
    (tmp_path / "hub").mkdir()
    with hub_process(tmp_path / "hub") as running:
        yield running


def test_a_budget_counts_what_one_key_spends(tmp_path: Path, hub: HubProcess) -> None:
    """Another key goes on when it is used up; spend shows both by name, with the last use."""
    keys = Keys(tmp_path / "secrets")
    poor, rich = keys.make("poor"), keys.make("rich")
    subject = {"header": {"name": "x-pointsman-key", "values": ["poor"]}, "models": []}
    own = budget(150_000_000) | {"subject": subject | {"namespaces": [], "workloads": []}}

    def build(made: Line) -> dict[str, Any]:
        return table([model("a", made.url("a"))], budgets=[own])

    place: dict[str, Any] = {
        "POINTSMAN_HUB_URL": hub.url,
        "POINTSMAN_HUB_TOKEN_FILE": str(hub.folder / "token"),
    }
    with line(tmp_path, "a", build=build, **GATEWAY, **place) as here:
        hub.put_table(canonical(build(here)), "test")
        with sdk(here, poor.key) as client, pytest.raises(openai.RateLimitError) as raised:
            ask_until_refused(client)
        assert raised.value.code == "insufficient_quota"
        # Who claims another's name pays under their own all the same.
        with sdk(here, poor.key) as client, pytest.raises(openai.RateLimitError):
            client.chat.completions.create(
                **ASK, max_tokens=20, extra_headers={"x-pointsman-key": "rich"}
            )
        with sdk(here, rich.key) as client:
            client.chat.completions.create(
                **ASK, max_tokens=20, extra_headers={"x-pointsman-key": "poor"}
            )
        rows: dict[str, dict[str, Any]] = {}

        def booked() -> bool:
            rows.update(
                {row["key"]: row for row in hub.http.get("/v1/spend?by=key").json()["rows"]}
            )
            return "rich" in rows and rows["poor"]["requests"] > 1

        eventually(booked, 40)
    assert rows["rich"]["requests"] == 1
    assert rows["poor"]["last"][:4] >= "2026"


def ask_until_refused(client: OpenAI) -> None:
    """Short calls, one after another; the limit pays for fewer than this."""
    for _ in range(200):
        client.chat.completions.create(**ASK, max_tokens=20)

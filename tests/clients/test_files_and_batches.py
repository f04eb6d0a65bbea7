"""Official SDKs keep files, batches and caches through the router, each at one of two accounts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.clients import ANSWERS_WITHIN_S, APPS, PYTHONS
from support.clients_others import ANTHROPIC, GOOGLE, OPENAI, saw
from support.kept_world import ACCOUNTS, kept_world
from support.tables import budget
from support.tree import ROOT
from support.worlds import World

TABLE = "Files, batches and what else providers keep"
TEXT = "The train now standing at platform nine."
NOT_THERE, ELSEWHERE = 404, 400
ALL = {
    "openai_files": [TEXT, True, True, NOT_THERE],
    "openai_batches": ["completed", True, "Done."],
    "openai_stored_responses": [True, True, NOT_THERE],
    "anthropic_files": [len(TEXT), TEXT, True, True, ELSEWHERE, NOT_THERE],
    "anthropic_batches": ["ended", [["a", "anthropic-2026"], ["b", "anthropic-2026"]], True, 404],
    "google_files": [len(TEXT), True, True, ELSEWHERE, NOT_THERE],
    "google_caches": ["models/gemini-2026", True, True, True, True, NOT_THERE],
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A router before two accounts of three providers."""
    with kept_world(tmp_path_factory.mktemp("kept")) as made:
        yield made


@pytest.fixture(scope="module")
def told(kept: World) -> dict[str, dict[str, Any]]:
    """What the SDKs made of it, by account, in a process of their own."""
    python = ROOT / PYTHONS["openai 3"] / "bin" / "python"
    outcome = subprocess.run(
        [str(python), str(APPS / "python" / "files_and_batches.py"), kept.sidecar.url, *ACCOUNTS],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * ANSWERS_WITHIN_S,
    )
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    read: dict[str, dict[str, Any]] = json.loads(outcome.stdout)
    return read


@pytest.mark.parametrize("account", ACCOUNTS)
def test_what_is_kept_is_found_where_it_is(told: dict[str, dict[str, Any]], account: str) -> None:
    """Kept, found, used, listed and gone; the other account's models are not asked for it."""
    assert told[account] == ALL
    names = {"openai": OPENAI, "anthropic": ANTHROPIC, "google": GOOGLE}
    for call in ALL:
        sdk, feature = call.split("_", maxsplit=1)
        saw(TABLE, names[sdk], feature)


def test_what_costs_by_the_hour_is_refused_under_a_budget(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Batches and caches are refused in the words of their SDKs; files pass."""
    enforced = budget(10**12, onLedgerUnavailable="Allow")
    with kept_world(tmp_path_factory.mktemp("bounded"), budgets=[enforced]) as world:
        url = world.sidecar.url
        anthropic = {"anthropic-version": "2023-06-01", "x-api-key": "app"}
        google = {"x-goog-api-key": "app"}
        one = {"custom_id": "a", "params": {"model": "anthropic-one", "max_tokens": 5}}
        batch = httpx.post(
            f"{url}/v1/messages/batches", json={"requests": [one]}, headers=anthropic
        )
        assert batch.status_code == ELSEWHERE
        assert "a batch costs" in batch.json()["error"]["message"]
        cache = httpx.post(
            f"{url}/v1beta/cachedContents", json={"model": "models/gemini-one"}, headers=google
        )
        assert cache.json()["error"]["status"] == "INVALID_ARGUMENT"
        assert "billed by the hour" in cache.json()["error"]["message"]
        for path, headers in (("/v1/files", anthropic), ("/v1beta/files", google)):
            assert httpx.get(f"{url}{path}", headers=headers).is_success

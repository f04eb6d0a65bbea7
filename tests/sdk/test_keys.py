"""Whose key goes where: the provider's to the provider, the caller's nowhere, none into sight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from support.processes import Sidecar, Simulator, ended
from support.tables import model, table
from support.worlds import SIDECAR_PYTHON

CALLERS = "sk-canary-of-the-caller"
PROVIDERS = "sk-canary-of-the-provider"
QUESTION: Any = [{"role": "user", "content": "What is six times seven?"}]
CREDENTIAL = {"secret": "openai", "key": "api-key", "env": "NO_SUCH_VARIABLE"}


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A provider that keeps what it is sent, apart from the sidecar's own folder."""
    folder = tmp_path / "provider"
    folder.mkdir()
    rejected = {"match": {"model": "locked-2026"}, "do": {"status": 401}}
    found = Simulator(folder, behaviour=[rejected], capture=str(folder / "captured"))
    with ended(found):
        yield found


@pytest.fixture
def sidecar(tmp_path: Path, simulator: Simulator) -> Iterator[Sidecar]:
    """A sidecar with a key for its provider in its secrets folder."""
    folder = tmp_path / "sidecar"
    secret = folder / "secrets" / "openai"
    secret.mkdir(parents=True)
    (secret / "api-key").write_text(PROVIDERS)
    (secret / "allowed-hosts").write_text("127.0.0.1")
    provider = {"credential": CREDENTIAL, "allowedHosts": []}
    models = [model(name, simulator.url, provider=provider) for name in ("open", "locked")]
    made = Sidecar(folder, table(models), python=SIDECAR_PYTHON, POINTSMAN_LOG_LEVEL="DEBUG")
    with ended(made):
        yield made


def test_i7_keys_go_where_they_belong(
    tmp_path: Path, simulator: Simulator, sidecar: Sidecar
) -> None:
    """The provider gets its own key; no key is in an answer, a log, a metric, a page or a file."""
    shown = []
    with OpenAI(base_url=f"{sidecar.url}/v1", api_key=CALLERS, max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(model="open", messages=QUESTION)
        shown += [str(raw.headers), raw.text]
        with pytest.raises(openai.APIStatusError) as raised:
            client.chat.completions.create(model="locked", messages=QUESTION)
        shown += [str(raised.value.response.headers), raised.value.response.text]
        shown += [str(sidecar.record(raw.headers["x-pointsman-request-id"]))]
    assert all(f"Bearer {PROVIDERS}" in sent for sent in heads(simulator))
    assert not any(CALLERS in sent for sent in heads(simulator))

    for page in ("/metrics", "/debug/state"):
        shown.append(httpx.get(sidecar.admin_url + page).text)
    assert sidecar.terminate() == 0
    written = [path for path in (tmp_path / "sidecar").rglob("*") if path.is_file()]
    kept = [path for path in written if "secrets" not in path.parts]
    assert sidecar.log in kept
    shown += [path.read_bytes().decode(errors="replace") for path in kept]
    for canary in (CALLERS, PROVIDERS):
        assert not any(canary in text for text in shown)


def heads(simulator: Simulator) -> list[str]:
    """What came with each request."""
    found = sorted((simulator.folder / "captured").glob("*.head.json"))
    assert len(found) >= 2
    return [path.read_text() for path in found]

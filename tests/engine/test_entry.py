"""A policy's gateway as in a cluster: TLS by the controller's word, callers by their keys."""

from __future__ import annotations

import datetime as dt
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai import OpenAI

from pointsman_operator.owned.certificates import issue_requested, issue_root
from support.api_keys import Keys
from support.eventually import eventually
from support.processes import Sidecar, Simulator, ended
from support.scripted_hub import scripted_hub
from support.tables import model, table

ASK: Any = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
ROLE = {"POINTSMAN_MODE": "gateway", "POINTSMAN_GATEWAY": "policy/test"}


def test_a_caller_outside_with_a_key_is_answered_over_tls(tmp_path: Path) -> None:
    """Not ready before its certificate; then by key alone, in the clear not at all."""
    root = issue_root("test", dt.datetime.now(dt.UTC))
    made = Keys(tmp_path / "secrets").make("acme")
    (tmp_path / "token").write_text("the-pods-own-token")
    with ExitStack() as stack:
        hub = stack.enter_context(scripted_hub())
        provider = Simulator(tmp_path, "a")
        stack.enter_context(ended(provider))
        gateway = Sidecar(
            tmp_path,
            table([model("a", provider.url)]),
            POINTSMAN_HUB_URL=hub.url,
            POINTSMAN_HUB_TOKEN_FILE=str(tmp_path / "token"),
            POINTSMAN_DATA_THREADS="2",
            **ROLE,
        )
        stack.enter_context(ended(gateway))
        eventually(lambda: any("csr" in it for it in hub.reports))
        assert not gateway.probe("/readyz")
        assert "certificate" in hub.reports[0]["waiting"]
        request = next(it["csr"] for it in hub.reports if "csr" in it)
        chain = issue_requested(root, request, ["localhost"], dt.datetime.now(dt.UTC))
        hub.script.put({"event": "certificate", "chain": chain})
        eventually(lambda: gateway.probe("/readyz"))
        eventually(lambda: hub.reports[-1]["waiting"] == "")
        url = gateway.url.replace("http://127.0.0.1", "https://localhost") + "/v1"
        context = ssl.create_default_context(cadata=root.certificate)
        http = stack.enter_context(httpx2.Client(verify=context, trust_env=False))
        client = OpenAI(base_url=url, api_key=made.key, http_client=http, max_retries=0)
        assert client.chat.completions.create(**ASK).choices[0].message.content
        parts = client.chat.completions.create(**ASK, stream=True)
        assert [it.choices[0].finish_reason for it in parts][-1] == "stop"
        stranger = client.with_options(api_key="sk-unknown")
        with pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(**ASK)
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{gateway.url}/v1/chat/completions", json=ASK, timeout=10)

"""The controller's way to the hub, where nobody answers."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from pointsman_operator.kube import limits
from pointsman_operator.kube.hub import Hub, HubUnreachableError


def test_an_address_that_says_nothing_is_given_up_before_news_would_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a Service's is whose pod is gone: news of the fleet is waited for only once connected."""
    monkeypatch.setattr(limits, "CONNECT_WITHIN_S", 0.2)
    token = tmp_path / "token"
    token.write_text("t")

    async def asks(url: str) -> None:
        hub = Hub(url, token)
        await hub.trust("")
        try:
            await hub.fleet(None)
        finally:
            await hub.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(HubUnreachableError, match="ConnectTimeout"):
            asyncio.run(asks(url))
    assert time.monotonic() - began < limits.HUB_CALL_S

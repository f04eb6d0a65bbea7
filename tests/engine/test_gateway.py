"""A pool's gateway over real sockets: who comes in, under whose key, and what all others get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.gateways import KEY, TOKEN, Mint, Neighbours, neighbours
from support.line import asked


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """A gateway, and a sidecar of another namespace."""
    with neighbours(tmp_path_factory.mktemp("gateway")) as made:
        eventually(lambda: call(made).status_code == 200)
        yield made


def call(both: Neighbours, **body: Any) -> httpx.Response:
    """The app's call, to its own sidecar."""
    url = f"{both.caller.url}/v1/chat/completions"
    return httpx.post(url, json=asked(**{"model": "a", **body}), timeout=20)


def captured(folder: Path) -> tuple[dict[str, str], dict[str, object]]:
    """The newest request as the provider got it: headers and body."""
    head = max((folder / "a.capture").glob("*.head.json"))
    body = head.with_name(head.name.replace("head.json", "body"))
    return dict(json.loads(head.read_text())["headers"]), json.loads(body.read_bytes())


def test_a_call_goes_by_ticket_to_the_gateway_and_on_with_the_owners_key(both: Neighbours) -> None:
    """One id at all three; the provider sees the owner's key and nothing of the caller's."""
    answer = call(both)
    assert answer.status_code == 200, answer.text
    headers, body = captured(both.folder)
    request_id = answer.headers["x-pointsman-request-id"]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-client-request-id"] == f"{request_id}.1"
    assert body["model"] == "a-2026"
    assert not [name for name in headers if name.startswith("x-pointsman")]
    assert KEY not in answer.text
    own, theirs = both.gateway.record(request_id), both.caller.record(request_id)
    assert (own["workload"], theirs["workload"]) == ("b/shop", "app")
    assert own["cost"] == theirs["cost"] > 0


def test_a_stream_comes_through_whole_with_its_cost(both: Neighbours) -> None:
    """Event by event to the end; both book what the provider reports."""
    answer = call(both, stream=True)
    assert answer.text.rstrip().endswith("data: [DONE]")
    request_id = answer.headers["x-pointsman-request-id"]
    records = [both.gateway.record(request_id), both.caller.record(request_id)]
    assert {it["outcome"] for it in records} == {"ok"}
    assert records[0]["usage"] == records[1]["usage"]


def test_whoever_is_not_let_in_gets_one_and_the_same_answer(both: Neighbours) -> None:
    """Nothing tells a forged ticket from an expired one, another pool's, or none at all."""
    good = both.mint.ticket()
    told = [
        both.knock(None),
        both.knock("garbage"),
        both.knock(both.mint.ticket(life_s=-3_600)),
        both.knock(both.mint.ticket("ai/other")),
        both.knock(Mint().ticket()),
        both.knock(good[:-3]),
        both.knock(both.mint.ticket(ns="closed")),
        both.direct.get("/v1/models"),
        both.direct.get("/anything", headers={"authorization": f"Bearer {TOKEN}"}),
    ]
    assert {it.status_code for it in told} == {401}
    assert len({it.text for it in told}) == 1
    assert told[0].json()["error"]["code"] == "invalid_ticket"
    assert both.knock(good).status_code == 200


def test_only_the_pools_models_by_their_full_names_exist(both: Neighbours) -> None:
    """Another tenant's model and one that nobody has are answered alike."""
    ticket = both.mint.ticket()
    told = {it: both.knock(ticket, model=it) for it in ("other/a", "none/b", "a", "a-2026")}
    assert {it.status_code for it in told.values()} == {404}
    assert len({it.text.replace(f"'{name}'", "") for name, it in told.items()}) == 1


def test_the_port_speaks_tls_only(both: Neighbours) -> None:
    """A ticket never goes over the wire in the clear."""
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{both.gateway.url}/v1/chat/completions", json=asked(), timeout=10)


def test_a_deleted_pods_ticket_is_refused_as_soon_as_the_hub_says_so(both: Neighbours) -> None:
    """The ticket is as good as before; the pod is not there any more."""
    ticket = both.mint.ticket(sub="uid-gone")
    assert both.knock(ticket).status_code == 200
    both.hub.script.put(both.mint.admission("uid-gone"))
    eventually(lambda: both.knock(ticket).status_code == 401, within_s=10)
    assert call(both).status_code == 200

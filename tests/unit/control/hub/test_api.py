"""The hub's API over HTTP: who gets in, what is refused and how, what people are told."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import pytest

from support.hub_process import ACCOUNT, FENCE, HubProcess, budget, route_table

# Whole processes start here, on a machine that may be busy with others.
pytestmark = pytest.mark.timeout(240)

SYNC = {"sidecar": "a", "boot": "1", "seq": 1}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error in the one shape that errors have."""
    document = answer.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message"}
    return answer.status_code, document["error"]["code"]


def test_only_the_token_lets_in(hub: HubProcess) -> None:
    """No token, another, or a part of it: 401; probes and Prometheus need none."""
    for said in ("", "Bearer x", f"Bearer {hub.token[:-1]}", f"Basic {hub.token}"):
        answer = httpx.get(f"{hub.url}/v1/budgets", headers={"authorization": said})
        assert code(answer) == (401, "unauthorized")
        assert hub.token not in answer.text
    assert httpx.get(f"{hub.url}/healthz").json() == {"status": "ok"}
    assert "pointsman_hub_streams 0.0" in httpx.get(f"{hub.url}/metrics").text
    assert hub.http.get("/v1/budgets").status_code == 200


def test_unknown_paths_and_methods_have_the_shape_too(hub: HubProcess) -> None:
    """404 and 405."""
    assert code(hub.http.get("/v1/nothing")) == (404, "not_found")
    assert code(hub.http.get("/v1/ledger/sync")) == (405, "method_not_allowed")


BAD_SYNCS: dict[str, dict[str, Any]] = {
    "no sidecar": {"boot": "1", "seq": 1},
    "a negative sum": SYNC | {"leases": [{"id": "x", "account": ACCOUNT, "spent": -1}]},
    "a fraction": SYNC | {"leases": [{"id": "x", "account": ACCOUNT, "spent": 0.5}]},
    "too much": SYNC | {"wants": [{"account": ACCOUNT, "need": 10**19}]},
    "too many": SYNC | {"wants": [{"account": ACCOUNT}] * 1025},
    "a name too long": SYNC | {"usage": [{"team": "x" * 513}]},
}


@pytest.mark.parametrize("body", BAD_SYNCS.values(), ids=BAD_SYNCS.keys())
def test_a_malformed_sync_is_refused_whole(hub: HubProcess, body: dict[str, Any]) -> None:
    """422 that names the member and never repeats a value."""
    answer = hub.http.post("/v1/ledger/sync", json=body)
    assert code(answer) == (422, "invalid_request")
    assert "x" * 513 not in answer.text


def test_a_newer_sidecar_may_say_more(hub: HubProcess) -> None:
    """Unknown members are ignored."""
    assert hub.http.post("/v1/ledger/sync", json=SYNC | {"mood": "fine"}).status_code == 200


def test_a_body_has_a_bound(hub: HubProcess) -> None:
    """Said in advance or found out on the way, more than 16 MiB is not read."""
    piece = b" " * 2**20
    answer = hub.http.post("/v1/reports", content=piece * 17)
    assert code(answer) == (413, "too_large")
    try:
        unsaid = hub.http.post("/v1/reports", content=(piece for _ in range(17)))
    except httpx.TransportError:
        return
    assert unsaid.status_code >= 400


BAD_TABLES: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "invalid_table"),
    "a float": (b'{"a":1.0}', "invalid_table"),
    "spaces": (route_table().replace(b":", b": "), "not_canonical"),
    "a list": (b"[]", "not_canonical"),
    "another's": (route_table(policy="other"), "invalid_table"),
    "an unknown zone": (
        route_table(budget(1, window={"calendar": "Day", "timeZone": "Mars"})),
        "invalid_table",
    ),
}


@pytest.mark.parametrize(("content", "said"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_table_that_cannot_be_served_is_refused(
    hub: HubProcess, content: bytes, said: str
) -> None:
    """400 with the reason; what was there stays."""
    answer = hub.http.put("/v1/tables/demo/support", content=content, headers=FENCE)
    assert code(answer) == (400, said)


def test_a_table_is_named_by_its_bytes(hub: HubProcess) -> None:
    """The digest is that of the bytes, put once or twice."""
    content = route_table(budget(10))
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    assert [hub.put_table(content), hub.put_table(content)] == [digest, digest]


def fenced(hub: HubProcess, fence: str, method: str = "PUT") -> httpx.Response:
    """A change under a fence."""
    content = route_table(policy="fenced") if method == "PUT" else None
    headers = {"x-pointsman-fence": fence}
    return hub.http.request(method, "/v1/tables/demo/fenced", content=content, headers=headers)


def test_an_older_controller_is_fenced_off(hub: HubProcess) -> None:
    """Fewer transitions of the same installation: refused, also for other policies and deletes."""
    assert fenced(hub, "i,5,new").status_code == 200
    assert code(fenced(hub, "i,4,old")) == (409, "fenced")
    assert code(fenced(hub, "i,4,old", "DELETE")) == (409, "fenced")
    assert fenced(hub, "i,5,again").status_code == 200
    assert fenced(hub, "j,1,first").status_code == 200
    for bad in ("i,5", "i,x,b", ",1,b", "i,1,b,c", "i," + "9" * 40 + ",b"):
        assert code(fenced(hub, bad)) == (400, "bad_fence")
    assert hub.http.delete("/v1/tables/demo/fenced").status_code == 200
    assert code(fenced(hub, "j,1,first", "DELETE")) == (404, "not_found")


def test_a_fence_and_a_table_survive_a_restart(hub: HubProcess) -> None:
    """The next process serves the last table and knows the last leader."""
    assert fenced(hub, "k,7,b").status_code == 200
    assert hub.stop() == 0
    hub.start()
    assert code(fenced(hub, "k,6,old")) == (409, "fenced")
    assert fenced(hub, "k,7,b", "DELETE").status_code == 200
    assert fenced(hub, "installation,1,boot").status_code == 200


def test_spend_is_told_by_group_and_since(hub: HubProcess) -> None:
    """Rows and their total; a moment, a span, and what is neither."""
    row = {"model": "m", "requests": 2, "input_tokens": 5, "output_tokens": 7, "cost": 11}
    hub.sync(
        "spender",
        usage=[row | {"team": "blue"}, row | {"team": "red", "cost": 1, "unconfirmed": 3}],
    )
    told = hub.http.get("/v1/spend", params={"by": "team", "since": "1h"}).json()
    assert [(r["key"], r["cost"]) for r in told["rows"]] == [("blue", 11), ("red", 1)]
    tokens = {"input_tokens": 10, "output_tokens": 14}
    assert told["total"] == {"requests": 4, **tokens, "cost": 12, "unconfirmed": 3}
    moment = {"since": "2026-01-01T00:00:00+01:00"}
    assert hub.http.get("/v1/spend", params=moment).json()["total"]["cost"] == 12
    late = {"since": "2999-01-01T00:00:00Z"}
    assert hub.http.get("/v1/spend", params=late).json()["rows"] == []
    for bad in ("yesterday", "2026-01-01T00:00:00"):
        assert code(hub.http.get("/v1/spend", params={"since": bad})) == (400, "bad_since")
    assert code(hub.http.get("/v1/spend", params={"by": "mood"})) == (422, "invalid_request")


def test_a_reported_decision_is_found(hub: HubProcess) -> None:
    """The record comes back as it was; a second report of it changes nothing."""
    record = {"id": "pm-1", "time_ms": 5, "reason": "cheapest", "nested": {"ü": [1]}}
    report = {"sidecar": "r", "boot": "1", "digest": "sha256:x", "records": [record]}
    for _ in range(2):
        assert hub.http.post("/v1/reports", json=report).json() == {}
    assert hub.http.get("/v1/decisions/pm-1").json() == record
    for bad in ({"time_ms": 1}, {"id": "pm 2", "time_ms": 1}, {"id": "pm-3", "time_ms": "x"}):
        answer = hub.http.post("/v1/reports", json=report | {"records": [bad]})
        assert code(answer) == (422, "invalid_request")


def test_an_unknown_decision_is_not_found(hub: HubProcess) -> None:
    """Nobody is connected who could know."""
    assert code(hub.http.get("/v1/decisions/pm-none")) == (404, "not_found")


def test_a_sidecar_is_shown_with_what_it_refused(hub: HubProcess) -> None:
    """A report says what runs and what was rejected; the next one may take it back."""
    rejected = {"digest": "sha256:new", "reason": "minReader 2"}
    body = {"sidecar": "shown", "boot": "1", "digest": "sha256:old", "rejected": rejected}
    for expected in (rejected, None):
        hub.http.post("/v1/reports", json=body | {"rejected": expected})
        (entry,) = [e for e in hub.http.get("/v1/sidecars").json() if e["sidecar"] == "shown"]
        assert entry.get("rejected") == expected
        assert (entry["connected"], entry["digest"]) == (False, "sha256:old")


def test_budgets_are_shown_even_before_anybody_spends(hub: HubProcess) -> None:
    """Every declared account has its current window."""
    hub.put_table(route_table(budget(10), budget(20, name="other")))
    rows = {row["account"]: row for row in hub.http.get("/v1/budgets").json()}
    assert (rows[ACCOUNT]["available"], rows[ACCOUNT]["turned_away"]) == (10, 0)
    assert json.dumps(rows["demo/other/day"]).count("20") >= 2
    page = hub.http.get("/metrics").text
    assert 'pointsman_budget_limit_usd{account="demo/other/day"' in page
    hub.put_table(route_table())
    assert ACCOUNT not in {row["account"] for row in hub.http.get("/v1/budgets").json()}


def test_a_budget_tells_what_did_not_fit_into_it(hub: HubProcess) -> None:
    """A need above what is left: `Exhausted` can be told though some picodollars remain."""
    account = "demo/small/day"
    hub.put_table(route_table(budget(10, name="small")))
    hub.sync(wants=[{"account": account, "have": 0, "need": 11, "prefer": 11}])
    assert hub.balance(account)["turned_away"] == 11

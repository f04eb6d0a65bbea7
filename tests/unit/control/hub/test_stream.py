"""The stream over HTTP: resumes by digest, pushes on change only, survives what peers do."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.hub_process import HubProcess, route_table

# Whole processes start here, on a machine that may be busy with others.
pytestmark = pytest.mark.timeout(240)


@contextmanager
def stream(hub: HubProcess, **query: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of one stream."""
    asked = {"sidecar": "s", "boot": "1", "namespace": "demo", "workload": "support"} | query
    client = httpx.Client(base_url=hub.url, headers=hub.headers, timeout=30)
    with client, client.stream("GET", "/v1/stream", params=asked) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "application/x-ndjson"
        yield (json.loads(line) for line in answer.iter_lines())


def entry(hub: HubProcess, sidecar: str = "s") -> dict[str, Any]:
    """What the hub says of a sidecar."""
    found: list[dict[str, Any]] = hub.http.get("/v1/sidecars").json()
    return next(e for e in found if e["sidecar"] == sidecar)


def test_a_new_subscriber_gets_its_table(hub: HubProcess) -> None:
    """Digest, fence and the canonical bytes, packed."""
    content = route_table(catalogue="1")
    digest = hub.put_table(content)
    with stream(hub) as events:
        event = next(events)
    assert (event["event"], event["digest"]) == ("table", digest)
    assert event["fence"] == {"installation": "installation", "transitions": 1, "boot": "boot"}
    assert gzip.decompress(base64.b64decode(event["table"])) == content


def test_who_has_the_table_is_not_sent_it_again(hub: HubProcess) -> None:
    """Resumed by digest: a ping first, the table only when it changes."""
    digest = hub.put_table(route_table(catalogue="2"))
    with stream(hub, digest=digest) as events:
        assert next(events) == {"event": "ping"}
        changed = hub.put_table(route_table(catalogue="3"))
        event = next(events)
        assert (event["event"], event["digest"]) == ("table", changed)


def test_a_table_survives_the_hub(hub: HubProcess) -> None:
    """After a kill the next process serves the last one."""
    digest = hub.put_table(route_table(catalogue="4"))
    hub.kill()
    hub.start()
    with stream(hub) as events:
        assert next(events)["digest"] == digest


def test_a_workload_is_served_by_the_policy_of_its_name(hub: HubProcess) -> None:
    """Else by the only one there is; with several, and none of its name, by none yet."""
    support = hub.put_table(route_table(catalogue="5"))
    with stream(hub, workload="anything") as events:
        assert next(events)["digest"] == support
    other = hub.put_table(route_table(policy="other"), "other")
    with stream(hub, workload="other") as events:
        assert next(events)["digest"] == other
    with stream(hub, workload="third") as events:
        assert next(events) == {"event": "ping"}
        third = hub.put_table(route_table(policy="third"), "third")
        assert next(events)["digest"] == third
    with stream(hub, namespace="elsewhere") as events:
        assert next(events) == {"event": "ping"}
    for policy in ("other", "third"):
        assert hub.http.delete(f"/v1/tables/demo/{policy}").status_code == 200


def test_tuning_follows_the_table(hub: HubProcess) -> None:
    """New lambdas are an epoch, the same ones are not; a new subscriber gets the latest."""

    def tuned(value: int) -> int:
        answer = hub.http.put("/v1/tuning/demo/support", json={"lambda": {"smart": value}})
        return int(answer.json()["epoch"])

    digest = hub.put_table(route_table(catalogue="6"))
    with stream(hub, digest=digest) as events:
        next(events)
        epoch = tuned(7)
        assert next(events) == {"event": "tuning", "epoch": epoch, "lambda": {"smart": 7}}
        assert tuned(7) == epoch
        assert tuned(8) == epoch + 1
        assert next(events)["lambda"] == {"smart": 8}
    with stream(hub) as events:
        assert [next(events)["event"] for _ in range(2)] == ["table", "tuning"]
    hub.kill()
    hub.start()
    with stream(hub, digest=digest) as events:
        assert next(events) == {"event": "tuning", "epoch": epoch + 1, "lambda": {"smart": 8}}
    bad = hub.http.put("/v1/tuning/demo/support", json={"lambda": {"smart": -1}})
    assert bad.status_code == 422


def test_a_decision_is_asked_for_where_it_was_made(hub: HubProcess) -> None:
    """Not in the store: the sidecars are asked, and one reports it."""
    record = {"id": "pm-ring", "time_ms": 1, "reason": "from the ring"}
    digest = hub.put_table(route_table(catalogue="7"))
    with stream(hub, digest=digest) as events:
        next(events)
        with httpx.Client(base_url=hub.url, headers=hub.headers) as asking:
            with pytest.raises(httpx.ReadTimeout):
                asking.get("/v1/decisions/pm-ring", timeout=0.2)
            question = next(e for e in events if e["event"] != "tuning")
            assert question == {"event": "explain", "id": "pm-ring"}
            report = {"sidecar": "s", "boot": "1", "digest": digest, "records": [record]}
            hub.http.post("/v1/reports", json=report)
            assert asking.get("/v1/decisions/pm-ring").json() == record


def test_a_decision_that_nobody_has_is_given_up(hub: HubProcess) -> None:
    """Asked, not answered in time: 404."""
    with stream(hub) as events:
        next(events)
        assert hub.http.get("/v1/decisions/pm-nowhere").status_code == 404


def test_a_sidecar_is_connected_while_its_stream_is_open(hub: HubProcess) -> None:
    """Its digest counts only so long; leaving is noticed at once."""
    with stream(hub, sidecar="c", digest="sha256:mine") as events:
        next(events)
        shown = entry(hub, "c")
        assert (shown["connected"], shown["digest"]) == (True, "sha256:mine")
        assert "pointsman_hub_streams 1.0" in hub.http.get("/metrics").text
    eventually(lambda: not entry(hub, "c")["connected"], within_s=5)


def test_a_stream_without_a_name_is_refused(hub: HubProcess) -> None:
    """Who subscribes says who it is."""
    answer = hub.http.get("/v1/stream", params={"sidecar": "s"})
    assert answer.status_code == 422


def test_sigterm_ends_streams_and_the_process(hub: HubProcess) -> None:
    """Open streams do not hold up the end: they are finished in order, exit code 0."""
    with stream(hub) as events:
        next(events)
        assert hub.stop() == 0
        assert [e for e in events if e["event"] == "table"] == []
    hub.start()

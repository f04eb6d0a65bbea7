"""What a collector sees of a guest's call at a gateway: a part of the guest's own trace."""

from __future__ import annotations

import secrets
from pathlib import Path

from support.collector import CLIENT, SERVER, collecting
from support.eventually import eventually
from support.gateways import KEY, neighbours

CALLERS_SPAN = "00f067aa0ba902b7"


def test_a_gateways_spans_hang_below_the_callers_and_tell_no_secret(tmp_path: Path) -> None:
    """One tree over both routers; neither ticket nor key is in it, nor is who is not let in."""
    with (
        collecting() as collector,
        neighbours(
            tmp_path, POINTSMAN_OTLP_ENDPOINT=collector.url, POINTSMAN_POD="gateway-0"
        ) as both,
    ):
        trace, ticket = secrets.token_hex(16), both.mint.ticket()
        headers = {"traceparent": f"00-{trace}-{CALLERS_SPAN}-01"}
        assert both.knock(ticket, headers=headers).status_code == 200
        assert both.knock(None, headers=headers).status_code == 401
        eventually(lambda: collector.spans(trace))
        spans = collector.spans(trace)
        (root,) = (span for span in spans if span.kind == SERVER)
        (attempt,) = (span for span in spans if span.kind == CLIENT)
        assert (root.parent, attempt.parent) == (CALLERS_SPAN, root.id)
        assert attempt.attributes["pointsman.model"] == "main/a"
        assert collector.resource()["k8s.pod.name"] == "gateway-0"
        assert collector.resource()["service.namespace"] == "ai"
        told = str(spans) + str(collector.resource())
        assert [word for word in (KEY, ticket, both.mint.ticket()) if word in told] == []

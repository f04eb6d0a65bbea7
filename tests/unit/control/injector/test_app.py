"""The webhooks over HTTP: AdmissionReview in and out, and what is an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from pointsman_operator.inject import Namespace
from pointsman_operator.injector import limits
from pointsman_operator.injector.app import Ready, create_app, create_probes
from pointsman_operator.injector.metrics import InjectorMetrics
from pointsman_operator.injector.review import cut
from support.json_patch import apply_patch
from support.pods import SETTINGS, environment, pod, sidecar_of
from support.reviews import patch_of, review


@dataclass
class Known:
    """Facts as told; `fault` stands for a fault of ours."""

    fault: bool = False

    def namespace(self, name: str, injection: str) -> Namespace:
        """Nothing but the label."""
        if self.fault:
            raise RuntimeError("ours")
        return Namespace(name, injection)

    def hub_ca(self) -> str:
        """A bundle."""
        return "the bundle"

    def age_s(self) -> float:
        """Fresh."""
        return 0.5


def client(known: Known | None = None, metrics: InjectorMetrics | None = None) -> httpx.AsyncClient:
    """A client of the app, faults answered as uvicorn answers them."""
    app = create_app(known or Known(), SETTINGS, metrics or InjectorMetrics())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://injector")


@pytest.mark.parametrize(("mode", "injects"), [("enabled", True), ("required", True),
                                               ("labelled", False)])  # fmt: skip
async def test_the_path_says_what_the_namespace_wants(mode: str, *, injects: bool) -> None:
    """The API server has selected by labels; a namespace of a second ago needs no cache."""
    async with client() as http:
        answer = await http.post(f"/mutate/pods/{mode}", json=review(pod()))
    assert answer.json()["response"]["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
    patch = patch_of(answer)
    assert bool(patch) is injects
    if injects:
        container = sidecar_of(apply_patch(pod(), patch))
        assert environment(container)["POINTSMAN_HUB_CA"] == "the bundle"


async def test_a_workloads_annotation_is_copied() -> None:
    """The second webhook answers with one operation."""
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {}}
    annotated = {
        "metadata": {"annotations": {"pointsman.dev/inject": "true"}},
        "spec": {"template": template},
    }
    async with client() as http:
        answer = await http.post("/mutate/workloads", json=review(annotated, {}, kind="Deployment"))
    path = "/spec/template/metadata/labels/pointsman.dev~1inject"
    assert patch_of(answer) == [{"op": "add", "path": path, "value": "true"}]


async def test_warnings_are_few_and_short() -> None:
    """The API server would cut them; we cut them where they still make sense."""
    typos = {f"pointsman.dev/typo-{'x' * 300}-{i}": "1" for i in range(20)}
    async with client() as http:
        answer = await http.post("/mutate/pods/enabled", json=review(pod(annotations=typos)))
    warnings = answer.json()["response"]["warnings"]
    assert len(warnings) == 8
    assert all(len(warning) <= 240 for warning in warnings)
    assert cut("a\nb") == "a b"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        json.dumps({**review(pod()), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps(review("a string")).encode(),
        json.dumps(review(pod(), operation="EAT")).encode(),
    ],
)
async def test_what_is_no_review_is_an_error(body: bytes) -> None:
    """A clear 400, without echo: the failure policy decides about the pod."""
    metrics = InjectorMetrics()
    async with client(metrics=metrics) as http:
        answer = await http.post("/mutate/pods/enabled", content=body)
    assert answer.status_code == 400
    assert "AdmissionReview" in answer.text
    assert metrics.registry.get_sample_value(
        "pointsman_injector_reviews_total", {"webhook": "pods", "outcome": "NotAReview"}
    )


async def test_a_fault_of_ours_is_an_error_that_the_failure_policy_judges() -> None:
    """500: pods of `enabled` namespaces start, those of `required` ones wait; it is counted."""
    metrics = InjectorMetrics()
    async with client(Known(fault=True), metrics) as http:
        answer = await http.post("/mutate/pods/enabled", json=review(pod()))
    assert answer.status_code == 500
    assert "ours" not in answer.text
    assert b'outcome="Fault"' in metrics.page(0)


async def test_bodies_are_bounded() -> None:
    """Unannounced and oversized bodies are refused unread."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    async with client() as http:
        assert (await http.post("/mutate/workloads", content=pieces())).status_code == 411
        large = {"content-length": str(limits.BODY_BYTES_MAX + 1)}
        answer = await http.post("/mutate/workloads", content=b"{}", headers=large)
        assert answer.status_code == 413
        assert (await http.post("/mutate/pods/other", json={})).status_code == 422


async def test_large_bodies_take_turns() -> None:
    """More than fits at once is answered all the same, a few at a time."""
    filler = pod(annotations={"filler": "x" * (limits.BODY_BYTES_MAX - 4096)})
    body = json.dumps(review(filler)).encode()
    assert 8 * len(body) > limits.BODIES_BYTES_MAX
    async with client() as http:
        answers = await asyncio.gather(
            *(http.post("/mutate/pods/enabled", content=body) for _ in range(8))
        )
    assert [answer.status_code for answer in answers] == [200] * 8


async def test_probes_say_what_is_missing() -> None:
    """Not ready without a certificate or first lists, and no more when leaving; metrics show."""
    ready, metrics = Ready(), InjectorMetrics()
    transport = httpx.ASGITransport(create_probes(Known(), metrics, ready))
    async with httpx.AsyncClient(transport=transport, base_url="http://probes") as http:

        async def says() -> tuple[int, str]:
            answer = await http.get("/readyz")
            return answer.status_code, answer.text.strip()

        assert await says() == (503, "waiting for a certificate")
        ready.serving = True
        assert (await says())[0] == 503
        ready.synced()
        assert await says() == (200, "ok")
        ready.leaving = True
        assert await says() == (503, "leaving")
        assert (await http.get("/healthz")).status_code == 200
        page = (await http.get("/metrics")).text
        assert "pointsman_injector_facts_age_seconds 0.5" in page


async def test_an_api_server_that_is_away_does_not_hold_us_up() -> None:
    """Without first lists we are ready after our patience: what is known decides."""
    ready = Ready()
    ready.serving = True
    ready.begin(0)
    assert ready.waits_for() == ""

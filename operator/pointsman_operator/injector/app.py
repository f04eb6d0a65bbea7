"""The webhooks as an ASGI app.

What is wrong with a pod is never an error here. What is wrong with a review, or with us, is an
HTTP error: then the webhook's failure policy decides, which is the choice of the namespace's owner.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal, Protocol

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import ValidationError

from pointsman_operator.inject import Namespace, Settings, inject_pod, label_template
from pointsman_operator.inject.webhooks import PODS, WORKLOADS
from pointsman_operator.injector.bodies import Bodies
from pointsman_operator.injector.metrics import InjectorMetrics
from pointsman_operator.injector.review import Request as Asked
from pointsman_operator.injector.review import Review, answer

OPENMETRICS = "text/plain; version=0.0.4; charset=utf-8"


class Known(Protocol):
    """Where facts about namespaces come from."""

    def namespace(self, name: str, injection: str) -> Namespace:
        """What is known of a namespace now."""
        ...

    def hub_ca(self) -> str:
        """The hub's bundle as of now."""
        ...

    def age_s(self) -> float:
        """How old the oldest of it may be, in seconds."""
        ...


def create_app(known: Known, settings: Settings, metrics: InjectorMetrics) -> FastAPI:
    """The two webhooks over `known`; every pod gets a sidecar as `settings` say."""
    app = FastAPI(title="Pointsman injector", docs_url=None, redoc_url=None, openapi_url=None)
    bodies = Bodies()

    @app.post(PODS + "/{mode}")
    async def pods(
        mode: Literal["enabled", "required", "labelled"], request: Request
    ) -> JSONResponse:
        async with bodies.read(request) as body:
            with metrics.seconds.labels("pods").time():
                asked = _read(body, metrics, "pods")
                injection = "" if mode == "labelled" else mode
                outcome = inject_pod(
                    asked.new or {},
                    known.namespace(asked.namespace, injection),
                    replace(settings, hub_ca=known.hub_ca()),
                )
                metrics.reviews.labels("pods", outcome.decision.reason.value).inc()
                return JSONResponse(answer(asked.uid, outcome.patch, outcome.decision.warnings))

    @app.post(WORKLOADS)
    async def workloads(request: Request) -> JSONResponse:
        async with bodies.read(request) as body:
            with metrics.seconds.labels("workloads").time():
                asked = _read(body, metrics, "workloads")
                outcome = label_template(asked.kind.kind, asked.new or {}, asked.old)
                metrics.reviews.labels("workloads", outcome.outcome).inc()
                return JSONResponse(answer(asked.uid, outcome.patch, outcome.warnings))

    @app.exception_handler(Exception)
    async def fault(_request: Request, _error: Exception) -> JSONResponse:
        # Starlette logs the traceback; the API server shows this sentence to the user.
        metrics.reviews.labels("any", "Fault").inc()
        return JSONResponse({"error": "a fault in Pointsman's injector; its log says more"}, 500)

    return app


def create_probes(known: Known, metrics: InjectorMetrics, ready: Ready) -> FastAPI:
    """Health and metrics, in plain HTTP on a port of their own."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        waits = ready.waits_for()
        return PlainTextResponse(f"{waits or 'ok'}\n", 503 if waits else 200)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.page(known.age_s()), media_type=OPENMETRICS)

    return app


class Ready:
    """Whether reviews may come; the reasons against it in the order in which they pass."""

    def __init__(self) -> None:
        self.serving = False
        self.leaving = False
        self._patient_until = float("inf")
        self._synced = False

    def begin(self, patience_s: float) -> None:
        """The first list has so long; after that what is known decides."""
        self._patient_until = time.monotonic() + patience_s

    def synced(self) -> None:
        """Everything has been listed once."""
        self._synced = True

    def waits_for(self) -> str:
        """What is missing; empty: nothing."""
        if self.leaving:
            return "leaving"
        if not self.serving:
            return "waiting for a certificate"
        if not self._synced and time.monotonic() < self._patient_until:
            return "waiting for the API server's first lists"
        return ""


def _read(body: bytes, metrics: InjectorMetrics, webhook: str) -> Asked:
    try:
        return Review.model_validate_json(body).request
    except ValidationError as error:
        metrics.reviews.labels(webhook, "NotAReview").inc()
        where = [".".join(map(str, it["loc"])) or "body" for it in error.errors()[:5]]
        raise HTTPException(400, f"not an AdmissionReview v1: {', '.join(where)}") from error

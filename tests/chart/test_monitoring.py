"""Dashboard and alerts name metrics that are exported: judged by a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.binaries import UnavailableError
from harness.fixtures import unavailable
from support.charts import CHART
from support.engines import Engine
from support.eventually import eventually
from support.free_port import free_port
from support.limited_world import limited
from support.line import asked
from support.models_world import model_figures
from support.money_world import CENT, MoneyWorld, a_budget, money_world
from support.processes import Process, ended

pytestmark = pytest.mark.timeout(180)

DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
RULES = CHART / "files" / "rules.json"
QUERIES = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
]
VARIABLES = {"$namespace": ".*", "$model": ".*", "$provider": ".*", "$__rate_interval": "1m"}
NOT_THERE = {"type": "SelfHosted", "label": "self-hosted", "endpoints": "Pods"}
"""A self-hosted model that nobody runs: its calls overflow."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For everything of this file."""
    return tmp_path_factory.mktemp("monitoring")


@pytest.fixture(scope="module")
def prometheus(folder: Path) -> Iterator[httpx.Client]:
    """Prometheus, scraping a hub and a sidecar that has answered, failed over and refused."""
    if shutil.which("prometheus") is None:
        unavailable(UnavailableError("no prometheus: apt-get install prometheus"))
    with money_world(folder) as world:
        names, pods = ("pods", "gpt", "cheap"), {"provider": NOT_THERE}
        world.put(a_budget(10 * CENT), names=names, pods=pods, **limited(requestsPerMinute=6_000))
        sidecar = world.start_sidecar()
        # A hub outside a cluster finds no engines: the figures are those of one that does.
        figures = Engine("127.0.0.1")
        figures.page = asyncio.run(model_figures(folder))
        targets = {"demo": sidecar.admin_url, "pointsman-system": world.hub.url}
        targets["models"] = figures.url
        with ended(_started(folder, targets)) as _, httpx.Client(base_url=_url(folder)) as client:
            eventually(lambda: _scraped(client) == 3, 30)
            _traffic(world)
            eventually(lambda: _value(client, "sum(rate(pointsman_requests_total[1m]))") > 0, 30)
            _traffic(world)
            yield client
        figures.stop()


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_every_panel_shows_something(prometheus: httpx.Client, title: str, query: str) -> None:
    """After calls, a failover, a refusal and a sync no query of the dashboard is empty."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    eventually(lambda: not math.isnan(_value(prometheus, query)), 20)
    assert title


def test_every_variable_has_values(prometheus: httpx.Client) -> None:
    """The choices above the dashboard: namespace, model, provider."""
    for variable in DASHBOARD["templating"]["list"][1:]:
        metric, label = variable["query"]["query"].removeprefix("label_values(")[:-1].split(", ")
        answer = prometheus.get(f"/api/v1/label/{label}/values", params={"match[]": metric})
        assert answer.json()["data"], variable["name"]


def test_alerts_are_valid_and_name_metrics_that_exist(
    prometheus: httpx.Client, folder: Path
) -> None:
    """Promtool takes the rules; each metric of hub and sidecar in them is there."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(json.loads(RULES.read_text())))
    subprocess.run(["promtool", "check", "rules", str(path)], check=True, capture_output=True)
    known = set(prometheus.get("/api/v1/label/__name__/values").json()["data"])
    for rule in json.loads(RULES.read_text())["groups"][0]["rules"]:
        words = rule["expr"].replace("(", " ").replace("{", " ").replace("[", " ").replace(")", " ")
        named = {word for word in words.split() if word.startswith("pointsman_")}
        assert named
        assert {name for name in named if not name.startswith("pointsman_controller_")} <= known


def _traffic(world: MoneyWorld) -> None:
    """Plain and streamed calls, a failing provider, one call that no Budget pays."""
    (sidecar,) = world.sidecars.values()
    failing = world.scripted({"status": 503})
    with httpx.Client(base_url=f"{sidecar.url}/v1", timeout=30) as app:
        for _ in range(5):
            assert app.post("/chat/completions", json=asked()).status_code == 200
            assert app.post("/chat/completions", json=asked(stream=True)).status_code == 200
        app.post("/chat/completions", json=asked(), headers={"user-agent": failing})
        dear = asked(max_completion_tokens=10**6)
        assert app.post("/chat/completions", json=dear).status_code >= 400
        assert app.post("/chat/completions", content=b"{").status_code == 400


def _started(folder: Path, targets: dict[str, str]) -> Process:
    jobs = [
        {
            "job_name": namespace,
            "static_configs": [
                {"targets": [url.removeprefix("http://")], "labels": {"namespace": namespace}}
            ],
        }
        for namespace, url in targets.items()
    ]
    document = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(document))
    (folder / "port").write_text(str(free_port()))
    options = [
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={_url(folder).removeprefix('http://')}",
    ]
    return Process(["/usr/bin/prometheus", *options], folder / "prometheus.log")


def _url(folder: Path) -> str:
    return f"http://127.0.0.1:{(folder / 'port').read_text()}"


def _scraped(client: httpx.Client) -> int:
    try:
        answer = client.get("/api/v1/query", params={"query": "sum(up)"})
    except httpx.TransportError:
        return 0
    found = answer.json()["data"]["result"] if answer.is_success else []
    return int(found[0]["value"][1]) if found else 0


def _value(client: httpx.Client, query: str) -> float:
    """The largest of a query's values; NaN where there is none."""
    answer: dict[str, Any] = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    values = [float(each["value"][1]) for each in answer["data"]["result"]]
    return max((value for value in values if not math.isnan(value)), default=math.nan)

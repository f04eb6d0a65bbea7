"""One document for every rule beyond types that breaks this rule: `ROWS`.

Read by the unit tests of models and CEL, and by those that ask a real API server.
"""

from __future__ import annotations

from typing import Any

from support import resources as make

SUBJECT: dict[str, Any] = {"header": {"name": "Authorization"}}
QUALITY: dict[str, Any] = {"strategy": "Quality", "quality": {"target": 90}}


def _hosted(**provider: Any) -> dict[str, Any]:
    return make.hosted(provider={"type": "OpenAI", "model": "gpt-4o", **provider})


def _candidates(strategy: str, *candidates: dict[str, Any], **route: Any) -> dict[str, Any]:
    return {"name": "r", "route": {"strategy": strategy, "candidates": list(candidates), **route}}


A, B = {"model": "main/a"}, {"model": "main/b"}
SECRET = {"secretRef": {"name": "k", "key": "k"}}
BEDROCK = {"type": "Bedrock", "region": "eu-central-1"}
STEP = {"percent": 80, "action": "Downgrade", "maxTier": 1}
URL: dict[str, Any] = {"url": "http://127.0.0.1:9/v1"}
SERVICE: dict[str, Any] = {"service": {"name": "s", "port": 80}}
ROWS: list[tuple[str, dict[str, Any]]] = [
    (
        "at most one of selector and gateway",
        make.policy(target={"selector": {"matchLabels": {"a": "b"}}, "gateway": {}}),
    ),
    (
        "at most one of header and key",
        make.budget(subject={"header": {"name": "x-team"}, "key": {"names": ["ci"]}}),
    ),
    ("OpenAICompatible needs baseURL", make.pool(_hosted(type="OpenAICompatible"))),
    ("sent over https only", make.pool(_hosted(baseURL="http://a/v1", credential=SECRET))),
    ("a cloud's metadata", make.pool(_hosted(baseURL="http://169.254.169.254/latest"))),
    ("a cloud's metadata", make.pool(_hosted(baseURL="https://METADATA.google.internal/v1"))),
    ("a cloud's metadata", make.pool(_hosted(baseURL="http://[fd00:ec2::254]/v1"))),
    (
        "OpenAICompatible needs baseURL",
        make.pool(_hosted(type="OpenAICompatible", profile="VLLM")),
    ),
    ("profile belongs to type OpenAICompatible", make.pool(_hosted(profile="Groq"))),
    ("streamEnd belongs to type OpenAICompatible", make.pool(_hosted(streamEnd="Eof"))),
    (
        "sent over https only",
        make.pool(_hosted(type="OpenAICompatible", profile="Ollama", credential=SECRET)),
    ),
    (
        "workloadIdentity belongs to types",
        make.pool(_hosted(credential={"workloadIdentity": {}})),
    ),
    (
        "exactly one of secretRef and workloadIdentity",
        make.pool(_hosted(**BEDROCK, credential={**SECRET, "workloadIdentity": {}})),
    ),
    ("exactly one of secretRef and workloadIdentity", make.pool(_hosted(credential={}))),
    ("needs exactly one of resource and baseURL", make.pool(_hosted(type="AzureOpenAI"))),
    (
        "needs exactly one of resource and baseURL",
        make.pool(_hosted(type="AzureOpenAI", resource="r", baseURL="https://a/openai/v1")),
    ),
    ("belong to type AzureOpenAI", make.pool(_hosted(deployment="d"))),
    ("Vertex needs region", make.pool(_hosted(type="Vertex", region="us-central1"))),
    ("Vertex needs region", make.pool(_hosted(type="Vertex", project="p"))),
    ("project belongs to type Vertex", make.pool(_hosted(type="Gemini", project="p"))),
    ("take a model's id alone", make.pool(_hosted(type="Gemini", model="models/gemini-pro"))),
    ("Bedrock takes a model id", make.pool(_hosted(**{**BEDROCK, "model": "a b"}))),
    ("Bedrock needs region", make.pool(_hosted(type="Bedrock"))),
    (
        "Bedrock needs region",
        make.pool(_hosted(**BEDROCK | {"model": "arn:aws:bedrock:us-east-1::foundation-model/x"})),
    ),
    ("exactly one of provider and selfHosted", make.pool({"name": "m"})),
    (
        "at most one of pricing and selfHosted.cost",
        make.pool(make.self_hosted(pricing={"inputPerMTok": "1", "outputPerMTok": "1"})),
    ),
    (
        "maxOutputTokens must not be above contextWindow",
        make.pool(make.hosted(contextWindow=10, maxOutputTokens=11)),
    ),
    (
        "pricing.media.unit needs what is counted in capabilities",
        make.pool(
            make.hosted(
                capabilities=["chat"],
                pricing={
                    "inputPerMTok": "0",
                    "outputPerMTok": "0",
                    "media": {"unit": {"per": "Minute", "price": "0.006"}},
                },
            )
        ),
    ),
    (
        "at least one of requestsPerMinute, tokensPerMinute and maxInFlight",
        make.pool(make.hosted(limits={})),
    ),
    ("names belongs to from: Names", make.pool(allowedNamespaces={"from": "Names"})),
    ("names belongs to from: Names", make.pool(allowedNamespaces={"names": ["a"]})),
    (
        "an alias belongs to one model",
        make.pool(make.hosted("a", aliases=["x"]), make.hosted("b", aliases=["x"])),
    ),
    (
        "must be >= 0 and at most 1000000 USD",
        make.pool(make.hosted(pricing={"inputPerMTok": "1000001", "outputPerMTok": "1"})),
    ),
    (
        "must be > 0 and at most 10000 USD",
        make.pool(
            {
                **make.self_hosted(),
                "selfHosted": {
                    **make.self_hosted()["selfHosted"],
                    "cost": {"gpuHour": "0", "tokensPerSecond": 1},
                },
            }
        ),
    ),
    ("exactly one of url, service and podSelector", make.pool(make.own("m", {}))),
    ("exactly one of url, service and podSelector", make.pool(make.own("m", {**URL, **SERVICE}))),
    ("saturation needs endpoints.service", make.pool(make.own("m", URL, saturation={}))),
    (
        "saturation.maxKVCachePercent acts with engines",
        make.pool(make.own("m", SERVICE, engine="TGI", saturation={"maxKVCachePercent": 5})),
    ),
    (
        "with engine Custom no metrics are read",
        make.pool(make.own("m", SERVICE, engine="Custom", saturation={"maxQueue": 5})),
    ),
    (
        "tokensPerSecond belongs to amortise: Usage",
        make.pool(make.own("m", URL, cost={"gpuHour": "1"})),
    ),
    (
        "must be between 10ms and 10m",
        make.pool(make.own("m", SERVICE, saturation={"maxFirstToken": "11m"})),
    ),
    (
        "must be between 1s and 5m",
        make.pool(make.own("m", SERVICE, saturation={"metricsStaleAfter": "10ms"})),
    ),
    (
        "weight acts with strategy Weighted only",
        make.policy(_candidates("Failover", {**A, "weight": 2})),
    ),
    ("with a weight above 0", make.policy(_candidates("Weighted", {**A, "weight": 0}))),
    (
        "priority acts with strategy Failover only",
        make.policy(_candidates("Weighted", {**A, "priority": 1})),
    ),
    ("quality.target belongs to strategy Quality", make.policy(_candidates("Quality", A, B))),
    (
        "quality.target belongs to strategy Quality",
        make.policy(_candidates("Cheapest", A, quality={"target": 90})),
    ),
    (
        "quality acts with strategies Quality and Cheapest only",
        make.policy(_candidates("Failover", A, quality={"floor": 50})),
    ),
    (
        "firstToken must not be above total",
        make.policy(_candidates("Failover", A, timeouts={"firstToken": "2m", "total": "1m"})),
    ),
    (
        "at least one of tokens and ms",
        make.policy(_candidates("Failover", A, holdBack={})),
    ),
    (
        "must be between 10ms and 1h",
        make.policy(_candidates("Failover", A, timeouts={"streamIdle": "2h"})),
    ),
    (
        "must be between 10ms and 24h",
        make.policy(_candidates("Failover", A, timeouts={"total": "25h"})),
    ),
    ("at least one of min and max", make.policy(signals=[{"name": "long", "tokens": {}}])),
    (
        "min must not be above max",
        make.policy(signals=[{"name": "long", "tokens": {"min": 2, "max": 1}}]),
    ),
    ("exactly one of detector", make.policy(signals=[{"name": "x"}])),
    (
        "exactly one of detector",
        make.policy(signals=[{"name": "x", "task": "code", "detector": "PII"}]),
    ),
    (
        "a header that carries a secret",
        make.policy(signals=[{"name": "x", "header": {"name": "Cookie"}}]),
    ),
    ("route belongs to action: Route", make.policy(default={"action": "Route"})),
    ("spec.signals does not define", make.policy({**make.rule(), "when": {"noneOf": ["nope"]}})),
    ("a header that carries a secret", make.budget(subject=SUBJECT)),
    ("must be > 0 and at most 9000000 USD", make.budget(amount="0.0")),
    ("must be > 0 and at most 9000000 USD", make.budget(amount="9000000.1")),
    (
        "maxTier belongs to action: Downgrade",
        make.budget(thresholds=[{"percent": 1, "action": "Downgrade"}]),
    ),
    (
        "maxTier belongs to action: Downgrade",
        make.budget(thresholds=[{"percent": 1, "action": "Block", "maxTier": 1}]),
    ),
    ("must be between 1m and 24h", make.budget(enforcement={"outageHorizon": "30s"})),
    (
        "percentages of thresholds must differ",
        make.budget(thresholds=[STEP, {"percent": 80, "action": "Notify"}]),
    ),
    (
        "a later Downgrade must not raise maxTier",
        make.budget(thresholds=[STEP, {"percent": 90, "action": "Downgrade", "maxTier": 2}]),
    ),
]
"""(part of the message, document)."""

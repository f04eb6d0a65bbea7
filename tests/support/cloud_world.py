"""A sidecar whose models are at clouds: one simulator plays the models and the token endpoints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.line import LIMITS, Line
from support.processes import Sidecar, Simulator, ended
from support.tables import model, route, table
from support.tree import ROOT

REGION = "eu-central-1"
KEYS = {"accessKey": "AKIDEXAMPLE", "secretKey": "wJalr/canary+secret"}
TEMPORARY = {
    "accessKey": "ASIDEXAMPLE",
    "secretKey": "temporary/canary+secret",
    "sessionToken": "canary/token+=",
}
ROLE, WEB_TOKEN = "arn:aws:iam::123456789012:role/router", "canary.web.token"
AGENT_TOKEN = "canary-agent-token"
SUBJECT_TOKEN = "canary.subject.token"
ENTRA = {
    "tenant": "acme.onmicrosoft.com",
    "client": "11111111-2222-3333-4444-555555555555",
    "secret": "canary~entra.secret",
    "assertion": "canary.federated.token",
}
ACCOUNT = ROOT / "sidecar" / "engine" / "core" / "tests" / "google"
EMAIL = "router@pointsman-test.iam.gserviceaccount.com"

PATHS = {
    "Bedrock": "",
    "Vertex": "/v1/projects/p/locations/l/publishers/google",
    "AzureOpenAI": "/openai/v1",
    "OpenAICompatible": "/v1",
}

Secrets = Mapping[str, Mapping[str, str]]


def identity(**changes: Any) -> dict[str, Any]:
    """Whom the simulator knows, at every cloud."""
    return {
        "aws": {
            "region": REGION,
            "keys": [KEYS, TEMPORARY],
            "roles": {ROLE: WEB_TOKEN},
            "agentToken": AGENT_TOKEN,
        },
        "google": {
            "accounts": {EMAIL: (ACCOUNT / "public_key.der.b64").read_text().strip()},
            "subjectToken": SUBJECT_TOKEN,
        },
        "entra": ENTRA,
        **changes,
    }


def account(url: str, **changes: Any) -> str:
    """The service account's JSON, whose token endpoint is the simulator."""
    document = json.loads((ACCOUNT / "service_account.json").read_text())
    return json.dumps({**document, "token_uri": f"{url}/token", **changes})


def at(kind: str, name: str, url: str, credential: Mapping[str, Any] | None) -> dict[str, Any]:
    """A model of this type at the simulator."""
    provider: dict[str, Any] = {
        "type": kind,
        "baseURL": url + PATHS[kind],
        "allowedHosts": ["127.0.0.1"],
        "capField": "maxTokens" if kind == "Bedrock" else "max_completion_tokens",
        "streamEnd": "Done" if kind in {"AzureOpenAI", "OpenAICompatible"} else "Eof",
    }
    if credential is not None:
        provider["credential"] = dict(credential)
    if kind == "Bedrock":
        provider["region"] = REGION
    return model(name, url, provider=provider)


def of_secret(secret: str, key: str = "key") -> dict[str, Any]:
    """An entry of a Secret."""
    return {"secret": secret, "key": key}


def failing_over(models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A table whose call by `NAME-or-open` falls back to the model `open`."""
    names = [entry["name"].removeprefix("main/") for entry in models]
    rules = [
        {
            "name": f"{name}-or-open",
            "when": {"models": [f"{name}-or-open"]},
            "route": route(name, "open"),
        }
        for name in names
        if name != "open"
    ]
    return table(list(models), rules, minReader=4)


@contextmanager
def clouds(
    folder: Path,
    build: Callable[[str], Sequence[dict[str, Any]]],
    secrets: Callable[[str], Secrets] = lambda _url: {},
    variables: Callable[[str], Mapping[str, str]] = lambda _url: {},
    **changes: Any,
) -> Iterator[Line]:
    """Start the simulator, then a sidecar with these models, Secrets and variables."""
    with ExitStack() as stack:
        known = identity(**changes)
        provider = Simulator(folder, "a", capture=str(folder / "a.capture"), identity=known)
        stack.enter_context(ended(provider))
        made = Line(folder, {"a": provider})
        for secret, entries in secrets(provider.url).items():
            home = folder / "secrets" / secret
            home.mkdir(parents=True)
            for name, text in entries.items():
                (home / name).write_text(text)
        models = [at("OpenAICompatible", "open", provider.url, None), *build(provider.url)]
        made.sidecar = Sidecar(folder, failing_over(models), **variables(provider.url))
        stack.enter_context(ended(made.sidecar))
        client = httpx.Client(base_url=made.sidecar.url, limits=LIMITS, timeout=30)
        made.http = stack.enter_context(client)
        yield made


def serving(made: Line, name: str) -> str:
    """The model that answered a call for `NAME-or-open`, without its pool."""
    answer = made.chat(model=f"{name}-or-open")
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.headers["x-pointsman-model"].removeprefix("main/")


def told(made: Line, name: str) -> str:
    """What the engine says of a credential."""
    return str(made.sidecar.state()["credentials"][name])

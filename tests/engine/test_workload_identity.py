"""Pods' own identities, and tokens over time: renewed, revoked, refused, out of reach."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import cloud_world as cloud
from support.cloud_world import at, clouds, of_secret, serving, told
from support.eventually import eventually
from support.line import Line

WORKLOAD = {"workload": True}
FRESH_S = 2.2
"""A token that is refused younger than this is not replaced (`TOKEN_FRESH_MS`)."""
NAMES = {"Bedrock": "aws", "Vertex": "google", "AzureOpenAI": "azure"}


def every_cloud(url: str) -> list[dict[str, Any]]:
    """A model of each type that knows workloads."""
    return [at(kind, name, url, WORKLOAD) for kind, name in NAMES.items()]


def webhooks(folder: Path) -> Callable[[str], Mapping[str, str]]:
    """What the clouds' webhooks put into pods, their files included."""

    def variables(url: str) -> Mapping[str, str]:
        (folder / "web").write_text(cloud.WEB_TOKEN + "\n")
        (folder / "federated").write_text(cloud.ENTRA["assertion"])
        return {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "web"),
            "AWS_ROLE_ARN": cloud.ROLE,
            "AWS_REGION": cloud.REGION,
            "AWS_ENDPOINT_URL_STS": url,
            "AZURE_FEDERATED_TOKEN_FILE": str(folder / "federated"),
            "AZURE_TENANT_ID": cloud.ENTRA["tenant"],
            "AZURE_CLIENT_ID": cloud.ENTRA["client"],
            "AZURE_AUTHORITY_HOST": f"{url}/",
            "GCE_METADATA_HOST": url.removeprefix("http://"),
        }

    return variables


def agents(folder: Path) -> Callable[[str], Mapping[str, str]]:
    """EKS Pod Identity's agent, and a federation of Google's with a token in a file."""

    def variables(url: str) -> Mapping[str, str]:
        (folder / "agent").write_text(cloud.AGENT_TOKEN)
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "agent"),
        }

    return variables


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """All clouds, with tokens that last for eight seconds."""
    folder = tmp_path_factory.mktemp("workloads")
    with clouds(folder, every_cloud, variables=webhooks(folder), tokenS=8) as made:
        yield made


def given(made: Line) -> int:
    """How many tokens were asked for."""
    asked = [it.head["path"] for it in made.captured("a")]
    return sum(not any(part in path for part in ("/model", "/chat")) for path in asked)


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_a_pods_own_identity_is_enough(short: Line, name: str) -> None:
    """STS, the metadata server and Entra give what the provider takes; no Secret is involved."""
    assert serving(short, name) == name
    assert told(short, f"workload-identity/{name}") == "ok"


def test_tokens_are_renewed_before_their_end_and_calls_do_not_notice(short: Line) -> None:
    """Over several lives no call falls back."""
    before = given(short)

    def all_serve() -> bool:
        for name in NAMES.values():
            assert serving(short, name) == name
        return given(short) >= before + 2 * len(NAMES)

    eventually(all_serve, within_s=60)


def at_once(made: Line, name: str) -> list[httpx.Response]:
    """A hundred calls that overlap."""
    with ThreadPoolExecutor(100) as callers:
        return list(callers.map(lambda _: made.chat(model=name), range(100)))


def test_row_7_a_revoked_token_costs_no_call_and_a_revoked_identity_one_renewal(
    tmp_path: Path,
) -> None:
    """A hundred calls that meet the refusal share one new token; a refused one of those rests."""
    with clouds(tmp_path, every_cloud, variables=webhooks(tmp_path)) as made:
        for name in NAMES.values():
            assert serving(made, name) == name
        time.sleep(FRESH_S)
        httpx.post(f"{made.providers['a'].control}/_sim/revoke").raise_for_status()
        for name in ("aws", "google"):
            before, asked = given(made), len(made.captured("a"))
            answers = at_once(made, name)
            assert {it.status_code for it in answers} == {200}, answers
            assert given(made) == before + 1
            assert len(made.captured("a")) - asked - 1 > len(answers), "some were refused first"
            assert told(made, f"workload-identity/{name}") == "ok"
        refusal = {"status": 401, "body": '{"error":{"code":"401","message":"Unauthorized."}}'}
        made.script("a", refusal, path="/openai/v1/chat/completions")
        before = given(made)
        answers = at_once(made, "azure-or-open")
        assert {it.headers["x-pointsman-model"] for it in answers} == {"main/open"}
        assert told(made, "workload-identity/azure") == "refused"
        time.sleep(1)
        assert serving(made, "azure") == "open"
        assert given(made) == before + 1, "a token that took a refused one's place is not replaced"


def test_the_agent_on_the_node_gives_keys(tmp_path: Path) -> None:
    """EKS Pod Identity; clouds that put nothing into the pod are told as such."""
    build = every_cloud
    with clouds(tmp_path, build, variables=agents(tmp_path)) as made:
        assert serving(made, "aws") == "aws"
        assert serving(made, "azure") == "open"
        assert told(made, "workload-identity/azure") == "no_identity"


def test_another_providers_token_is_exchanged_at_google(tmp_path: Path) -> None:
    """A federation's document in a Secret, its token in a file."""
    subject = tmp_path / "subject.json"
    subject.write_text(json.dumps({"id_token": cloud.SUBJECT_TOKEN}))

    def secrets(url: str) -> cloud.Secrets:
        source = {"file": str(subject), "format": {"subject_token_field_name": "id_token"}}
        document = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{url}/v1/token",
            "credential_source": source,
        }
        return {"federation": {"key": json.dumps(document), "allowed-hosts": "127.0.0.1"}}

    def build(url: str) -> list[dict[str, Any]]:
        return [at("Vertex", "federation", url, of_secret("federation"))]

    with clouds(tmp_path, build, secrets) as made:
        assert serving(made, "federation") == "federation"


def test_while_no_token_can_be_had_calls_go_elsewhere(tmp_path: Path) -> None:
    """The endpoint is down, then refuses, then gives: fallback until the primary is back."""
    subject = webhooks(tmp_path)
    name = "workload-identity/azure"
    path = f"/{cloud.ENTRA['tenant']}/oauth2/v2.0/token"

    def build(url: str) -> list[dict[str, Any]]:
        return [at("AzureOpenAI", "azure", url, WORKLOAD)]

    with clouds(tmp_path, build, variables=subject, tokenS=8) as made:
        made.script("a", {"status": 503}, path=path)
        eventually(lambda: told(made, name) == "token_unreachable", within_s=30)
        assert serving(made, "azure") == "open"
        answer = made.chat(model="azure")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_credential")
        made.script("a")
        (tmp_path / "federated").write_text("another.token")
        eventually(lambda: told(made, name) == "token_refused: AADSTS7000215", within_s=30)
        assert serving(made, "azure") == "open"
        (tmp_path / "federated").write_text(cloud.ENTRA["assertion"])
        eventually(lambda: serving(made, "azure") == "azure", within_s=60)
        assert told(made, name) == "ok"


def test_a_clock_that_is_off_is_reckoned_with_and_told(tmp_path: Path) -> None:
    """Ten minutes apart: the first signature is refused, the next is made for their clock."""

    def secrets(url: str) -> cloud.Secrets:
        keys = {"AccessKeyId": cloud.KEYS["accessKey"], "SecretAccessKey": cloud.KEYS["secretKey"]}
        google = {"key": cloud.account(url), "allowed-hosts": "127.0.0.1"}
        return {"aws": {"key": json.dumps(keys)}, "google": google}

    def build(url: str) -> list[dict[str, Any]]:
        bedrock = at("Bedrock", "aws", url, of_secret("aws"))
        return [bedrock, at("Vertex", "google", url, of_secret("google"))]

    with clouds(tmp_path, build, secrets, clockAheadS=600) as made:
        assert serving(made, "google") == "google"
        assert serving(made, "aws") == "open"
        eventually(lambda: serving(made, "aws") == "aws")
        assert told(made, "aws/key") == "clock_off"

"""Credentials of Secrets that are computed: signatures for AWS, tokens of Google and Entra.

The simulator judges every one by itself, and refuses what is wrong in the cloud's own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import cloud_world as cloud
from support.cloud_world import Secrets, at, clouds, of_secret, serving, told
from support.eventually import eventually
from support.line import Captured, Line

HERE = {"allowed-hosts": "127.0.0.1"}
FILE = """[other]
aws_access_key_id = AKIDOTHER
aws_secret_access_key = nothing
[default]
aws_access_key_id = {accessKey}
aws_secret_access_key = {secretKey}
"""


def secrets(url: str) -> Secrets:
    """Each cloud's credentials as its tools write them, good and bad."""
    long, short, entra = cloud.KEYS, cloud.TEMPORARY, cloud.ENTRA
    wrong = {**entra, "secret": "canary~wrong"}
    sts = {"AccessKeyId": short["accessKey"], "SecretAccessKey": short["secretKey"]}
    return {
        "entries": {
            "AWS_ACCESS_KEY_ID": long["accessKey"],
            "AWS_SECRET_ACCESS_KEY": long["secretKey"],
        },
        "file": {"key": FILE.format(**long)},
        "sts": {"key": json.dumps({"Credentials": sts | {"SessionToken": short["sessionToken"]}})},
        "bearer": {"key": "bedrock-api-key"},
        "no-token": {"key": json.dumps(sts)},
        "wrong-secret": {"key": FILE.format(accessKey=long["accessKey"], secretKey="wrong")},
        "half": {"key": f"aws_access_key_id={long['accessKey']}"},
        "google": {"key": cloud.account(url), **HERE},
        "google-elsewhere": {"key": cloud.account(url)},
        "google-unknown": {"key": cloud.account(url, client_email="who@example.org"), **HERE},
        "google-broken": {"key": cloud.account(url, private_key="-----BEGIN"), **HERE},
        "azure-key": {"key": "0123456789abcdef"},
        "azure-entra": {"key": application(url, entra), **HERE},
        "azure-wrong": {"key": application(url, wrong), **HERE},
    }


def application(url: str, entra: dict[str, str]) -> str:
    """As `az ad sp create-for-rbac` prints it, in a cloud of its own."""
    named = {"appId": entra["client"], "password": entra["secret"], "tenant": entra["tenant"]}
    return json.dumps({**named, "authority": url})


def build(url: str) -> list[dict[str, Any]]:
    """A model for each Secret."""
    made = []
    for secret in secrets(url):
        kind = {"google": "Vertex", "azure": "AzureOpenAI"}.get(secret.split("-")[0], "Bedrock")
        key = "AWS_ACCESS_KEY_ID" if secret == "entries" else "key"
        made.append(at(kind, secret, url, of_secret(secret, key)))
    return made


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One sidecar with all of them."""
    with clouds(tmp_path_factory.mktemp("clouds"), build, secrets) as made:
        yield made


def signed_again(captured: Captured, keys: dict[str, str]) -> str:
    """Botocore's signature over what arrived."""
    shown = captured.headers
    stamp = shown["x-amz-date"]
    given = {"Content-Type": shown["content-type"], "x-amz-date": stamp}
    token = keys.get("sessionToken")
    if token:
        given["x-amz-security-token"] = token
    pair = Credentials(keys["accessKey"], keys["secretKey"], token)
    auth = SigV4Auth(pair, "bedrock", cloud.REGION)
    url = f"http://{shown['host']}{captured.head['path']}"
    request = AWSRequest("POST", url, headers=given, data=captured.body)
    request.context["timestamp"] = stamp
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return str(auth.signature(text, request))


@pytest.mark.parametrize(
    ("name", "keys"), [("entries", cloud.KEYS), ("file", cloud.KEYS), ("sts", cloud.TEMPORARY)]
)
@pytest.mark.parametrize("text", ["Say hello.", "Gr\u00fc\u00dfe: " + "long \u2603 " * 4_000])
def test_bedrock_takes_our_signature_and_botocore_makes_the_same(
    line: Line, name: str, keys: dict[str, str], text: str
) -> None:
    """Plain and streamed, short and long: the simulator accepts it, botocore recomputes it."""
    before = len(line.captured("a"))
    answer = line.chat(model=name, text=text)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert line.stream(model=name, text=text).done
    # Beside these calls, tokens are asked for again and again that nobody gets.
    calls = [it for it in line.captured("a")[before:] if it.head["path"].startswith("/model/")]
    assert [it.head["path"].rpartition("/")[2] for it in calls] == ["converse", "converse-stream"]
    for captured in calls:
        shown = captured.headers["authorization"]
        assert shown.rpartition("Signature=")[2] == signed_again(captured, keys)
    assert told(line, f"{name}/{'AWS_ACCESS_KEY_ID' if name == 'entries' else 'key'}") == "ok"


def test_a_bedrock_api_key_is_sent_as_it_is(line: Line) -> None:
    """What is no pair of keys is a bearer."""
    assert serving(line, "bearer") == "bearer"
    shown = [it.headers.get("authorization") for it in line.captured("a")]
    assert "Bearer bedrock-api-key" in shown


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("wrong-secret", "refused"),
        ("no-token", "refused"),
        ("half", "malformed"),
        ("google-broken", "malformed"),
        ("google-elsewhere", "host_not_allowed"),
        ("google-unknown", "token_refused: invalid_grant"),
        ("azure-wrong", "token_refused: AADSTS7000215"),
    ],
)
def test_a_bad_credential_falls_back_and_is_told(line: Line, name: str, state: str) -> None:
    """The next candidate answers, and the engine says what is wrong, never with what."""
    assert serving(line, name) == "open"
    eventually(lambda: told(line, f"{name}/key") == state)
    shown = json.dumps(line.sidecar.state())
    assert "canary" not in shown
    assert "PRIVATE" not in shown


def test_a_service_accounts_token_is_fetched_once_and_used_by_all_calls(line: Line) -> None:
    """Google's judge takes the assertion; calls share the token."""
    for _ in range(3):
        assert serving(line, "google") == "google"
    assert line.stream(model="google").done
    asked = [it for it in line.captured("a") if it.head["path"] == "/token"]
    own = [it for it in asked if b"assertion=" in it.body]
    assert own
    used = [it.headers.get("authorization", "") for it in line.captured("a")]
    assert len({token for token in used if token.startswith("Bearer sim.google.")}) == 1


def test_entras_token_is_a_bearer(line: Line) -> None:
    """An application's secret is exchanged; Azure's judge takes the token."""
    assert serving(line, "azure-entra") == "azure-entra"
    assert told(line, "azure-entra/key") == "ok"


def test_a_resources_key_is_no_token(line: Line) -> None:
    """Azure's own key goes into its own header."""
    assert serving(line, "azure-key") == "azure-key"
    assert "0123456789abcdef" in [it.headers.get("api-key") for it in line.captured("a")]


def test_a_rotated_pair_signs_the_next_calls(line: Line, tmp_path: Path) -> None:
    """The wrong secret is replaced: the rest ends within a second or two, with no restart."""
    path = line.folder / "secrets" / "wrong-secret" / "key"
    fresh = tmp_path / "key"
    fresh.write_text(FILE.format(**cloud.KEYS))
    fresh.replace(path)
    eventually(lambda: serving(line, "wrong-secret") == "wrong-secret")

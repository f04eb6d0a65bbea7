"""Requests to Bedrock, signed by the engine as botocore signs them.

`sidecar/engine/core/tests/sign_golden.rs` reads the same cases; `--update` signs them anew.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

FILE = Path(__file__).parent / "cases.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text())


def target(case: dict[str, Any]) -> str:
    """The path of a call to a model, encoded as botocore encodes it."""
    return f"/model/{percent_encode(case['model'], safe='-._~')}/{case['call']}"


def headers(case: dict[str, Any]) -> dict[str, str]:
    """What botocore adds to the request."""
    token = case.get("sessionToken")
    auth = SigV4Auth(
        Credentials(case["accessKey"], case["secretKey"], token), "bedrock", case["region"]
    )
    stamp = datetime.fromtimestamp(case["nowS"], tz=UTC).strftime(SIGV4_TIMESTAMP)
    added = {"x-amz-date": stamp} | ({"x-amz-security-token": token} if token else {})
    request = AWSRequest(
        "POST",
        f"https://{case['host']}{target(case)}",
        headers={"Content-Type": case["contentType"]} | added,
        data="".join(case["body"]).encode(),
    )
    request.context["timestamp"] = stamp
    signature = auth.signature(
        auth.string_to_sign(request, auth.canonical_request(request)), request
    )
    names = auth.signed_headers(auth.headers_to_sign(request))
    scope = f"Credential={auth.scope(request)}"
    authorization = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders={names}, Signature={signature}"
    return added | {"authorization": authorization}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_botocore_signs_so(case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Path and headers of the case are botocore's."""
    if request.config.getoption("--update"):
        case["target"], case["headers"] = target(case), headers(case)
        FILE.write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n")
    assert case["target"] == target(case)
    assert case["headers"] == headers(case)


def test_a_signature_hangs_on_every_part() -> None:
    """The cases differ in model, call, body, token, region, host and time, and so in signature."""
    signatures = {case["headers"]["authorization"] for case in CASES}
    assert len(signatures) == len(CASES)

"""`python -m pointsman_operator trial`: does this installation work? Run by `helm test`.

Asks the hub for its health, then the API server to create a pod in dry run, and looks whether it
came back with a router. Nothing is left behind. Exit codes: 0 it works, 1 it does not.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx

from pointsman_operator.inject import names
from pointsman_operator.injector import limits
from pointsman_operator.kube.connection import Connection, NoConnectionError, connect

PREFIX = "POINTSMAN_TRIAL_"


def main() -> int:
    """Try, and say what came of it."""
    try:
        said = asyncio.run(
            attempt(
                connect(None),
                namespace=os.environ[f"{PREFIX}NAMESPACE"],
                hub_url=os.environ[f"{PREFIX}HUB_URL"],
                hub_ca=Path(os.environ[f"{PREFIX}HUB_CA_FILE"]),
            )
        )
    except (TrialError, NoConnectionError, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"failed: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return 0


class TrialError(Exception):
    """What does not work, and what to look at."""


async def attempt(
    connection: Connection, *, namespace: str, hub_url: str, hub_ca: Path
) -> list[str]:
    """What works, one sentence each; raises `TrialError`, `httpx.HTTPError`, `OSError`."""
    trust = ssl.create_default_context(cafile=str(hub_ca))
    async with httpx.AsyncClient(
        verify=trust, timeout=limits.TRIAL_WITHIN_S, trust_env=False
    ) as http:
        answer = await http.get(f"{hub_url}/healthz")
    if not answer.is_success:
        raise TrialError(f"the hub is not well: {answer.text[:200]}")
    async with connection.streaming(limits.TRIAL_WITHIN_S) as http:
        path = f"/api/v1/namespaces/{namespace}/pods"
        answer = await http.post(path, params={"dryRun": "All"}, json=trial_pod())
    if not answer.is_success:
        raise TrialError(f"the API server refuses a pod in {namespace}: {answer.text[:400]}")
    return ["the hub is well", judged(answer.json())]


def trial_pod() -> dict[str, Any]:
    """A pod that asks for a router; it is never started."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    size = {"cpu": "10m", "memory": "16Mi"}
    app = {
        "name": "app",
        "image": "example.com/app:1",
        "securityContext": security,
        "resources": {"requests": size, "limits": size},
    }
    metadata = {"generateName": "pointsman-trial-", "labels": {names.INJECT: "true"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [app]}}


def judged(pod: dict[str, Any]) -> str:
    """A sentence about the pod that came back; raises `TrialError` where it has no router."""
    found = [each["name"] for each in pod["spec"].get("initContainers", ())]
    if names.CONTAINER in found:
        return f"a pod with the label {names.INJECT}=true gets its router"
    why = pod["metadata"].get("annotations", {}).get(names.NOT_INJECTED)
    why = why or "the webhook was not asked, or did not answer"
    raise TrialError(
        f"the pod came back without a router: {why}; see the injector's logs, and the "
        "MutatingWebhookConfiguration"
    )


if __name__ == "__main__":
    sys.exit(main())

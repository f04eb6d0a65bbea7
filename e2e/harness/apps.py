"""What the scenarios apply: three resources and an annotated app."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness import pods, sdk
from harness.kubectl import Kubectl, KubectlError
from support import resources

PROGRAMS = Path(__file__).resolve().parents[1] / "scenarios" / "in_pods"
CHAT = (PROGRAMS / "chat.py").read_text()
APP = "deployment/app"
IDLE = "import signal; signal.sigwait({signal.SIGTERM})"
SECRET = "pointsman-credentials"  # noqa: S105 - its name
GATEWAY_KINDS = "deployments,services,poddisruptionbudgets,serviceaccounts"
SPENT_WITHIN_S = 150
"""Until a call shows in a Budget's status: the router tells the ledger within 30 s, the controller
asks it every 5 s and writes what differs by money alone every 30 s; and a busy machine's share."""
BOOKED_WITHIN_S = 90
"""Until `pointsman spend` shows it: the first of these."""
PRICING = {"inputPerMTok": "0.25", "cachedInputPerMTok": "0.025", "outputPerMTok": "2"}


def model(name: str, url: str) -> dict[str, Any]:
    """A model of a simulated provider."""
    hosted = {"type": "OpenAICompatible", "model": f"sim-{name}", "baseURL": url}
    return {
        "name": name,
        "provider": hosted,
        "pricing": PRICING,
        "capabilities": ["chat", "tools"],
        "contextWindow": 65536,
    }


def three(namespace: str, *urls: str, amount: str = "5", **route: Any) -> list[dict[str, Any]]:
    """Pool, policy over its models in order, Budget over all of the namespace."""
    models = [model(f"m{number}", url) for number, url in enumerate(urls)]
    names = [f"main/{each['name']}" for each in models]
    place = {"namespace": namespace}
    return [
        resources.pool(*models, **place),
        resources.policy(resources.rule("all", *names, **route), **place),
        resources.budget(amount=amount, **place),
    ]


def app(name: str = "app", replicas: int = 1, program: str = IDLE, **more: Any) -> dict[str, Any]:
    """A Deployment with the official SDK and no word of Pointsman."""
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108
    runs = pods.container("app", "python3", "-uc", program, image=sdk.REFERENCE, volumeMounts=[tmp])
    volumes = [{"name": "tmp", "emptyDir": {}}]
    return pods.deployment(name, runs, replicas=replicas, volumes=volumes, **more)


def asking(workload: dict[str, Any], **more: str) -> dict[str, Any]:
    """The same with the annotation from its beginning, and others of its pods' below our name."""
    workload["metadata"]["annotations"] = {"pointsman.dev/inject": "true"}
    own = {f"pointsman.dev/{key.replace('_', '-')}": text for key, text in more.items()}
    workload["spec"]["template"]["metadata"]["annotations"] = own
    return workload


def job(name: str, times: int = 1, grace_s: int = 1) -> dict[str, Any]:
    """A Job that asks for a router and whose calls come at once."""
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the pod
    call = ("python3", "-c", CHAT, str(times))
    once = pods.container("app", *call, image=sdk.REFERENCE, volumeMounts=[tmp])
    volumes = [{"name": "tmp", "emptyDir": {}}]
    spec = pods.spec(once, grace_s=grace_s, volumes=volumes, restartPolicy="Never")
    template = {"metadata": {"labels": {"pointsman.dev/inject": "true"}}, "spec": spec}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def keyed(model: dict[str, Any]) -> dict[str, Any]:
    """The same model, called with the namespace's key."""
    reference = {"secretRef": {"name": SECRET, "key": "api-key"}}
    return {**model, "provider": {**model["provider"], "credential": reference}}


def credentials(key: str, host: str) -> dict[str, Any]:
    """The Secret of a namespace's keys, with one that may be sent to a host."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": {"api-key": key, "allowed-hosts": host},
    }


def annotate(kubectl: Kubectl, name: str = "app") -> None:
    """`kubectl annotate`, and wait until the pods have come back with a router."""
    kubectl("annotate", f"deployment/{name}", "pointsman.dev/inject=true")
    kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")


def chat(kubectl: Kubectl, times: int = 1, where: str = APP) -> list[str]:
    """The models that answered calls of the SDK in the app's container."""
    return [line.split()[1] for line in asked(kubectl, times, where)]


def answered(kubectl: Kubectl, where: str = APP) -> bool:
    """Whether a call is answered now."""
    try:
        return bool(chat(kubectl, where=where))
    except KubectlError:
        return False


def asked(kubectl: Kubectl, times: int = 1, where: str = APP) -> list[str]:
    """Calls of the SDK in the app's container, a line each: time, model, tokens in, tokens out."""
    call = ("python3", "-c", CHAT, str(times))
    return kubectl.exec(where, *call, container="app").splitlines()


def chatting(
    kubectl: Kubectl, pod: str, said: Path, times: int, pause_s: float
) -> subprocess.Popen[bytes]:
    """The same in one pod while the test goes on; the lines go to a file."""
    where = ("exec", pod, "--container=app", "--")
    argv = kubectl.command(*where, "python3", "-c", CHAT, str(times), str(pause_s))
    with said.open("w") as file:
        return subprocess.Popen(argv, env=kubectl.environment(), stdout=file, stderr=file)


def running(kubectl: Kubectl, name: str = "app") -> list[dict[str, Any]]:
    """The pods of a Deployment that are not on their way out."""
    found = kubectl.json("get", "pods", "-l", f"app={name}")["items"]
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def router(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The status of a pod's sidecar; None where it has none."""
    statuses = pod["status"].get("initContainerStatuses", ())
    return next((each for each in statuses if each["name"] == "pointsman"), None)


def gateways(kubectl: Kubectl) -> list[str]:
    """The objects of a namespace's gateways."""
    chosen = ("-l", "pointsman.dev/gateway", "-o", "name")
    return kubectl("get", GATEWAY_KINDS, *chosen).splitlines()


def condition(kubectl: Kubectl, what: str, kind: str) -> tuple[str, str]:
    """Status and reason of a resource's condition."""
    status = kubectl.json("get", what).get("status", {})
    found = (it for it in status.get("conditions", ()) if it["type"] == kind)
    return next(((it["status"], it["reason"]) for it in found), ("", ""))


def spent(kubectl: Kubectl) -> Decimal:
    """What the Budget's status shows."""
    return Decimal(kubectl("get", "bud", "team", "-o", "jsonpath={.status.worst.spent}") or 0)


def cost(line: str, calls: int = 1) -> Decimal:
    """What so many calls cost that are as the one of a line of `asked`."""
    _, _, tokens_in, tokens_out = line.split()
    prices = Decimal(PRICING["inputPerMTok"]), Decimal(PRICING["outputPerMTok"])
    return (int(tokens_in) * prices[0] + int(tokens_out) * prices[1]) * calls / 10**6


def restarts(pod: dict[str, Any]) -> int:
    """How often a pod's sidecar was started again."""
    sidecar = router(pod)
    return int(sidecar["restartCount"]) if sidecar else -1


def explained(kubectl: Kubectl, what: str) -> str:
    """A resource's conditions, for the message of a failed test."""
    return json.dumps(kubectl.json("get", what).get("status", {}), indent=1)

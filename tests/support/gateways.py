"""A pool's gateway and a caller's sidecar as real processes, each with a scripted hub."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pointsman_operator.owned.certificates import issue_requested, issue_root
from support.eventually import eventually
from support.free_port import free_port
from support.processes import Sidecar, Simulator, ended
from support.scripted_hub import ScriptedHub, scripted_hub
from support.tables import model

AUDIENCE = "ai/main"
KEY = "sk-the-owners-own"
TOKEN = "the-pods-own-token"


@dataclass
class Mint:
    """Signs tickets as the hub does, and as it never would."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def ticket(self, audience: str = AUDIENCE, *, life_s: int = 600, **claims: str) -> str:
        """A ticket for a pod of namespace `b`, unless told otherwise."""
        now_s = int(time.time())
        said = {"aud": audience, "sub": "uid-1", "ns": "b", "wl": "shop", "iat": now_s}
        document: dict[str, Any] = {**said, **claims, "exp": now_s + life_s}
        return jwt.encode(document, self.key, algorithm="EdDSA", headers={"kid": "one"})

    def admission(self, *revoked: str) -> dict[str, Any]:
        """What a gateway is told."""
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        return {"event": "admission", "keys": {"one": public}, "revoked": list(revoked)}


@dataclass
class Neighbours:
    """The gateway of `ai/main` and the sidecar of a pod in `b`."""

    folder: Path
    provider: Simulator
    gateway: Sidecar
    caller: Sidecar
    hub: ScriptedHub
    """The gateway's."""
    mint: Mint
    direct: httpx.Client
    """To the gateway itself, trusting its authority."""

    def restart_gateway(self, state: Path) -> None:
        """Another start of its container in the hub's absence, with what `state` holds."""
        url = self.gateway.url
        self.gateway.kill()
        nobody = f"http://127.0.0.1:{free_port()}"
        same = {"POINTSMAN_DATA_ADDRESS": url.removeprefix("http://")}
        self.gateway = _gateway(self.folder, nobody, None, POINTSMAN_STATE_DIR=str(state), **same)
        self.gateway.url = url

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Kill the gateway at the end, whichever start of it is there then."""
        try:
            yield
        finally:
            self.gateway.kill()

    def knock(
        self, ticket: str | None, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """A call to the gateway by hand."""
        shown = {} if ticket is None else {"x-pointsman-ticket": ticket}
        headers = {**(headers or {}), **shown}
        asked = {"model": "main/a", "messages": [{"role": "user", "content": "Hi"}], **body}
        return self.direct.post("/v1/chat/completions", json=asked, headers=headers)


def table(url: str, namespaces: list[str]) -> dict[str, Any]:
    """The gateway's: one model whose key lies beside it."""
    credential = {"secret": "pointsman-credentials", "key": "sim", "env": ""}
    kept = {"credential": credential, "allowedHosts": ["127.0.0.1"], "simulated": False}
    return {
        **_table("ai", "pool:main", model("a", url, provider=kept)),
        "gateway": {"namespaces": namespaces},
    }


def callers_table(url: str) -> dict[str, Any]:
    """The caller's: the same model, behind the gateway."""
    way = {"gateway": {"audience": AUDIENCE}, "model": "main/a", "simulated": False}
    return _table("b", "shop", model("a", url, provider=way))


def _table(namespace: str, name: str, *models: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "minReader": 1,
        "policy": {"namespace": namespace, "name": name},
        "catalogue": "sha256:none",
        "models": list(models),
        "signals": [],
        "rules": [],
        "default": {"action": "Deny"},
        "budgets": [],
    }


@contextmanager
def neighbours(
    folder: Path, namespaces: list[str] | None = None, **of_the_gateway: str
) -> Iterator[Neighbours]:
    """Both, ready: certificate signed, guests known, a ticket in the caller's hand."""
    mint, root = Mint(), issue_root("test", dt.datetime.now(dt.UTC))
    with ExitStack() as stack:
        hub, callers = (stack.enter_context(scripted_hub()) for _ in range(2))
        capture = str(folder / "a.capture")
        provider = Simulator(folder, "a", capture=capture)
        stack.enter_context(ended(provider))
        served = table(provider.url, namespaces or ["b"])
        gateway = _gateway(folder, hub.url, served, **of_the_gateway)
        # Until it is the neighbours' own; to kill it twice does no harm.
        stack.enter_context(ended(gateway))
        eventually(lambda: any("csr" in it for it in hub.reports))
        assert not gateway.probe("/readyz")
        request = next(it["csr"] for it in hub.reports if "csr" in it)
        chain = issue_requested(root, request, ["localhost"], dt.datetime.now(dt.UTC))
        hub.script.put({"event": "certificate", "chain": chain})
        hub.script.put(mint.admission())
        eventually(lambda: gateway.probe("/readyz"))
        url = gateway.url.replace("http://127.0.0.1", "https://localhost")
        serves = callers_table(url)
        caller = _process(folder / "caller", callers.url, serves, "b", root.certificate)
        stack.enter_context(ended(caller))
        callers.script.put({"event": "tickets", "tickets": {AUDIENCE: mint.ticket()}})
        context = ssl.create_default_context(cadata=root.certificate)
        # One connection a call: after a refusal that left a body unread, the gateway closes it.
        once = httpx.Limits(max_keepalive_connections=0)
        client = httpx.Client(base_url=url, verify=context, trust_env=False, limits=once)
        direct = stack.enter_context(client)
        made = Neighbours(folder, provider, gateway, caller, hub, mint, direct)
        with made.ended():
            yield made


def _gateway(folder: Path, hub: str, served: dict[str, Any] | None, **more: str) -> Sidecar:
    secret = folder / "gateway" / "secrets" / "pointsman-credentials"
    secret.mkdir(parents=True, exist_ok=True)
    (secret / "sim").write_text(KEY)
    role = {"POINTSMAN_MODE": "gateway", "POINTSMAN_GATEWAY": "pool/main"}
    role |= {"POINTSMAN_DATA_THREADS": "2", **more}
    return _process(folder / "gateway", hub, served, "ai", "", **role)


def _process(
    folder: Path,
    hub: str,
    served: dict[str, Any] | None,
    namespace: str,
    ca: str,
    **more: str,
) -> Sidecar:
    folder.mkdir(exist_ok=True)
    token = folder / "token"
    token.write_text(TOKEN)
    return Sidecar(
        folder,
        served,
        POINTSMAN_HUB_URL=hub,
        POINTSMAN_HUB_TOKEN_FILE=str(token),
        POINTSMAN_HUB_CA=ca,
        POINTSMAN_NAMESPACE=namespace,
        **more,
    )

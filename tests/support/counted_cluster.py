"""What a hub asks of an API server, answered from memory and counted: keys, pods, TokenReview.

Thousands of pods and their tokens cost nothing here. The words are the API server's own; that the
hub gets along with a real one is shown in tests/controlplane.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from pointsman_operator.kube.tokens import AUDIENCE, REVIEWS

ISSUER = "https://kubernetes.default.svc.cluster.local"
NAMESPACE = "demo"
PODS = "/api/v1/pods"


class CountedCluster:
    """Pods by UID, signing keys by id, and when each TokenReview came."""

    def __init__(self) -> None:
        self.pods: dict[str, str] = {}
        self.reviews: list[float] = []
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._version = 1
        self._watches: list[queue.Queue[dict[str, Any]]] = []
        cluster = self

        class Handler(_Handler):
            owner = cluster

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.rotate()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def rotate(self) -> None:
        """Sign with another key from now on; the older ones still hold."""
        self._keys[f"key-{len(self._keys)}"] = ec.generate_private_key(ec.SECP256R1())

    def add(self, uid: str) -> str:
        """A pod; its token."""
        self.pods[uid] = f"pod-{uid}"
        return self.token(uid)

    def remove(self, uid: str) -> None:
        """The pod is deleted, and its watchers hear of it."""
        name = self.pods.pop(uid)
        self._version += 1
        event = {"type": "DELETED", "object": self._shown(uid, name)}
        for watch in self._watches:
            watch.put(event)

    def token(self, uid: str) -> str:
        """The token of a pod, by the newest key, good for an hour."""
        name = f"pod-{uid}"
        account = {"name": "default", "uid": "account"}
        claims = {
            "iss": ISSUER,
            "aud": [AUDIENCE],
            "sub": f"system:serviceaccount:{NAMESPACE}:default",
            "exp": int(time.time()) + 3600,
            "kubernetes.io": {
                "namespace": NAMESPACE,
                "pod": {"name": name, "uid": uid},
                "serviceaccount": account,
            },
        }
        key_id = list(self._keys)[-1]
        return jwt.encode(claims, self._keys[key_id], "ES256", headers={"kid": key_id})

    def kubeconfig(self, folder: Path) -> Path:
        """How the hub is told."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "hub"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def most_reviews_in_a_second(self) -> int:
        """In any second, wherever it begins."""
        times = sorted(self.reviews)
        return max((sum(t <= each < t + 1 for each in times) for t in times), default=0)

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        keys = []
        for key_id, key in self._keys.items():
            public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
            keys.append(public | {"kid": key_id, "alg": "ES256", "use": "sig"})
        return {"keys": keys}

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """One page of the list of pods."""
        begin, size = int(query.get("continue", "0")), int(query["limit"])
        uids = list(self.pods)
        items = [self._shown(uid, self.pods[uid]) for uid in uids[begin : begin + size]]
        metadata = {"resourceVersion": str(self._version)}
        if begin + size < len(uids):
            metadata["continue"] = str(begin + size)
        return {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": items}

    def review(self, document: dict[str, Any]) -> dict[str, Any]:
        """Whether the token's pod is there."""
        self.reviews.append(time.monotonic())
        claims = jwt.decode(document["spec"]["token"], options={"verify_signature": False})
        pod = claims["kubernetes.io"]["pod"]
        if pod["uid"] not in self.pods:
            return document | {"status": {"authenticated": False}}
        own = "authentication.kubernetes.io/pod-"
        extra = {f"{own}name": [pod["name"]], f"{own}uid": [pod["uid"]]}
        user = {"username": claims["sub"], "groups": [], "extra": extra}
        status = {"authenticated": True, "user": user, "audiences": [AUDIENCE]}
        return document | {"status": status}

    @contextmanager
    def watching(self) -> Iterator[queue.Queue[dict[str, Any]]]:
        """What happens to pods from now on."""
        mine: queue.Queue[dict[str, Any]] = queue.Queue()
        self._watches.append(mine)
        try:
            yield mine
        finally:
            self._watches.remove(mine)

    def _shown(self, uid: str, name: str) -> dict[str, Any]:
        named = {"name": name, "namespace": NAMESPACE, "uid": uid}
        return {"metadata": named | {"resourceVersion": str(self._version)}}


@contextmanager
def counted_cluster() -> Iterator[CountedCluster]:
    """A cluster without pods; gone with the block."""
    cluster = CountedCluster()
    try:
        yield cluster
    finally:
        cluster.server.shutdown()
        cluster.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: CountedCluster

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == PODS and "watch" in query:
            self._follow()
        elif url.path == PODS:
            self._answer(200, self.owner.page(query))
        elif url.path == "/.well-known/openid-configuration":
            self._answer(200, {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/openid/v1/jwks"})
        elif url.path == "/openid/v1/jwks":
            self._answer(200, self.owner.jwks())
        else:
            empty = {"metadata": {"resourceVersion": "1"}, "items": []}
            self._answer(200, empty) if "watch" not in query else self._follow()

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if urlsplit(self.path).path == REVIEWS:
            self._answer(201, self.owner.review(document))
        else:
            self._answer(404, {"kind": "Status", "code": 404})

    def log_message(self, *_: object) -> None:
        """Tests read what is counted, not a log."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _follow(self) -> None:
        """A watch: lines as they come, until the hub leaves."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("connection", "close")
        self.end_headers()
        with self.owner.watching() as events:
            while True:
                try:
                    self.wfile.write(json.dumps(events.get(timeout=600)).encode() + b"\n")
                    self.wfile.flush()
                except (OSError, queue.Empty):
                    return

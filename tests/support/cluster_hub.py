"""The hub as the controller sees it (docs/contracts-kubernetes.md 4), scripted, over real HTTP.

It keeps the contract's words: fences, targets, a long poll that answers at once when something
changed. What sidecars report is set by the test.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the controller's token"


class ClusterHub:
    """Tables, fleet and accounts; can go away and come back on its port."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.pools: dict[tuple[str, str], dict[str, Any]] = {}
        self.pool_documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.models: list[dict[str, Any]] = []
        """Self-hosted ones as it sees them; `see` changes them."""
        self.down: list[dict[str, Any]] = []
        self.strained: list[dict[str, Any]] = []
        self.accounts: list[dict[str, Any]] = []
        self.writes: list[tuple[float, str, str]] = []
        """Time, method, path of each accepted write."""
        self.refused: list[str] = []
        """Fences that were refused."""
        self.unauthorized = 0
        self._sidecars: dict[str, dict[str, Any]] = {}
        self._changed_at: dict[str, int] = {}
        self._followed: dict[str, tuple[str, str]] = {}
        self._revision = 1
        self._changed = threading.Condition()
        self._fence: tuple[str, int] = ("", 0)
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def controllers_token(self) -> str:
        """What lets the controller in."""
        return TOKEN

    @property
    def url(self) -> str:
        """Where it is, also while it is away."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, with whatever it held."""
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Go away: nobody listens any more, and no question is answered."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self._changed:
            self._changed.notify_all()

    def report(self, pod_uid: str, **fields: Any) -> None:
        """A sidecar of a pod, as it is from now on; `connected` unless said otherwise."""
        row = {"sidecar": pod_uid, "boot": "1", "connected": True, "digest": "", "version": "0.1.0"}
        row |= {"seen_at": "2026-11-22T10:00:00Z", "ledger": "ok", "targets": {}}
        with self._changed:
            known = self._sidecars.get(pod_uid, row | {"credentials": {}})
            self._revision += 1
            # The one that changed last at the end.
            self._sidecars.pop(pod_uid, None)
            self._sidecars[pod_uid] = known | fields
            self._changed_at[pod_uid] = self._revision
            self._changed.notify_all()

    def follow(self, pod_uid: str, namespace: str, policy: str, **fields: Any) -> None:
        """A sidecar that runs the policy's table, as real ones do: also the next that is put.

        A table may be put again at once, as soon as the Budget that was applied with it is seen.
        """
        self._followed[pod_uid] = (namespace, policy)
        digest = self.digest(namespace, policy)
        self.report(pod_uid, namespace=namespace, digest=digest, **fields)

    def see(self, *models: dict[str, Any]) -> None:
        """Self-hosted models, as they are from now on."""
        with self._changed:
            self.models = list(models)
            self._revision += 1
            self._changed.notify_all()

    def judge(self, *down: dict[str, Any]) -> None:
        """Models that are down, as it judges from now on."""
        with self._changed:
            self.down = list(down)
            self._revision += 1
            self._changed.notify_all()

    def strain(self, *strained: dict[str, Any]) -> None:
        """Limits that are used up or nearly so, as it says from now on."""
        with self._changed:
            self.strained = list(strained)
            self._revision += 1
            self._changed.notify_all()

    def digest(self, namespace: str, policy: str) -> str:
        """Of the table that it serves; empty: none."""
        return str(self.tables.get((namespace, policy), {}).get("digest", ""))

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        """One request's status and document."""
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        if headers.get("authorization") != f"Bearer {TOKEN}":
            self.unauthorized += 1
            return _error(401, "unauthorized")
        if method == "GET" and url.path == "/v1/fleet":
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            after = int(query.get("after", "-1"))
            only_changes = query.get("changes") == "true"
            wait_s = float(query.get("wait", "0"))
            return 200, self._fleet(after, wait_s, only_changes=only_changes)
        if url.path == "/v1/budgets":
            # To be told of Budgets makes no difference to accounts that a test sets.
            return 200, self.accounts if method == "GET" else {}
        if method == "GET" and url.path == "/v1/tables":
            return 200, {
                "tables": list(self.tables.values()),
                "pools": list(self.pools.values()),
            }
        if parts[1] in {"tables", "pools"} and method in {"PUT", "DELETE"}:
            write = self._write if parts[1] == "tables" else self._write_pool
            return write(method, (parts[2], parts[3]), headers, body)
        return _error(404, "not_found")

    def _fleet(self, after: int, wait_s: float, *, only_changes: bool) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(
                lambda: self._revision != after or self._server is None, timeout=wait_s
            )
            whole = not only_changes or not 0 <= after <= self._revision
            sidecars = [
                row for uid, row in self._sidecars.items() if whole or self._changed_at[uid] > after
            ]
            told = {"models": self.models, "down": self.down, "strained": self.strained}
            return {"rev": self._revision, "whole": whole, "sidecars": sidecars, **told}

    def _write_pool(
        self, method: str, pool: tuple[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        if method == "DELETE":
            return (200, {}) if self.pools.pop(pool, None) else _error(404, "not_found")
        installation, transitions, boot = headers["x-pointsman-fence"].split(",")
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        fence = {"installation": installation, "transitions": int(transitions), "boot": boot}
        self.pools[pool] = {"namespace": pool[0], "pool": pool[1], "digest": digest, "fence": fence}
        self.pool_documents[pool] = json.loads(body)
        return 200, {"digest": digest}

    def _write(
        self, method: str, policy: tuple[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        installation, transitions, boot = headers["x-pointsman-fence"].split(",")
        if installation == self._fence[0] and int(transitions) < self._fence[1]:
            self.refused.append(headers["x-pointsman-fence"])
            return _error(409, "fenced")
        self._fence = (installation, int(transitions))
        if method == "DELETE" and self.tables.pop(policy, None) is None:
            return _error(404, "not_found")
        self.writes.append((time.monotonic(), method, "/".join(policy)))
        if method == "DELETE":
            return 200, {}
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        fence = {"installation": installation, "transitions": int(transitions), "boot": boot}
        self.tables[policy] = {
            "namespace": policy[0],
            "policy": policy[1],
            "digest": digest,
            "fence": fence,
            "target": json.loads(headers["x-pointsman-target"]),
        }
        for pod_uid in [uid for uid, followed in self._followed.items() if followed == policy]:
            self.report(pod_uid, digest=digest)
        return 200, {"digest": digest}


@contextmanager
def cluster_hub() -> Iterator[ClusterHub]:
    """A hub; gone with the block."""
    hub = ClusterHub()
    try:
        yield hub
    finally:
        hub.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClusterHub

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Tests read what is kept, not a log."""

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        status, document = self.owner.answer(self.command, self.path, headers, body)
        if self.owner._server is None:
            self.close_connection = True
            return
        answer = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def _error(status: int, code: str) -> tuple[int, Any]:
    return status, {"error": {"code": code, "message": code}}

"""A control plane on loopback: etcd, API server, controller manager, scheduler; ready in seconds.

For everything that needs no running pod. Clients, webhooks and controllers under test are ordinary
processes of this machine: the API server listens on 127.0.0.1 and calls webhooks by URL there.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from harness import components, kubeconfigs
from harness.api import Api
from harness.audit import POLICY, Audit
from harness.binaries import KUBERNETES, built
from harness.components import COMPONENTS, LOOPBACK, Layout
from harness.kubectl import Kubectl
from harness.pki import Authority, write_pki
from harness.supervision import Supervisor
from support.free_port import free_port

READY_S = 60.0
FOREVER = datetime.max.replace(tzinfo=UTC)
DEFAULT_TOKEN_S = 3600
ADMIN = "admin"
ARGUMENTS: Mapping[str, Callable[[Layout], list[str]]] = {
    "etcd": components.etcd,
    "kube-apiserver": components.kube_apiserver,
    "kube-controller-manager": components.kube_controller_manager,
    "kube-scheduler": components.kube_scheduler,
}


class ControlPlane:
    """A running control plane; leaving the `with` block, or our death, removes it wholly.

    `flags` adds to components' command lines, by their names. Raises UnavailableError where the
    programs cannot be built here, ClusterError where a component does not start.
    """

    def __init__(self, flags: Mapping[str, Sequence[str]] | None = None) -> None:
        self._program = built(KUBERNETES)
        self._flags = dict(flags or {})
        self.supervisor = Supervisor("control-plane")
        try:
            folder = self.supervisor.folder
            self._begin(Layout(folder, api_port=free_port(), etcd_port=free_port()))
        except BaseException:
            self.supervisor.close()
            raise

    def _begin(self, layout: Layout, url: str = "") -> None:
        """Start everything and wait until it is of use; `url`: the API server, from the tests."""
        self._excused: list[tuple[datetime, datetime]] = []
        self.layout = layout
        self.url = url or layout.url
        self.folder = layout.folder
        self.authority = Authority("pointsman-test-ca")
        write_pki(self.folder, self.authority, (components.FIRST_SERVICE, LOOPBACK,
                                                layout.advertise))  # fmt: skip
        (self.folder / "audit-policy.yaml").write_text(POLICY)
        for name in ("kube-controller-manager", "kube-scheduler"):
            self.component_kubeconfig(name)
        self.kubeconfig = self.kubeconfig_for_user(ADMIN, ("system:masters",))
        self.kubectl = Kubectl(self._program, self.kubeconfig, self.folder)
        self.api = self.client(ADMIN, ("system:masters",))
        self.start("etcd")
        self.start("kube-apiserver")
        self.wait_ready()
        # They read a ConfigMap of the API server and give up where it is not there yet.
        self.start("kube-controller-manager")
        self.start("kube-scheduler")
        self.supervisor.until(
            lambda: self.api.reaches("/api/v1/namespaces/default/serviceaccounts/default"),
            "the controller manager has made the first ServiceAccount",
            READY_S,
            needs=COMPONENTS,
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End all processes and remove all files."""
        self.api.close()
        self.supervisor.close()

    def start(self, component: str) -> None:
        """Start one of COMPONENTS, for the first time or again after `kill`."""
        if component == "kube-apiserver":
            self._excused.append((datetime.now(UTC), FOREVER))
        self.supervisor.start(component, self.arguments(component))

    def arguments(self, component: str) -> list[str | Path]:
        """The command line of a component."""
        more = self._flags.get(component, ())
        return [self._program, *ARGUMENTS[component](self.layout), *more]

    def kill(self, component: str, number: int = signal.SIGKILL) -> None:
        """End one of COMPONENTS by a signal, at once by default; returns when it is gone."""
        self.supervisor.kill(component, number)

    def freeze(self, component: str) -> None:
        """Stop a component without ending it: its connections stay open and silent."""
        self.supervisor.signal(component, signal.SIGSTOP)

    def thaw(self, component: str) -> None:
        """Let a frozen component go on."""
        self.supervisor.signal(component, signal.SIGCONT)

    def wait_ready(self, within_s: float = READY_S) -> None:
        """Return as soon as the API server says that it is ready."""
        self.supervisor.until(
            lambda: self.api.reaches("/readyz"),
            "the API server is ready",
            within_s,
            needs=("etcd", "kube-apiserver"),
        )
        since, until = self._excused[-1]
        self._excused[-1] = (since, min(until, datetime.now(UTC)))

    @contextmanager
    def excused(self) -> Iterator[None]:
        """A time in which a 403 is no lack: rights are taken from pods that still run."""
        since = datetime.now(UTC)
        yield
        self._excused.insert(0, (since, datetime.now(UTC)))

    def install(self, *paths: Path) -> None:
        """Apply files of CustomResourceDefinitions and wait until they are served."""
        files = [part for path in paths for part in ("-f", str(path))]
        self.kubectl("apply", "--server-side", *files)
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *files)

    def audit(self, *, from_now: bool = False) -> Audit:
        """A reader of the audit log."""
        path = self.folder / "audit.jsonl"
        return Audit(path, from_now=from_now, excused=tuple(self._excused))

    def client(self, user: str, groups: Sequence[str] = ()) -> Api:
        """A client with the certificate of a user; the caller closes it."""
        name = f"client-{user.replace(':', '-')}"
        self.authority.issue(user, groups).write(self.folder, name)
        pair = (self.folder / f"{name}.crt", self.folder / f"{name}.key")
        return Api(self.url, self.ca, certificate=pair)

    def client_with_token(self, token: str) -> Api:
        """A client with a token; the caller closes it."""
        return Api(self.url, self.ca, token=token)

    @property
    def ca(self) -> str:
        """The cluster's certificate authority, PEM."""
        return self.authority.credential.certificate.decode()

    def token(
        self,
        namespace: str,
        service_account: str,
        audience: str = components.ISSUER,
        seconds: int = DEFAULT_TOKEN_S,
        pod: Mapping[str, str] | None = None,
    ) -> str:
        """A token of a ServiceAccount that exists; `pod` (name, uid) binds it as the kubelet does.

        Ten minutes is the shortest life that the API server grants.
        """
        bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", **pod}} if pod else {}
        answer = self.api.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": [audience], "expirationSeconds": seconds, **bound},
            },
        )
        return str(answer["status"]["token"])

    def kubeconfig_for_user(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate."""
        path = self.folder / f"user-{user.replace(':', '-')}.conf"
        issued = self.authority.issue(user, groups)
        return kubeconfigs.written(
            kubeconfigs.by_certificate(self.url, self.ca.encode(), issued), path
        )

    def kubeconfig_for_service_account(
        self, namespace: str, name: str, seconds: int = DEFAULT_TOKEN_S
    ) -> Path:
        """A kubeconfig with a token of a ServiceAccount that exists: our programs as in a pod."""
        path = self.folder / f"account-{namespace}-{name}.conf"
        token = self.token(namespace, name, seconds=seconds)
        return kubeconfigs.written(kubeconfigs.by_token(self.url, self.ca.encode(), token), path)

    def component_kubeconfig(self, name: str, user: str = "", groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a component beside the API server."""
        issued = self.authority.issue(user or f"system:{name}", groups)
        document = kubeconfigs.by_certificate(self.layout.url, self.ca.encode(), issued)
        return kubeconfigs.written(document, self.folder / f"{name}.conf")

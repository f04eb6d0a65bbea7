"""Command lines of the control plane's components, as pure functions of where things are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.pki import SERVICE_ACCOUNTS

LOOPBACK = "127.0.0.1"
SERVICE_CIDR = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
"""What the Service `kubernetes` gets: the first address of SERVICE_CIDR."""
ISSUER = "https://kubernetes.default.svc"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class Layout:
    """Where a control plane's parts listen, and the folder with its files."""

    folder: Path
    api_port: int
    etcd_port: int
    bind: str = LOOPBACK
    """Address that the API server listens on."""
    advertise: str = LOOPBACK
    """Address under which pods reach it; loopback: there are none, and no endpoints are kept."""

    def file(self, name: str) -> str:
        """A file of the folder, as an argument."""
        return str(self.folder / name)

    @property
    def url(self) -> str:
        """The API server, from beside it."""
        return f"https://{LOOPBACK}:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        """etcd, for the API server alone: no credentials, on loopback."""
        return f"http://{LOOPBACK}:{self.etcd_port}"


def etcd(layout: Layout) -> list[str]:
    """One member, which forgets everything with its folder and so need not sync to disk."""
    # The peer's address is announced but never asked: any free port will do to listen.
    peer = f"http://{LOOPBACK}:1"
    return [
        "etcd",
        "--name=e",
        f"--data-dir={layout.file('etcd')}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=e={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(layout: Layout) -> list[str]:
    """As a real installation: RBAC, no anonymous requests, an audit log of every request."""
    file = layout.file
    no_pods = ["--endpoint-reconciler-type=none"] if layout.advertise == LOOPBACK else []
    return [
        "kube-apiserver",
        f"--etcd-servers={layout.etcd_url}",
        f"--bind-address={layout.bind}",
        f"--secure-port={layout.api_port}",
        f"--advertise-address={layout.advertise}",
        *no_pods,
        f"--tls-cert-file={file('apiserver.crt')}",
        f"--tls-private-key-file={file('apiserver.key')}",
        f"--client-ca-file={file('ca.crt')}",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--service-account-issuer={ISSUER}",
        f"--api-audiences={ISSUER}",
        f"--service-account-key-file={file(f'{SERVICE_ACCOUNTS}.pub')}",
        f"--service-account-signing-key-file={file(f'{SERVICE_ACCOUNTS}.key')}",
        f"--requestheader-client-ca-file={file('front-ca.crt')}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={file('front-proxy.crt')}",
        f"--proxy-client-key-file={file('front-proxy.key')}",
        f"--kubelet-client-certificate={file('admin.crt')}",
        f"--kubelet-client-key={file('admin.key')}",
        f"--kubelet-certificate-authority={file('ca.crt')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={file('audit-policy.yaml')}",
        f"--audit-log-path={file('audit.jsonl')}",
    ]


def kube_controller_manager(layout: Layout) -> list[str]:
    """All controllers, each as a ServiceAccount of its own."""
    file = layout.file
    return [
        "kube-controller-manager",
        *_client(layout, "kube-controller-manager"),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={file(f'{SERVICE_ACCOUNTS}.key')}",
        f"--root-ca-file={file('ca.crt')}",
        f"--cluster-signing-cert-file={file('ca.crt')}",
        f"--cluster-signing-key-file={file('ca.key')}",
    ]


def kube_scheduler(layout: Layout) -> list[str]:
    """The scheduler with its default profile."""
    return ["kube-scheduler", *_client(layout, "kube-scheduler")]


def _client(layout: Layout, name: str) -> list[str]:
    """Alone, so it is the leader at once; asked by nobody, so it listens nowhere.

    The default rate of 20 requests a second makes the controller manager need five seconds only
    for its own ServiceAccounts.
    """
    return [
        f"--kubeconfig={layout.file(f'{name}.conf')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]

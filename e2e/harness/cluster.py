"""A whole cluster of one node: real pods, Services and names, in namespaces of its own.

The node is a machine to itself: its own processes, mounts, network and host name. The API server is
reached from outside through a relay on loopback, so kubectl, `exec`, `logs` and `port-forward` work
from the tests; pods reach each other and the API server, and nothing else.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness import daemons, images, name_service, volumes
from harness.binaries import DNS, KUBERNETES, UnavailableError, built
from harness.components import COMPONENTS, LOOPBACK, SERVICE_CIDR, Layout
from harness.control_plane import ControlPlane
from harness.daemons import DAEMONS, NODE, NODE_ADDRESS
from harness.images import Image
from harness.prerequisites import hierarchies, lacking
from harness.supervision import HERE, PYTHON, Supervisor
from support.free_port import free_port

API_PORT, ETCD_PORT = 6443, 2379
EVERYWHERE = "0.0.0.0"  # noqa: S104 - everywhere in the node's own network
NODE_READY_S = 90.0
IMPORT_S = 120.0
NAMESPACES = ("unshare", "-m", "-p", "-n", "-u", "--fork", "--kill-child", "--mount-proc")
KUBELET_REFRESH_S = 2
"""Mounted ConfigMaps and Secrets follow within about this; Kubernetes' default is a minute."""


class Cluster(ControlPlane):
    """A running cluster; leaving the `with` block, or our death, removes it wholly.

    `refresh_s` is the kubelet's syncFrequency; 60 is Kubernetes' default. Images are named
    `localhost/…` and never pulled. Raises UnavailableError where this machine cannot run pods.
    """

    def __init__(self, refresh_s: int = KUBELET_REFRESH_S) -> None:
        reasons = list(lacking())
        if reasons:
            raise UnavailableError("; ".join(reasons))
        self._program, self._flags = built(KUBERNETES), {}
        built(DNS)
        self._hosts: dict[str, str] = {}
        self.cgroup = f"pointsman-{secrets.token_hex(4)}"
        with _listening(free_port()) as outside:
            port = outside.getsockname()[1]
            self.supervisor = Supervisor("cluster", NAMESPACES, self.cgroup, [outside.fileno()])
            try:
                self._begin_node(outside.fileno(), port, refresh_s)
            except BaseException:
                self.supervisor.close()
                raise

    def _begin_node(self, relay_fd: int, port: int, refresh_s: int) -> None:
        layout = Layout(
            self.supervisor.folder,
            api_port=API_PORT,
            etcd_port=ETCD_PORT,
            bind=EVERYWHERE,
            advertise=NODE_ADDRESS,
        )
        places = [str(layout.folder), NODE, self.cgroup, f"{NODE_ADDRESS}/24", SERVICE_CIDR]
        self.supervisor.finish(
            "node-setup", [*PYTHON, HERE / "node_setup.py", *places, *hierarchies()]
        )
        daemons.write_files(layout, self.cgroup, refresh_s=refresh_s)
        self.layout = layout
        self.start("containerd")
        target = (str(relay_fd), LOOPBACK, str(API_PORT))
        self.supervisor.start("relay", [*PYTHON, HERE / "relay.py", *target], fds=[relay_fd])
        self._begin(layout, f"https://{LOOPBACK}:{port}")
        self._begin_daemons()

    def _begin_daemons(self) -> None:
        self.component_kubeconfig("kube-proxy")
        self.component_kubeconfig("kubelet", f"system:node:{NODE}", ("system:nodes",))
        self.authority.issue(f"system:node:{NODE}", hosts=(NODE, NODE_ADDRESS)).write(
            self.folder, "kubelet"
        )
        for image in (
            images.pause(self.folder),
            images.busybox(self.folder),
            name_service.image(self.folder),
        ):
            self.load(image)
        self.start("kube-proxy")
        self.start("kubelet")
        self.wait_node_ready()
        self.kubectl.apply(*name_service.objects())
        names = f"deployment/{name_service.NAME}"
        self.kubectl("-n", name_service.NAMESPACE, "rollout", "status", names, "--timeout=180s")

    def arguments(self, component: str) -> list[str | Path]:
        """The command line of a component or daemon."""
        match component:
            case "containerd":
                return [*daemons.containerd(self.layout)]
            case "kubelet":
                return [self._program, *daemons.kubelet(self.layout)]
            case "kube-proxy":
                return [self._program, *daemons.kube_proxy(self.layout)]
        return super().arguments(component)

    def wait_node_ready(self, within_s: float = NODE_READY_S) -> None:
        """Return as soon as pods can be scheduled."""
        self.supervisor.until(
            self._node_ready, "the node is ready", within_s, needs=(*COMPONENTS, *DAEMONS)
        )

    def load(self, image: Image | Path) -> str:
        """Import an image, or a docker or OCI archive of one; what `ctr` says."""
        if isinstance(image, Path):
            return self._imported(image)
        path = self.folder / f"{image.name.replace('/', '-').replace(':', '-')}.image.tar"
        try:
            return self._imported(images.archive(image, path))
        finally:
            path.unlink(missing_ok=True)

    def volume(self, name: str) -> None:
        """An empty volume for the next claim that fits; it goes with the cluster."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True)
        self.kubectl.apply(volumes.storage_class(), volumes.volume(name, folder))

    def on_node(self, *command: str | Path, within_s: float = IMPORT_S) -> str:
        """Run a command on the node, beside the kubelet; what it prints."""
        kinds = ("-m", "-p", "-n", "-u")
        argv = ["nsenter", "-t", str(self.init), *kinds, *(str(part) for part in command)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=within_s, check=True)
        return done.stdout

    @property
    def init(self) -> int:
        """The PID of the node's first process, as this machine counts."""
        first = self.supervisor.pid
        return int(Path(f"/proc/{first}/task/{first}/children").read_text().split()[0])

    def refresh_every(self, seconds: int) -> None:
        """Restart the kubelet with another `refresh_s`; pods run on, `exec` waits for it."""
        self.kill("kubelet")
        daemons.write_kubelet(self.layout, self.cgroup, refresh_s=seconds)
        self.start("kubelet")
        self.wait_node_ready()

    def kill_container(self, namespace: str, pod: str, container: str) -> None:
        """SIGKILL the first process of a container, as the OOM killer would."""
        status = self.kubectl.within(namespace).json("get", "pod", pod)["status"]
        every = [*status.get("initContainerStatuses", []), *status["containerStatuses"]]
        (named,) = [each["containerID"] for each in every if each["name"] == container]
        task = named.removeprefix("containerd://")
        self.on_node("ctr", "-n", "k8s.io", "tasks", "kill", "-s", signal.SIGKILL.name, task)

    def point(self, name: str, address: str) -> None:
        """Let pods find a name of the outside world, such as api.openai.com, at an address.

        Returns at once; pods see it within `refresh_s` and two seconds.
        """
        self._hosts[name] = address
        lines = [f"{address} {name}\n" for name, address in sorted(self._hosts.items())]
        path = f"/api/v1/namespaces/{name_service.NAMESPACE}/configmaps/{name_service.NAME}"
        self.api.merge(path, {"data": {name_service.HOSTS: "".join(lines)}})

    def _imported(self, path: Path) -> str:
        return self.on_node("ctr", "-n", "k8s.io", "images", "import", path)

    def _node_ready(self) -> bool:
        nodes = self.api.get("/api/v1/nodes")["items"]
        ready = [
            condition["status"]
            for node in nodes
            for condition in node.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready"
        ]
        return ready == ["True"]


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens on this machine's loopback while it is handed over."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen()
        yield listening

"""Command lines and configuration of a node's daemons: containerd, kubelet, kube-proxy."""

from __future__ import annotations

import json
from typing import Any

import yaml

from harness.components import Layout
from harness.images import REGISTRY
from harness.prerequisites import CNI_PLUGINS

NODE = "n1"
POD_CIDR = "10.244.0.0/24"
NODE_ADDRESS = "10.244.0.1"
"""The bridge's: pods and kubelet reach the API server there."""
DNS_ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
SOCKET = "/run/containerd/containerd.sock"
DAEMONS = ("containerd", "kube-proxy", "kubelet")
FREE = {"memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
        "imagefs.available": "1%"}  # fmt: skip


def containerd(layout: Layout) -> list[str]:
    """The runtime, with a root of its own; `write_files` writes its configuration."""
    return ["containerd", f"--config={layout.file('containerd.toml')}"]


def kubelet(layout: Layout) -> list[str]:
    """The kubelet; what is not in its configuration file."""
    return [
        "kubelet",
        f"--config={layout.file('kubelet.yaml')}",
        f"--kubeconfig={layout.file('kubelet.conf')}",
        f"--root-dir={layout.file('kubelet')}",
        f"--cert-dir={layout.file('kubelet-certificates')}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def kube_proxy(layout: Layout) -> list[str]:
    """Services by iptables; the connection table's size is the machine's own affair."""
    return [
        "kube-proxy",
        f"--kubeconfig={layout.file('kube-proxy.conf')}",
        "--proxy-mode=iptables",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={POD_CIDR}",
        f"--bind-address={NODE_ADDRESS}",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--oom-score-adj=0",
    ]


def write_files(layout: Layout, cgroup: str, *, refresh_s: int) -> None:
    """Every file that the daemons read; `refresh_s`: how often the kubelet looks at its pods."""
    folder = layout.folder
    (folder / "containerd.toml").write_text(_containerd_toml(layout))
    write_kubelet(layout, cgroup, refresh_s=refresh_s)
    (folder / "resolv.conf").write_text(f"nameserver {DNS_ADDRESS}\n")
    (folder / "cni").mkdir()
    (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_network()))


def write_kubelet(layout: Layout, cgroup: str, *, refresh_s: int) -> None:
    """The kubelet's configuration; it reads it when it starts."""
    document = _kubelet(layout, cgroup, refresh_s)
    (layout.folder / "kubelet.yaml").write_text(yaml.safe_dump(document))


def _containerd_toml(layout: Layout) -> str:
    """restrict_oom_score_adj: a machine that may not lower scores would refuse the pods."""
    return f"""\
version = 2
root = "{layout.file("containerd")}"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[ttrpc]
  address = "{SOCKET}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.file("opt")}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{REGISTRY}/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{layout.file("cni")}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def _kubelet(layout: Layout, cgroup: str, refresh_s: int) -> dict[str, Any]:
    file = layout.file
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "oomScoreAdj": 0,
        "maxOpenFiles": 20_000,
        "failSwapOn": False,
        "hairpinMode": "none",  # the bridge plugin does it
        "nodeStatusUpdateFrequency": "1s",
        "syncFrequency": f"{refresh_s}s",
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "evictionHard": FREE,
        "imageGCHighThresholdPercent": 100,
        "resolvConf": file("resolv.conf"),
        "clusterDomain": DOMAIN,
        "clusterDNS": [DNS_ADDRESS],
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "volumePluginDir": file("plugins"),
        "tlsCertFile": file("kubelet.crt"),
        "tlsPrivateKeyFile": file("kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
    }


def _network() -> dict[str, Any]:
    """One bridge; Services are kube-proxy's, so nothing is masqueraded here."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR, "gateway": NODE_ADDRESS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}

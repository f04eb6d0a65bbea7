"""`make cluster`: a cluster to play with, gone with Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from harness.binaries import EX_UNAVAILABLE, KUBERNETES, UnavailableError
from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.prerequisites import lacking

ROOT = Path(__file__).resolve().parents[2]
TIERS = ("node", "control-plane")
HOLDS = {
    "node": "etcd, API server, controllers, scheduler, and the node n1 that runs pods",
    "control-plane": "etcd, API server, controllers, scheduler; no node, so no pod runs",
}


def main() -> int:
    """Start, say how to use it, wait for Ctrl-C or SIGTERM; 69 where this machine cannot."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--tier", choices=TIERS, default=TIERS[0])
    parser.add_argument("--load", nargs="*", type=Path, default=[], metavar="ARCHIVE",
                        help="images (docker or OCI archives) for the node")  # fmt: skip
    arguments = parser.parse_args()
    reasons = list(lacking()) if arguments.tier == "node" else []
    if reasons:
        print(f"No node on this machine: {'; '.join(reasons)}", file=sys.stderr)
        print('Without one: make cluster CLUSTER="--tier control-plane"', file=sys.stderr)
        return EX_UNAVAILABLE
    began = time.monotonic()
    # SIGTERM ends it as Ctrl-C does, and both do where a shell started us in the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with Cluster() if arguments.tier == "node" else ControlPlane() as running:
            running.install(*sorted((ROOT / "crds").glob("*.pointsman.dev.yaml")))
            for archive in arguments.load:
                assert isinstance(running, Cluster)
                print(running.load(archive).strip())
            print(_instructions(running, arguments.tier, time.monotonic() - began), flush=True)
            signal.pause()
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return EX_UNAVAILABLE
    except KeyboardInterrupt:
        print("\nEnded; nothing is left.")
    return 0


def _instructions(running: ControlPlane, tier: str, seconds: float) -> str:
    kubectl = f"{KUBERNETES.path} kubectl"
    next_command = "kubectl get pods -A" if tier == "node" else "kubectl get namespaces"
    return f"""
Kubernetes {KUBERNETES.version.lstrip("v")} is up after {seconds:.0f} s: {HOLDS[tier]}.
Pointsman's custom resources are installed. In another terminal:

  export KUBECONFIG={running.kubeconfig}
  alias kubectl='{kubectl}'
  {next_command}
  kubectl apply -f {ROOT / "crds" / "examples" / "quality.yaml"}
  kubectl get pointsman

Logs: {running.folder}/*.log. Ctrl-C ends it and removes everything."""


if __name__ == "__main__":
    sys.exit(main())

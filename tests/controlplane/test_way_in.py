"""The way in from outside the cluster, as docs/operations.md shows it, step by step."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from base64 import b64decode

import yaml

from harness.control_plane import ControlPlane
from pointsman_operator.api.gateways import host, service_name
from pointsman_operator.api.meta import ObjectName
from pointsman_operator.owned.gateway import Gateway, Site
from pointsman_operator.owned.gateway_objects import service
from support.tree import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
NGINX = "nginx.ingress.kubernetes.io"
SITE = Site(image="sidecar:1", hub_url="https://hub", hub_ca="PEM", installation="uid")


def shown(language: str, namespace: str) -> str:
    """A block of the page's part about it, for this namespace alone."""
    part = PAGE.partition("**From outside the cluster**")[2].partition("\n## ")[0]
    found = re.search(rf"  ```{language}\n(.*?)  ```\n", part, re.DOTALL)
    assert found is not None
    text = textwrap.dedent(found[1])
    return text.replace("pointsman-system", namespace).replace("shop", namespace)


def test_the_ingress_of_the_page_is_taken_and_leads_to_a_gateway(
    crds: ControlPlane, namespace: str
) -> None:
    """Every field is known and kept; Service, port, name and authority are what is really made."""
    kubectl = crds.kubectl.within(namespace)
    authority = {"metadata": {"name": "pointsman-ca"}, "data": {"ca.crt": "PEM of the root"}}
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **authority})
    caller = f'kubectl() {{ {shlex.join(kubectl.command())} "$@"; }}\n'
    command = ["bash", "-euc", caller + shown("sh", namespace)]
    subprocess.run(command, env=kubectl.environment(), check=True, capture_output=True)
    text = shown("yaml", namespace)
    wanted = yaml.safe_load(text)
    flags = ("--server-side", "--dry-run=server", "--validate=strict", "-o", "yaml")
    taken = yaml.safe_load(kubectl("apply", *flags, "-f", "-", text=text))
    assert taken["spec"] == wanted["spec"]
    told = wanted["metadata"]["annotations"]
    assert told.items() <= taken["metadata"]["annotations"].items()

    entry = ObjectName(namespace, "partners")
    assert told[f"{NGINX}/proxy-ssl-name"] == host("policy", entry)
    assert told[f"{NGINX}/backend-protocol"] == "HTTPS"
    place, _, secret = told[f"{NGINX}/proxy-ssl-secret"].partition("/")
    held = crds.kubectl.within(place).json("get", "secret", secret)["data"]
    assert b64decode(held["ca.crt"]).decode() == authority["data"]["ca.crt"]
    ((path,),) = (rule["http"]["paths"] for rule in wanted["spec"]["rules"])
    assert path["path"] == "/v1"
    backend = path["backend"]["service"]
    assert backend["name"] == service_name("policy", entry.name)
    (port,) = service(Gateway("policy", entry), SITE)["spec"]["ports"]
    assert (backend["port"]["number"], port["appProtocol"]) == (port["port"], "https")

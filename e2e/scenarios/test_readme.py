"""README's Kubernetes section, run as it stands there: a line that is wrong fails here.

What a test cluster needs otherwise is said in SUBSTITUTED, and nothing else is changed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness import apps
from harness.helm import path as helm_program
from harness.installation import Installation, flags
from harness.kubectl import Kubectl
from harness.provider import Provider
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## In Kubernetes$(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh$(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = "sk-of-the-readme"
REGISTRY = "image.registry=registry.example.com/platform"
SUBSTITUTED = (
    # The release is there already, for all scenarios: the same line makes its next revision.
    ("helm install pointsman", "helm upgrade --install pointsman"),
    # Images are loaded onto the node.
    (f"--set {REGISTRY}", shlex.join(flags())),
    ("--namespace shop", '--namespace "$NAMESPACE"'),
)


def test_the_kubernetes_section_works_as_it_stands(
    installed: Installation, restricted: str, tmp_path: Path
) -> None:
    """Install, test, Secret, resources, annotation: then a call of the app is routed."""
    images, *install = _commands(0)
    assert images.startswith("make images "), "the fixture has built and loaded them by the same"
    use = _commands(1)
    kubectl = installed.cluster.kubectl.within(restricted)
    provider = Provider(installed.cluster, restricted, known_as="api.openai.com")
    right = {"match": {"header": {"authorization": f"Bearer {KEY}"}}, "do": {}}
    provider.script(right, {"do": {"status": 401}})
    app = apps.app("support")
    app["metadata"]["name"] = "app"
    kubectl.apply(app)
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    shell = _Shell(installed, kubectl, restricted, tmp_path)
    said = [shell.run(command, ROOT) for command in install]
    assert "Phase:          Succeeded" in said[-1]
    *first, status = use
    for command in first[:-1]:
        shell.run(command, ROOT / "crds" / "examples")
    kubectl("rollout", "status", "deployment/app", "--timeout=180s")
    everything = ("mpool/main", "rpol/support", "bud/blue-team")
    kubectl("wait", "--for=condition=Ready", *everything, "--timeout=180s")
    (model,) = apps.chat(kubectl)
    assert model.startswith("gpt-4o")
    table = shell.run(first[-1], ROOT)
    assert all(name.replace("mpool", "modelpool").split("/")[1] in table for name in everything)
    eventually(lambda: "app-" in shell.run(status, ROOT), 30)


class _Shell:
    """bash with kubectl, helm and pointsman on its path, as a person of this namespace."""

    def __init__(
        self, installed: Installation, kubectl: Kubectl, namespace: str, folder: Path
    ) -> None:
        kubectl("create", "serviceaccount", "ann")
        account = f"--serviceaccount={namespace}:ann"
        kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", account)
        path = installed.cluster.kubeconfig_for_service_account(namespace, "ann", seconds=3600)
        document = yaml.safe_load(path.read_text())
        document["contexts"][0]["context"]["namespace"] = namespace
        kubeconfig = folder / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(yaml.safe_dump(document))
        programs = folder / "bin"
        programs.mkdir()
        script = programs / "kubectl"
        program, *word = kubectl.using(kubeconfig).within("").command()
        script.write_text(f'#!/bin/sh\nexec {shlex.join([program, *word])} "$@"\n')
        script.chmod(0o755)
        (programs / "helm").symlink_to(helm_program())
        (programs / "pointsman").symlink_to(Path(sys.executable).parent / "pointsman")
        self._environment = {
            "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            "NAMESPACE": namespace,
            "OPENAI_API_KEY": KEY,
        }

    def run(self, command: str, folder: Path) -> str:
        """What a line prints; it must succeed."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def _commands(block: int) -> list[str]:
    """A block's lines, those that go on joined, without comments."""
    section = SECTION.search((ROOT / "README.md").read_text())
    assert section is not None
    text = BLOCK.findall(section[1])[block].replace("\\\n", " ")
    for words, instead in SUBSTITUTED:
        text = text.replace(words, instead)
    lines = (re.sub(r"\s+# .*$", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]

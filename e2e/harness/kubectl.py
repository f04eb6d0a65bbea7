"""kubectl of the cluster's own version, as users call it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

TIMEOUT_S = 240.0
"""Longer than any `--timeout` that a scenario gives it."""


class KubectlError(Exception):
    """kubectl ended with a status above 0; the message is what it wrote."""

    def __init__(self, arguments: Sequence[str], output: str) -> None:
        self.output = output
        super().__init__(f"kubectl {' '.join(arguments)}: {output.strip()}")


class Kubectl:
    """Callable: `kubectl("get", "pods")` returns what it prints, and raises where it fails."""

    def __init__(self, program: Path, kubeconfig: Path, home: Path, namespace: str = "") -> None:
        self._program = program
        self._kubeconfig = kubeconfig
        self._home = home
        self._namespace = namespace

    def __call__(
        self, *arguments: str | Path, text: str | None = None, within_s: float = TIMEOUT_S
    ) -> str:
        """Standard output; `text` goes to standard input. Raises KubectlError."""
        words = [str(argument) for argument in arguments]
        answer = subprocess.run(
            self.command(*words),
            input=text,
            capture_output=True,
            text=True,
            timeout=within_s,
            env=self.environment(),
            check=False,
        )
        if answer.returncode != 0:
            raise KubectlError(words, answer.stdout + answer.stderr)
        return answer.stdout

    def command(self, *arguments: str) -> list[str]:
        """The whole command line, for a test that keeps it running (with `environment`)."""
        place = [f"--namespace={self._namespace}"] if self._namespace else []
        return [str(self._program), "kubectl", *place, *arguments]

    def environment(self) -> dict[str, str]:
        """What it needs to know; nothing of the user's own configuration."""
        home = str(self._home)
        return {
            "KUBECONFIG": str(self._kubeconfig),
            "KUBECACHEDIR": f"{home}/kube-cache",
            "HOME": home,
            "PATH": "/usr/bin:/bin",
        }

    def within(self, namespace: str) -> Kubectl:
        """The same caller with another default namespace."""
        return Kubectl(self._program, self._kubeconfig, self._home, namespace)

    def using(self, kubeconfig: Path) -> Kubectl:
        """Another caller, by its kubeconfig."""
        return Kubectl(self._program, kubeconfig, self._home, self._namespace)

    def json(self, *arguments: str) -> dict[str, Any]:
        """The output of `… -o json`."""
        document: dict[str, Any] = json.loads(self(*arguments, "-o", "json"))
        return document

    def apply(self, *documents: Mapping[str, Any], server_side: bool = False) -> str:
        """Apply documents; kubectl's own words."""
        flags = ["--server-side"] if server_side else []
        text = yaml.safe_dump_all([dict(document) for document in documents])
        return self("apply", *flags, "-f", "-", text=text)

    def exec(self, pod: str, *command: str, container: str = "") -> str:
        """What a command in a pod prints."""
        place = [f"--container={container}"] if container else []
        return self("exec", pod, *place, "--", *command)

    def logs(self, pod: str, container: str = "", *, previous: bool = False) -> str:
        """What a container has written so far."""
        place = [f"--container={container}"] if container else []
        return self("logs", pod, *place, *(["--previous"] if previous else []))

"""PostgreSQL as a pod on a volume: Debian's server, in TLS only and by password."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import images, pods, volumes
from harness.binaries import UnavailableError
from harness.cluster import Cluster
from harness.images import NOBODY, Image
from support.postgresql_server import PORT, find_programs

NAME = "postgresql"
POD = f"{NAME}-0"
PROGRAMS = ("postgres", "initdb", "psql", "pg_isready")
DATA, TLS, TMP = "/data", "/tls", "/tmp"  # noqa: S108 - of the pod
PASSWD = f"postgres:x:{NOBODY}:{NOBODY}::{DATA}:/bin/sh\n"
START = f"""
[ -s {DATA}/main/PG_VERSION ] ||
  %(bin)s/initdb -D {DATA}/main -U postgres -A trust -N -E UTF8 --locale=C
printf 'local all all trust\\nhostssl all all all scram-sha-256\\n' > {TMP}/hba.conf
exec %(bin)s/postgres -D {DATA}/main -k {TMP} -c listen_addresses='*' -c hba_file={TMP}/hba.conf \
  -c ssl=on -c ssl_cert_file={TLS}/tls.crt -c ssl_key_file={TLS}/tls.key
"""


def image(folder: Path) -> Image:
    """This machine's server and all that it loads, with busybox for initdb's shell."""
    programs = _programs()
    version = programs.parent.name
    modules = [it for it in (programs.parent / "lib").glob("*.so") if "llvmjit" not in it.name]
    files = [*(programs / name for name in PROGRAMS), *modules]
    held: dict[str, Path | bytes] = {str(it): it for it in [*files, *_libraries(files)]}
    server = images.files_layer(folder / "postgresql.tar", held | {"/etc/passwd": PASSWD.encode()})
    shared = Path("/usr/share/postgresql") / version
    data = images.folder_layer(folder / "postgresql-share.tar", shared, str(shared))
    shell = images.busybox(folder)
    return Image("postgresql:1", (*shell.layers, server, data), shell.entrypoint)


class Postgresql:
    """One server in a namespace, with the cluster's authority; `Cluster.volume` came before."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._kubectl = cluster.kubectl.within(namespace)
        self.host = f"{NAME}.{namespace}.svc"
        issued = cluster.authority.issue(NAME, hosts=(self.host,))
        pair = {"tls.crt": issued.certificate, "tls.key": issued.key}
        self._kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{NAME}-tls"},
                "data": {key: base64.b64encode(text).decode() for key, text in pair.items()},
            },
            volumes.claim(NAME),
            _stateful_set(),
            pods.service(NAME, PORT, PORT),
        )
        self.wait()

    def wait(self) -> None:
        """Return when it serves."""
        for what in ("create", "condition=Ready"):
            self._kubectl("wait", f"--for={what}", f"pod/{POD}", "--timeout=90s")

    def kill(self) -> None:
        """Delete its pod, whose sessions are not waited for; another one is made."""
        self._kubectl("delete", "pod", POD)

    def ask(self, *statements: str, database: str = "postgres") -> str:
        """What psql prints as the administrator: rows without headings."""
        said = [part for one in statements for part in ("-c", one)]
        who = ("-h", TMP, "-U", "postgres", "-d", database)
        return self._kubectl.exec(POD, str(_programs() / "psql"), "-qAt", *who, *said).strip()


def _programs() -> Path:
    found = find_programs()
    if found is None:
        raise UnavailableError("no PostgreSQL server: apt-get install postgresql")
    return found


def _libraries(files: list[Path]) -> Iterator[Path]:
    """All that these are linked with, the loader included, where they look for it."""
    ldd = shutil.which("ldd")
    if ldd is None:
        raise UnavailableError("no ldd on the PATH")
    said = subprocess.run([ldd, *files], capture_output=True, text=True, check=True).stdout
    words = {word for line in said.splitlines() if not line.endswith(":") for word in line.split()}
    return (Path(word) for word in sorted(words) if word.startswith("/"))


def _stateful_set() -> dict[str, Any]:
    start = START % {"bin": _programs()}
    asked = [str(_programs() / "pg_isready"), "-q", "-h", TMP]
    mounts = {"data": DATA, "tls": TLS, "tmp": TMP}
    server = pods.container(
        NAME,
        *("sh", "-ec", start),
        image="localhost/postgresql:1",
        # It listens before it has recovered.
        readinessProbe={"exec": {"command": asked}, "periodSeconds": 1, "timeoutSeconds": 5},
        volumeMounts=[{"name": name, "mountPath": place} for name, place in mounts.items()],
    )
    held = [
        {"name": "data", "persistentVolumeClaim": {"claimName": NAME}},
        # As PostgreSQL insists: root's, and readable to its group at most.
        {"name": "tls", "secret": {"secretName": f"{NAME}-tls", "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {}},
    ]
    template = pods.spec(server, volumes=held)
    # The group owns the volume; below it the server's own modes stay, which it insists on as well.
    once = {"fsGroup": NOBODY, "fsGroupChangePolicy": "OnRootMismatch"}
    template["securityContext"] |= once
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
        },
    }

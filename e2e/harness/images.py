"""Container images made without a registry: archives that containerd imports.

An image is a list of layers and how to start it. Layers are tar files: of a folder, of single
files, or Debian's Python without a package manager. Production images are built from their
Dockerfiles instead; what `buildah push … docker-archive:` writes imports just the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.binaries import UnavailableError, cache, only_one

REGISTRY = "localhost"
"""What images are called after: a name that no pull would ever find."""
NOBODY = 65532
BUSYBOX = "busybox"
APPLETS = (
    *("sh", "cat", "echo", "env", "grep", "head", "httpd", "id", "ls", "nc", "nslookup", "sleep"),
    *("tail", "test", "touch", "true", "wc", "wget", "dd", "kill", "date", "seq", "trap"),
)
PYTHON_PACKAGES = ("python3-minimal", "libpython3-stdlib", "ca-certificates")


@dataclass(frozen=True)
class Image:
    """A name below `localhost/` with its tag, its layers from the bottom up, how it starts."""

    name: str
    layers: tuple[Path, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: int = NOBODY
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """What a pod names."""
        return f"{REGISTRY}/{self.name}"


def archive(image: Image, path: Path) -> Path:
    """Write an image as a docker-archive; returns the path."""
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Cmd": list(image.command),
            "User": str(image.user),
            "Env": [f"{key}={value}" for key, value in image.environment.items()],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in image.layers]},
        "history": [{"created_by": "pointsman test"} for _ in image.layers],
    }
    names = [f"layer{number}.tar" for number, _ in enumerate(image.layers)]
    manifest = [{"Config": "config.json", "RepoTags": [image.reference], "Layers": names}]
    with tarfile.open(path, "w") as tar:
        for name, document in (("config.json", config), ("manifest.json", manifest)):
            _add(tar, name, json.dumps(document).encode())
        for name, layer in zip(names, image.layers, strict=True):
            tar.add(layer, name)
    return path


def files_layer(
    path: Path, files: Mapping[str, Path | bytes], links: Mapping[str, str] | None = None
) -> Path:
    """A layer of executable files, by their absolute place, and links to them; returns its path."""
    with tarfile.open(path, "w") as tar:
        for place, source in files.items():
            content = source if isinstance(source, bytes) else source.read_bytes()
            _add(tar, place.lstrip("/"), content, mode=0o755)
        for place, target in (links or {}).items():
            entry = tarfile.TarInfo(place.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for folder in ("tmp",):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
    return path


def folder_layer(path: Path, folder: Path, place: str) -> Path:
    """A layer of a folder's content, owned by root; returns its path."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(path, "w") as tar:
        tar.add(folder, place.lstrip("/"), filter=owned)
    return path


def pause(folder: Path) -> Image:
    """What holds a pod's namespaces: catatonit waits and collects orphans."""
    layer = files_layer(folder / "pause.tar", {"/pause": _program("catatonit")})
    return Image("pause:1", (layer,), entrypoint=("/pause", "-P"))


def busybox(folder: Path) -> Image:
    """A shell and the usual small programs, statically linked."""
    links = {f"/bin/{applet}": f"/bin/{BUSYBOX}" for applet in APPLETS}
    layer = files_layer(folder / "busybox.tar", {f"/bin/{BUSYBOX}": _program(BUSYBOX)}, links)
    return Image("busybox:1", (layer,), entrypoint=("/bin/sh",))


def python(packages: Sequence[str] = PYTHON_PACKAGES) -> Image:
    """Debian's Python with its standard library and certificates, nothing else; made once."""
    return Image("python:3", (_debian(packages),), entrypoint=("/usr/bin/python3",))


def _debian(packages: Sequence[str]) -> Path:
    """A layer of unpacked Debian packages: 60 MB in six seconds, kept in the cache."""
    release = _release()
    digest = hashlib.sha256(" ".join((release, *packages)).encode()).hexdigest()[:16]
    path = cache() / "images" / f"{digest}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with only_one(path.with_suffix(".lock")):
        if not path.exists():
            fresh = path.with_suffix(".new.tar")
            argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract"]
            argv += [f"--include={','.join(packages)}", release, str(fresh)]
            made = subprocess.run(argv, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise UnavailableError(f"mmdebstrap failed: {made.stderr.strip()}")
            fresh.replace(path)
    return path


def _release() -> str:
    """The code name of this machine's Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    return told["VERSION_CODENAME"].strip('"')


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"no {name} on the PATH")
    return Path(found)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))

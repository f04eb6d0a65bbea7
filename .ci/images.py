"""Build both images: wheels on this machine, then a Dockerfile each that only copies.

Used by `make images` and by the cluster tests. What goes into an image is pinned by hash
(requirements/operator.txt, Cargo.lock); the build itself needs no network but for its base.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
CONTEXTS = ROOT / "build" / "images"
BUILDERS = ("docker", "podman", "buildah")
SITE = "/opt/pointsman"
"""Where the Dockerfiles put `site/`."""
EX_UNAVAILABLE = 69


@dataclass(frozen=True)
class Image:
    """One image: its name, where its Dockerfile is, and which packages lie in it."""

    name: str
    member: str
    requirements: str | None


IMAGES = (
    Image("pointsman-sidecar", "sidecar", None),
    Image("pointsman-operator", "operator", "operator"),
)


def main() -> int:
    """Prepare the contexts, build, and say what was built; 69 without a builder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builder", choices=BUILDERS, help="default: the first one installed")
    parser.add_argument("--base", help="base image; default: the Dockerfile's")
    parser.add_argument("--prefix", default="", help="e.g. registry.example.com/platform/")
    parser.add_argument("--tag", default=version(), help="default: the version of the packages")
    parser.add_argument("--profile", default="release", help="Cargo profile of the engine")
    parser.add_argument("--contexts-only", action="store_true", help="prepare, do not build")
    arguments = parser.parse_args()
    for image in IMAGES:
        print(f"{image.name}: unpacking what is pinned and built", flush=True)
        prepare(image, arguments.profile)
    if arguments.contexts_only:
        return 0
    builder = arguments.builder or next(filter(shutil.which, BUILDERS), None)
    if builder is None:
        print(f"none of {', '.join(BUILDERS)} is installed: apt-get install buildah")
        return EX_UNAVAILABLE
    for image in IMAGES:
        reference = f"{arguments.prefix}{image.name}:{arguments.tag}"
        build(builder, image, reference, arguments.base)
        print(f"built {reference}", flush=True)
    return 0


def version() -> str:
    """The version that both packages bear."""
    project = tomllib.loads((ROOT / "operator" / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def prepare(image: Image, profile: str) -> None:
    """Fill the image's context: `site/` and `sbom.cdx.json`."""
    context = CONTEXTS / image.member
    shutil.rmtree(context, ignore_errors=True)
    site = context / "site"
    site.mkdir(parents=True)
    if image.requirements is not None:
        pins = str(ROOT / "requirements" / f"{image.requirements}.txt")
        install = ["pip", "install", "--quiet", "--target", str(site), "--require-hashes"]
        run([str(BIN / "uv"), *install, "--python", str(BIN / "python"), "-r", pins])
        for left_over in ("bin", "include", ".lock"):
            remove(site / left_over)
    with tempfile.TemporaryDirectory() as folder:
        make_wheel(image, Path(folder), profile)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    compile_ahead(site)
    (context / "sbom.cdx.json").write_text(json.dumps(sbom(image, site), indent=1) + "\n")


def remove(path: Path) -> None:
    """A file or folder that installers leave behind and no program reads."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def compile_ahead(site: Path) -> None:
    """Bytecode beside the sources: a read-only root could keep none, and each start would compile.

    It bears the image's paths, not those of this machine, and no times.
    """
    told = ["-q", "-s", str(site), "-p", SITE, "--invalidation-mode", "unchecked-hash"]
    run([str(BIN / "python"), "-m", "compileall", *told, str(site)])


def make_wheel(image: Image, folder: Path, profile: str) -> None:
    """The member's wheel into a folder."""
    if image.member == "sidecar":
        maturin = [str(BIN / "maturin"), "build", "--quiet", "--locked", "--profile", profile]
        run(
            [*maturin, "--interpreter", sys.executable, "--out", str(folder)],
            ROOT / "sidecar",
            nameless() if profile == "release" else {},
        )
    else:
        build_wheel = ["build", "--quiet", "--wheel", "--no-build-isolation", "--python"]
        wheel = [str(BIN / "uv"), *build_wheel, str(BIN / "python"), "--out-dir", str(folder)]
        run([*wheel, str(ROOT / "operator")])


def sbom(image: Image, site: Path) -> dict[str, object]:
    """A CycloneDX 1.6 bill of materials: Python distributions, and for the sidecar its crates."""
    components = [
        component("pypi", *path.name.removesuffix(".dist-info").rsplit("-", 1))
        for path in sorted(site.glob("*.dist-info"))
    ]
    if image.member == "sidecar":
        components += [component("cargo", *crate) for crate in linked_crates()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "name": image.name, "version": version()},
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        },
        "components": components,
    }


def component(kind: str, name: str, number: str) -> dict[str, str]:
    """One library, named by its package URL."""
    plain = name.replace("_", "-").lower() if kind == "pypi" else name
    purl = f"pkg:{kind}/{plain}@{number}"
    return {"type": "library", "bom-ref": purl, "name": plain, "version": number, "purl": purl}


def linked_crates() -> list[tuple[str, str]]:
    """The crates that are linked into the engine's module, without those of builds and tests."""
    tree = ["tree", "--locked", "-p", "pointsman-py", "-e", "normal", "--prefix", "none"]
    said = subprocess.run(
        ["cargo", *tree, "--format", "{p}"],
        cwd=ROOT / "sidecar" / "engine",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {tuple(line.split()[:2]) for line in said.splitlines() if line}
    return sorted((name, number.removeprefix("v")) for name, number in found)


def build(builder: str, image: Image, reference: str, base: str | None) -> None:
    """Run one Dockerfile; nothing in it asks for the network."""
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()
    options = ["--build-arg", f"VERSION={version()}", "--build-arg", f"REVISION={revision}"]
    if base is not None:
        options += ["--build-arg", f"BASE={base}"]
    file = str(ROOT / image.member / "Dockerfile")
    context = str(CONTEXTS / image.member)
    run([builder, "build", "--network=none", "-f", file, "-t", reference, *options, context])


def nameless() -> dict[str, str]:
    """Variables that keep this machine's folders out of what is shipped.

    Other profiles go without: they would be compiled anew, apart from those that tests share.
    """
    cargo_home = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
    remaps = [f"--remap-path-prefix={place}={name}" for place, name in
              ((cargo_home, "/cargo"), (str(ROOT), "/pointsman"))]  # fmt: skip
    return {"RUSTFLAGS": " ".join([os.environ.get("RUSTFLAGS", ""), *remaps]).strip()}


def run(arguments: list[str], folder: Path = ROOT, more: Mapping[str, str] | None = None) -> None:
    """Run one program; its own output says what went wrong."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": path} | dict(more or {})
    status = subprocess.run(arguments, cwd=folder, env=environment, check=False).returncode
    if status != 0:
        raise SystemExit(f"failed with status {status}: {' '.join(arguments)}")


if __name__ == "__main__":
    sys.exit(main())

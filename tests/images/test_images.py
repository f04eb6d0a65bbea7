"""Both images as users build them: small, without a shell's need, a toolchain, a key or a path."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from harness.binaries import UnavailableError
from harness.fixtures import unavailable
from harness.production import NAMES, ROOT, Builder

pytestmark = pytest.mark.timeout(900)

SIDECAR_BYTES_MAX = 120 * 10**6
TOOLS = ("gcc", "cc", "cargo", "rustc", "pip", "pip3", "apt", "apt-get", "dpkg", "npm", "git")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Both images, built once for this file."""
    try:
        building = Builder(tmp_path_factory.mktemp("images"))
        building.build()
    except UnavailableError as error:
        unavailable(error)
    return building


@pytest.fixture(scope="module", params=NAMES)
def image(request: pytest.FixtureRequest, builder: Builder) -> tuple[str, Path]:
    """Each image's name and archive."""
    return request.param, builder.archive(request.param)


def test_the_sidecar_is_small(builder: Builder) -> None:
    """It is multiplied by every node."""
    assert builder.archive("pointsman-sidecar").stat().st_size <= SIDECAR_BYTES_MAX


def test_it_runs_as_nobody_and_without_a_shell(builder: Builder, image: tuple[str, Path]) -> None:
    """A numeric user, which `runAsNonRoot` can check, and an entrypoint that is a program."""
    config = builder.inspect(image[0])["OCIv1"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"][0] == "python3"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == image[0]
    assert labels["org.opencontainers.image.version"] != "0.0.0"


def test_it_holds_no_tools_keys_or_paths_of_this_machine(image: tuple[str, Path]) -> None:
    """Our own layers: sources, bytecode and libraries only, and no name of where they were made.

    The engine of a release is compiled without them, too; that of this test is the tests' own.
    """
    places = [str(ROOT).encode(), str(Path.home() / ".cache").encode()]
    for name, content in _own_files(image[1]):
        assert Path(name).name not in TOOLS, name
        assert not name.endswith((".pem", ".key")) or name.endswith("certifi/cacert.pem"), name
        for place in places if "/_engine." not in name else ():
            assert place not in content, f"{name} holds {place.decode()}"


def test_its_bill_of_materials_is_valid_and_whole(image: tuple[str, Path]) -> None:
    """CycloneDX 1.6 that names every distribution in it, and for the sidecar the crates."""
    files = dict(_own_files(image[1]))
    text = files["usr/share/pointsman/sbom.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = {each["purl"] for each in json.loads(text)["components"]}
    distributions = {
        Path(name).parent.name.removesuffix(".dist-info").rsplit("-", 1)[0]
        for name in files
        if name.endswith(".dist-info/METADATA")
    }
    for distribution in distributions:
        plain = distribution.replace("_", "-").lower()
        assert any(purl.startswith(f"pkg:pypi/{plain}@") for purl in components), distribution
    assert any(purl.startswith("pkg:cargo/hyper@") for purl in components) == (
        image[0] == "pointsman-sidecar"
    )


def test_it_names_the_licences_of_what_it_holds(image: tuple[str, Path]) -> None:
    """Apache-2.0 asks for LICENSE and NOTICE; the sidecar's crates for theirs."""
    names = [name for name, _ in _own_files(image[1])]
    assert any(name.endswith("licenses/NOTICE") for name in names)
    third_party = any(name.endswith("licenses/THIRD_PARTY.txt") for name in names)
    assert third_party == (image[0] == "pointsman-sidecar")


def _own_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file in the layers above the base."""
    with tarfile.open(archive) as outer:
        manifest = json.loads(_read(outer, "manifest.json"))[0]
        for layer in manifest["Layers"][1:]:
            with tarfile.open(fileobj=io.BytesIO(_read(outer, layer))) as tar:
                for member in tar:
                    if member.isfile():
                        yield member.name, _read(tar, member.name)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()

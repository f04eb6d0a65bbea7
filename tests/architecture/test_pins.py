"""What the project installs is pinned by hash, bound to no machine and no address."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from packaging.requirements import Requirement

from support.tree import ROOT, shown, tracked

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[.*\])?==(?P<version>\S+)")
# Written apart, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    f"{host}.{domain}"
    for host, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io/api"),
        ("static.crates", "io"),
        ("registry.npmjs", "org"),
        ("proxy.golang", "org"),
        ("deb.debian", "org"),
    )
)
MACHINE_PATHS = re.compile(rb"(?<![\w.~])/(?:work|root|home/[a-z]+|Users|tmp/wt)/[\w.-]+")


@pytest.mark.parametrize("path", tracked("requirements/*.txt"), ids=shown)
def test_every_pin_has_its_hashes(path: object) -> None:
    """`pip install --require-hashes` accepts the file: each entry is one version with hashes."""
    text = (ROOT / str(path)).read_text()
    entries = [entry for entry in re.split(r"\n(?=[^\s#])", text) if PIN.match(entry)]
    loose = [
        line for line in text.splitlines() if re.match(r"^[a-z-]", line) and not PIN.match(line)
    ]
    assert entries
    assert loose == []
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_pins_satisfy_the_operator() -> None:
    """What the package asks for is what its pins hold."""
    project = tomllib.loads((ROOT / "operator" / "pyproject.toml").read_text())["project"]
    text = (ROOT / "requirements" / "operator.txt").read_text()
    pinned = {m["name"]: m["version"] for m in map(PIN.match, text.splitlines()) if m}
    for wanted in map(Requirement, project["dependencies"]):
        assert wanted.name in pinned
        assert wanted.specifier.contains(pinned[wanted.name]), wanted


def test_the_sidecar_depends_on_nothing() -> None:
    """A sidecar is multiplied by every pod: its Python side is the standard library."""
    project = tomllib.loads((ROOT / "sidecar" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []


def test_no_address_of_a_registry_is_tracked() -> None:
    """The same files install from any mirror: no registry's host stands in one of them."""
    found = {
        shown(path): host
        for path in tracked()
        if path.name != "Cargo.lock"
        for host in REGISTRIES
        if host.encode() in path.read_bytes()
    }
    assert found == {}


def test_cargo_lock_names_only_the_index_everyone_has() -> None:
    """Cargo.lock's sources are cargo's own default name for crates, no mirror."""
    lock = tomllib.loads((ROOT / "sidecar" / "engine" / "Cargo.lock").read_text())
    sources = {package.get("source", "workspace") for package in lock["package"]}
    default = "registry+https://github.com/rust-lang/" + "crates" + ".io-index"
    assert sources <= {"workspace", default}


def test_npm_lock_holds_no_addresses() -> None:
    """The npm lock has hashes but no `resolved` addresses."""
    for path in tracked("*package-lock.json"):
        packages = json.loads(path.read_text())["packages"]
        assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_no_path_of_a_machine_is_tracked() -> None:
    """Nothing tracked names a folder of the machine that it was made on."""
    found = {
        shown(path): match.group().decode()
        for path in tracked()
        if path.suffix not in {".gz", ".png"} and (match := MACHINE_PATHS.search(path.read_bytes()))
    }
    assert found == {}

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.tree import ROOT, tracked
from support.wheels import Wheel

pytestmark = pytest.mark.timeout(600)

MIB = 1024 * 1024
THIRD_PARTY = "THIRD_PARTY.txt"
ENGINE_MIB = {"dev": 17, "demo": 10, "release": 8}
DATA = (
    "catalog/catalogue.json",
    "demo_data/questions.json.gz",
    "learn/artefacts/demo_models.json",
    "learn/artefacts/models.json",
    "learn/artefacts/rows.json.gz",
    "py.typed",
)
DIST_INFO = {
    *("METADATA", "RECORD", "WHEEL", "entry_points.txt"),
    *("licenses/LICENSE", "licenses/NOTICE"),
}


def test_the_operator_wheel_holds_the_package_and_nothing_else(operator_wheel: Wheel) -> None:
    """Every tracked file of the package is in it, data included, and no stray one."""
    held = operator_wheel.package()
    assert held == package("operator", "pointsman_operator")
    assert {f"pointsman_operator/{name}" for name in DATA} <= held
    assert set(operator_wheel.dist_info()) == DIST_INFO


def test_the_sidecar_wheel_holds_the_package_and_its_engine(sidecar_wheel: Wheel) -> None:
    """The Python files, their types and one native module; no Rust source, no build output."""
    held = sidecar_wheel.package()
    engine = "pointsman_sidecar/_engine.abi3.so"
    assert held == package("sidecar", "pointsman_sidecar") | {engine}
    assert {"pointsman_sidecar/py.typed", "pointsman_sidecar/_engine.pyi"} <= held
    assert set(sidecar_wheel.dist_info()) == DIST_INFO | {f"licenses/{THIRD_PARTY}"}


@pytest.mark.parametrize("name", ["operator_wheel", "sidecar_wheel"])
def test_both_carry_their_licence(name: str, request: pytest.FixtureRequest) -> None:
    """The licence, and whose data is in it, go with every copy."""
    wheel: Wheel = request.getfixturevalue(name)
    for notice in ("LICENSE", "NOTICE"):
        assert wheel.dist_info()[f"licenses/{notice}"] == (ROOT / notice).read_bytes()


def test_the_licence_of_every_linked_crate_goes_along(sidecar_wheel: Wheel) -> None:
    """Each crate that left its name in the engine is listed with its text, and no other's is."""
    held = sidecar_wheel.dist_info()[f"licenses/{THIRD_PARTY}"]
    assert held == (ROOT / "sidecar" / THIRD_PARTY).read_bytes()
    listed, *texts = held.decode().split(100 * "=")
    engine = sidecar_wheel.members()["pointsman_sidecar/_engine.abi3.so"]
    traces = re.findall(rb"/registry/src/[^/]+/([\w-]+?)-(\d+\.\d+\.\d+)/", engine)
    named = {f"{name.decode()} {version.decode()}" for name, version in traces}
    assert len(named) > 20
    for crate in named:
        assert f"  {crate}: " in listed, crate
        assert any(crate in owners.split(", ") for owners in map(str.strip, texts[::2])), crate
    for absent in ("proptest", "syn", "clap"):
        assert f"  {absent} " not in listed
    for licence in ("Permission is hereby granted, free of charge", "Apache License", "Copyright"):
        assert any(licence in text for text in texts[1::2])


def test_the_engine_fits_every_python_and_its_budget(
    tmp_path: Path, sidecar_wheel: Wheel, engine_profile: str
) -> None:
    """One module for CPython 3.11 and later (abi3), stripped, within its size budget."""
    assert sidecar_wheel.path.name.startswith("pointsman_sidecar-0.1.0-cp311-abi3-")
    engine = tmp_path / "_engine.abi3.so"
    engine.write_bytes(sidecar_wheel.members()[f"pointsman_sidecar/{engine.name}"])
    sections = subprocess.run(
        ["readelf", "--wide", "--sections", engine], capture_output=True, text=True, check=True
    ).stdout
    assert ".dynsym" in sections
    assert ".symtab" not in sections
    assert ".debug_info" not in sections
    assert engine.stat().st_size <= ENGINE_MIB[engine_profile] * MIB


@pytest.mark.parametrize("name", ["operator_wheel", "sidecar_wheel"])
def test_no_path_of_the_build_is_left(name: str, request: pytest.FixtureRequest) -> None:
    """A wheel built here says nothing of where it was built."""
    wheel: Wheel = request.getfixturevalue(name)
    told = str(ROOT).encode()
    assert [member for member, data in wheel.members().items() if told in data] == []


def test_what_each_wheel_asks_for(operator_wheel: Wheel, sidecar_wheel: Wheel) -> None:
    """The sidecar needs no package at all, the operator none that only tests or the demo need."""
    assert sidecar_wheel.metadata().get_all("Requires-Dist") is None
    asked = operator_wheel.metadata().get_all("Requires-Dist") or []
    always = {line.split(">")[0].split("<")[0] for line in asked if "extra ==" not in line}
    assert "openai" not in always
    assert "scikit-learn" not in always
    assert {"fastapi", "httpx", "uvicorn", "prometheus-client"} <= always


def package(member: str, name: str) -> set[str]:
    """The files that git knows of a package, as a wheel would name them."""
    folder = ROOT / member
    files = tracked(f"{member}/{name}")
    return {path.relative_to(folder).as_posix() for path in files}

"""What the documents name exists: make targets, commands, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pointsman_operator.cli.application import APPLICATION
from pointsman_sidecar.settings import PARSERS
from support.tree import ROOT, shown, tracked

README = (ROOT / "README.md").read_text()
PAGES = tracked("*.md")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def targets() -> set[str]:
    """What the Makefile documents."""
    return set(re.findall(r"^([a-z0-9]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands() -> set[str]:
    """What the command line has."""
    groups = {group.name for group in APPLICATION.registered_groups}
    return {f"{name}" for name in groups | {one.name for one in APPLICATION.registered_commands}}


def test_every_documented_target_is_phony() -> None:
    """`make test` works although a folder is called so."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert targets() == set(phony[1].split())


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    """No document sends a reader to a target that is not there."""
    named = set(re.findall(r"(?:`|^)make ([a-z0-9]+)", page.read_text(), re.MULTILINE))
    assert named - targets() == set()


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_command_that_is_named_exists(page: Path) -> None:
    """No document names a `pointsman` command that is not there."""
    named = set(re.findall(r"(?:`|^)pointsman ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named - commands() == set()


def test_the_readme_names_every_command() -> None:
    """A user finds each command in the README."""
    listed = re.search(r"`pointsman ([a-z |-]+)`, each", README)
    assert listed is not None
    assert set(listed[1].split(" | ")) == commands()


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Links between documents and to files hold."""
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_every_folder_of_the_map_exists() -> None:
    """The README's map of folders is the tree's."""
    named = re.findall(r"^\| `([a-z/]+)/` \|", README, re.MULTILINE)
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_ci_runs_everything() -> None:
    """What CI runs is `make test`, nothing less."""
    script = (ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("exec make test")


def test_every_setting_of_the_sidecar_is_documented() -> None:
    """Each POINTSMAN_ variable is on the sidecar's page."""
    page = (ROOT / "sidecar" / "README.md").read_text()
    missing = [name for name in PARSERS if f"`POINTSMAN_{name.upper()}`" not in page]
    assert missing == []

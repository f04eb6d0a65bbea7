"""The hub's settings: where they come from, and that all problems are told at once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from pointsman_operator.hub.gate import token_of
from pointsman_operator.hub.settings import read_settings


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    """What neither says has its default."""
    told = {"POINTSMAN_HUB_STATE": str(tmp_path), "POINTSMAN_HUB_ADDRESS": "127.0.0.1:1"}
    settings = read_settings(["--listen", "[::1]:0", "--restored"], told)
    assert (settings.host, settings.port) == ("::1", 0)
    assert (settings.state, settings.restored, settings.log_level) == (tmp_path, True, "info")
    assert settings.token_path == tmp_path / "token"
    assert read_settings([], told).port == 1


def test_the_environment_can_say_everything(tmp_path: Path) -> None:
    """Also a flag, and where the token lies."""
    told = {
        "POINTSMAN_HUB_STATE": str(tmp_path),
        "POINTSMAN_HUB_RESTORED": "true",
        "POINTSMAN_HUB_TOKEN_FILE": str(tmp_path / "elsewhere"),
        "POINTSMAN_HUB_ANNOUNCE": "",
    }
    settings = read_settings([], told)
    assert settings.restored
    assert settings.token_path == tmp_path / "elsewhere"
    assert settings.announce is None


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Three wrong settings, three problems."""
    arguments = ["--state", str(tmp_path / "none"), "--listen", "4620", "--log-level", "loud"]
    with pytest.raises(ValidationError) as caught:
        read_settings(arguments, {})
    wrong = {problem["loc"] for problem in caught.value.errors()}
    assert wrong == {("state",), ("address",), ("log_level",)}


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    """A certificate without its key is a mistake, not plain HTTP."""
    certificate = tmp_path / "tls.crt"
    certificate.touch()
    with pytest.raises(ValidationError, match="belong together"):
        read_settings(["--state", str(tmp_path), "--tls-cert", str(certificate)], {})


def test_a_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600; the next start finds the same."""
    path = tmp_path / "token"
    token = token_of(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of(path) == token


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [(0o644, "secret", "chmod 600"), (0o600, " \n", "is empty")],
    ids=["readable by others", "empty"],
)
def test_a_token_that_protects_nothing_is_refused(
    tmp_path: Path, mode: int, content: str, said: str
) -> None:
    """The message says what to do, and does not say the token."""
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ValueError, match=said) as caught:
        token_of(path)
    assert "secret" not in str(caught.value)

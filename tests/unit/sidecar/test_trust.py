"""The hub's authority: given at the start, followed in the mount, never replaced by rubbish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trustme

from pointsman_sidecar.settings import SettingsError, read_settings
from pointsman_sidecar.trust import HubTrust


def pem() -> str:
    """A bundle of one certificate."""
    return trustme.CA().cert_pem.bytes().decode()


def test_the_mounts_bundle_takes_over(tmp_path: Path) -> None:
    """A rotated authority reaches a running sidecar; rubbish and absence leave what was given."""
    given, rotated, mounted = pem(), pem(), tmp_path / "tables" / "ca.crt"
    file = tmp_path / "state" / "hub-ca.pem"
    trust = HubTrust(given, mounted, file)
    trust.refresh()
    assert file.read_text() == given
    assert file.stat().st_mode & 0o777 == 0o600
    mounted.parent.mkdir()
    mounted.write_text(rotated)
    trust.refresh()
    assert file.read_text() == rotated
    mounted.write_text("rubbish")
    trust.refresh()
    assert file.read_text() == given


def test_the_settings_of_a_pod_are_taken_whole(tmp_path: Path) -> None:
    """What the injector puts into a pod is what the sidecar starts with, in either IP family."""
    environment = {
        "POINTSMAN_HUB_URL": "https://pointsman-hub.pointsman.svc:443",
        "POINTSMAN_HUB_TOKEN_FILE": "/var/run/pointsman/token/token",
        "POINTSMAN_HUB_CA": pem(),
        "POINTSMAN_TABLE_PATH": "/var/run/pointsman/tables",
        "POINTSMAN_LABELS_FILE": "/var/run/pointsman/pod/labels",
        "POINTSMAN_STATE_DIR": str(tmp_path),
        "POINTSMAN_SIDECAR": "uid",
        "POINTSMAN_ADMIN_ADDRESS": "fd00::a:4618",
    }
    settings = read_settings(environment)
    document = json.loads(settings.engine_config())
    assert document["hub"]["caFile"] == str(tmp_path / "hub-ca.pem")
    assert document["admin"]["address"] == "[fd00::a]:4618"
    four = read_settings(environment | {"POINTSMAN_ADMIN_ADDRESS": "10.0.0.7:4618"})
    assert four.admin_address == "10.0.0.7:4618"


@pytest.mark.parametrize(
    "wrong",
    [
        {"POINTSMAN_HUB_CA": "not PEM"},
        {"POINTSMAN_STATE_DIR": ""},
        {"POINTSMAN_HUB_CA_FILE": "/ca"},
        {"POINTSMAN_ADMIN_ADDRESS": "fd00::zz:4618"},
    ],
)
def test_what_cannot_be_is_said(wrong: dict[str, str]) -> None:
    """A bundle that is none, or that nobody could keep, ends the start with its name."""
    environment = {
        "POINTSMAN_HUB_URL": "https://hub:443",
        "POINTSMAN_HUB_TOKEN_FILE": "token",
        "POINTSMAN_SIDECAR": "uid",
        "POINTSMAN_HUB_CA": pem(),
        "POINTSMAN_STATE_DIR": "state",
    }
    with pytest.raises(SettingsError, match=r"POINTSMAN_(HUB_CA|ADMIN_ADDRESS)"):
        read_settings(environment | wrong)

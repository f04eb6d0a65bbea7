"""The injector's command line: it teaches, and it says everything that is wrong at once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from pointsman_operator.injector.settings import InjectorSettings, read_settings

GOOD = {
    "POINTSMAN_INJECTOR_IMAGE": "i",
    "POINTSMAN_INJECTOR_HUB_URL": "https://hub.ns.svc:443/",
    "POINTSMAN_INJECTOR_NAMESPACE": "ns",
    "POINTSMAN_INJECTOR_TLS_CERT": "/tls/tls.crt",
    "POINTSMAN_INJECTOR_TLS_KEY": "/tls/tls.key",
}


def test_the_command_line_wins_over_the_environment() -> None:
    """Flags first; defaults are the chart's."""
    settings = read_settings(["--image", "other"], GOOD)
    assert settings.image == "other"
    assert settings.hub_url == "https://hub.ns.svc:443"
    assert settings.listen.endswith(":8443")
    assert settings.for_pods().image == "other"
    traced = read_settings(
        ["--otlp-endpoint", "http://c:4318/", "--otlp-sample-percent", "7"], GOOD
    )
    pods = traced.for_pods()
    assert (pods.otlp_endpoint, pods.otlp_sample_percent) == ("http://c:4318", "7")


def test_all_problems_are_said_at_once() -> None:
    """Nobody starts a program five times to learn five things."""
    with pytest.raises(ValidationError) as problems:
        read_settings(
            ["--listen", "nowhere", "--hub-url", "hub", "--otlp-endpoint", "http://a:b@c"], {}
        )
    where = {problem["loc"][0] for problem in problems.value.errors()}
    needed = {"image", "namespace", "tls_cert", "tls_key"}
    assert where == needed | {"hub_url", "listen", "otlp_endpoint"}


def test_help_teaches_every_setting() -> None:
    """Each option is there with its variable; wrong settings exit with 64."""
    argv = [sys.executable, "-P", "-m", "pointsman_operator.injector"]
    told = subprocess.run([*argv, "--help"], capture_output=True, text=True, check=True).stdout
    for name in InjectorSettings.model_fields:
        assert f"--{name.replace('_', '-')}" in told
    assert told.count("(needed)") == 5
    wrong = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": ""})
    assert wrong.returncode == 64
    assert "image: " in wrong.stderr

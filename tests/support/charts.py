"""The chart as Helm renders it, object by object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.helm import Helm

CHART = Path(__file__).resolve().parents[2] / "charts" / "pointsman"
RELEASE, HOME = "pointsman", "pointsman-system"
MONITORING = "monitoring.coreos.com/v1"

Object = dict[str, Any]


def flags(values: Mapping[str, Any]) -> list[str]:
    """Command line options that set dotted values, whatever their type."""
    return [part for key, value in values.items() for part in ("--set-json", _set(key, value))]


def rendered(helm: Helm, values: Mapping[str, Any] | None = None, *more: str) -> list[Object]:
    """Every object of a release that Helm would install; hooks included."""
    text = helm("template", RELEASE, CHART, "--namespace", HOME, *flags(values or {}), *more)
    return [document for document in yaml.safe_load_all(text) if document]


def one(objects: list[Object], kind: str, name: str, namespace: str | None = HOME) -> Object:
    """The only object of a kind with this name; cluster-scoped ones have no namespace."""
    (found,) = [
        each
        for each in objects
        if (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace"))
        == (kind, name, namespace)
    ]
    return found


def _set(key: str, value: Any) -> str:
    return f"{key}={json.dumps(value)}"

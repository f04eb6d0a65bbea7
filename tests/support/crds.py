"""The generated CRDs as an API server applies them: jsonschema and a CEL interpreter.

An oracle for the pydantic models that shares no code with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import celpy
import jsonschema
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError

from pointsman_operator.api import BY_KIND
from pointsman_operator.generate.schema import structural


def schema_of(kind: str) -> dict[str, Any]:
    """The spec's structural schema."""
    return _schemas()[kind]


def accepted(document: dict[str, Any]) -> bool:
    """Whether an API server with strict field validation would store the document."""
    schema = schema_of(document["kind"])
    filled = defaulted(document.get("spec"), schema)
    validator = jsonschema.Draft202012Validator(closed(schema))
    if not validator.is_valid(filled) or not _distinct(filled, schema):
        return False
    return broken_rules(document) == []


def broken_rules(document: dict[str, Any]) -> list[str]:
    """Messages of the CEL rules that a document breaks, after defaulting."""
    schema = schema_of(document["kind"])
    return list(_broken(defaulted(document["spec"], schema), schema))


def rules_of(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """All rules of a schema."""
    yield from schema.get("x-kubernetes-validations", ())
    for member in schema.get("properties", {}).values():
        yield from rules_of(member)
    if "items" in schema:
        yield from rules_of(schema["items"])


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """The value with the schema's defaults, top down, as the API server fills them in."""
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        # An unknown member without a value stays: the API server refuses its name all the same.
        filled = {k: member for k, member in value.items() if member is not None or k not in known}
        for name, member in known.items():
            if name not in filled and "default" in member:
                filled[name] = member["default"]
            if name in filled:
                filled[name] = defaulted(filled[name], member)
        return filled
    if isinstance(value, list) and "items" in schema:
        return [defaulted(item, schema["items"]) for item in value]
    return value


def _broken(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not _holds(rule["rule"], value):
            yield rule["message"]
    if isinstance(value, dict):
        for name, member in schema.get("properties", {}).items():
            if name in value:
                yield from _broken(value[name], member)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from _broken(item, schema["items"])


def _holds(rule: str, value: Any) -> bool:
    try:
        return bool(_program(rule).evaluate({"self": json_to_cel(value)}))
    except CELEvalError:
        return False  # as the API server: a rule that cannot be evaluated refuses


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule), functions={"lowerAscii": _lower_ascii})


def _lower_ascii(text: Any) -> Any:
    """Kubernetes' extension of CEL that our rules use."""
    return celtypes.StringType(str(text).lower())


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return {name: structural(kind.spec) for name, kind in BY_KIND.items()}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """With unknown fields refused, as `kubectl apply` asks the server to."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {k: closed(v) for k, v in schema["properties"].items()}
        strict["additionalProperties"] = False
    if "items" in schema:
        strict["items"] = closed(schema["items"])
    return strict


def _distinct(value: Any, schema: dict[str, Any]) -> bool:
    """What list types say: maps by key, sets as a whole."""
    if isinstance(value, dict):
        members = schema.get("properties", {})
        return all(_distinct(value[name], members[name]) for name in value if name in members)
    if not isinstance(value, list):
        return True
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys", [])
    seen: list[str] = []
    if kind == "map":
        seen = [repr([item[key] for key in keys]) for item in value]
    elif kind == "set":
        seen = [repr(item) for item in value]
    return len(seen) == len(set(seen)) and all(_distinct(item, schema["items"]) for item in value)

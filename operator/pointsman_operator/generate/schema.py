"""pydantic's JSON schema -> Kubernetes' structural OpenAPI v3 schema.

What cannot be said there is refused, never dropped. Called by `crds`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = frozenset(
    {
        *("description", "type", "format", "enum", "default", "pattern", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
        *("minProperties", "maxProperties", "required"),
        *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
)
_DROPPED = frozenset({"title", "$defs"})


class UnsupportedSchemaError(Exception):
    """A pydantic construct that a structural schema cannot express; says where."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model: no references, nulls, unions or closed objects."""
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}), model.__name__)


def _convert(schema: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    flat = _flattened(schema, definitions, where)
    if "const" in flat:
        flat["enum"] = [flat.pop("const")]
    made: Schema = {}
    for key, value in _stored(flat).items():
        if key == "description":
            made[key] = " ".join(value.split())
        elif key in _KEPT:
            made[key] = value
        elif key == "properties":
            made[key] = {
                name: _convert(member, definitions, f"{where}.{name}")
                for name, member in value.items()
            }
        elif key == "items":
            made[key] = _convert(value, definitions, f"{where}[]")
        elif key == "additionalProperties":
            if isinstance(value, dict):
                made[key] = _convert(value, definitions, f"{where}.*")
        elif key not in _DROPPED:
            message = f"{where}: {key} has no place in a structural schema"
            raise UnsupportedSchemaError(message)
    return _checked(_with_plain_default(made, where), where)


def _stored(schema: Schema) -> Schema:
    """Without the empty map that the API server drops: Helm takes that for someone's change."""
    return {key: value for key, value in schema.items() if (key, value) != ("properties", {})}


def _flattened(schema: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """References inlined and `X | null` folded; what stands beside them wins over what they say."""
    beside = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf", "allOf"}}
    if "$ref" in schema:
        inner = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return {**_flattened(inner, definitions, where), **beside}
    if "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            message = f"{where}: a union of {len(choices)} types"
            raise UnsupportedSchemaError(message)
        if beside.get("default", ...) is None:
            del beside["default"]
        return {**_flattened(choices[0], definitions, where), **beside}
    if "allOf" in schema:
        message = f"{where}: allOf"
        raise UnsupportedSchemaError(message)
    return dict(schema)


def _with_plain_default(schema: Schema, where: str) -> Schema:
    """Defaults as an API server should fill them in.

    An absent object becomes all of its members' defaults, written out: the API server holds a
    default against the object's rules before it fills anything in. Empty lists and objects that
    would stay empty are left absent: stored objects hold what somebody meant.
    """
    default = schema.get("default")
    if not isinstance(default, list | dict):
        return schema
    rest = {key: value for key, value in schema.items() if key != "default"}
    if isinstance(default, list):
        if default:
            message = f"{where}: a list's default must be empty"
            raise UnsupportedSchemaError(message)
        return rest
    members = schema.get("properties", {})
    filled = {name: m["default"] for name, m in members.items() if "default" in m}
    scalars = {k: v for k, v in default.items() if v is not None and not isinstance(v, list | dict)}
    if any(filled.get(name) != value for name, value in scalars.items()):
        message = f"{where}: the default differs from its members' defaults"
        raise UnsupportedSchemaError(message)
    return {**rest, "default": filled} if filled else rest


def _checked(schema: Schema, where: str) -> Schema:
    """Structural schemas name every type; unbounded strings and lists make CEL's cost unbounded."""
    if "type" not in schema:
        message = f"{where}: has no type"
        raise UnsupportedSchemaError(message)
    bounds = {"array": "maxItems", "string": "maxLength"}
    bound = bounds.get(schema["type"])
    if bound is not None and bound not in schema and "enum" not in schema:
        message = f"{where}: needs {bound}"
        raise UnsupportedSchemaError(message)
    return schema

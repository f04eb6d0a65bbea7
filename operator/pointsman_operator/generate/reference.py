"""`crds/README.md`: every field of every kind, from the same schemas. Called by `__main__`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pointsman_operator.api.kinds import KINDS, Kind
from pointsman_operator.api.meta import GROUP, VERSION
from pointsman_operator.api.problems import ProblemCode
from pointsman_operator.generate.crds import definition

_INTRODUCTION = f"""# Custom resources

Group `{GROUP}`, version `{VERSION}`, namespaced. `kubectl get pointsman` lists all three kinds.
Minimal examples, each compiled by a test: [examples/](examples/). The compiled form is the route
table: [routetable.schema.json](routetable.schema.json).

This page is generated from the models by `make gen`; do not edit it.

Money is a decimal string in dollars (`"0.25"`), never a float. Shares are integers 0-100.
Durations are written as in Go (`500ms`, `30s`, `1h30m`).
"""


def reference_text() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    parts += ["\n".join(_kind(kind)) for kind in KINDS]
    parts.append("\n".join(_problems()))
    return "\n".join(parts)


def _kind(kind: Kind) -> Iterator[str]:
    crd = definition(kind)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {kind.name} (`{kind.short}`)\n"
    yield f"{schema['description']}\n"
    for part in ("spec", "status"):
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        yield from _fields(part, schema["properties"][part])
        yield ""
        rules = list(_rules(part, schema["properties"][part]))
        if rules:
            yield "Beyond types:\n"
            yield from (f"- `{path}`: {message}" for path, message in rules)
            yield ""


def _fields(path: str, schema: dict[str, Any]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, member in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        need = ", required" if name in required else ""
        yield f"| `{here}` | {_type(member)}{need} | {_meaning(member)} |"
        inner = member.get("items", member)
        suffix = "[]" if "items" in member else ""
        yield from _fields(here + suffix, inner)


def _rules(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for name, member in schema.get("properties", {}).items():
        suffix = "[]" if "items" in member else ""
        yield from _rules(f"{path}.{name}{suffix}", member.get("items", member))


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        limit = schema["maxItems"]
        return f"list of {_type(schema['items'])}, at most {limit}"
    if "additionalProperties" in schema:
        return f"map to {_type(schema['additionalProperties'])}"
    if schema["type"] == "integer" and "minimum" in schema and "maximum" in schema:
        return f"integer {schema['minimum']}-{schema['maximum']}"
    return str(schema["type"])


def _meaning(schema: dict[str, Any]) -> str:
    text = " ".join(str(schema.get("description", "")).split()).replace("|", "\\|")
    default = schema.get("default")
    plain = default is not None and not isinstance(default, (dict, list))
    return f"{text} Default: `{default}`." if plain else text


def _problems() -> Iterator[str]:
    yield "## Reasons\n"
    yield "Codes of problems, which are also the reasons of conditions.\n"
    yield "| code | meaning |"
    yield "|---|---|"
    for code in ProblemCode:
        yield f"| `{code.value}` | {code.meaning} |"
    yield ""

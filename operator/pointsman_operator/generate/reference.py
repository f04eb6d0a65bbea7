"""`docs/reference/KIND.md`: every field of a kind, from the same schemas. Called by `__main__`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pointsman_operator.api.kinds import KINDS, Kind
from pointsman_operator.api.meta import GROUP, VERSION
from pointsman_operator.generate.conditions import of_kind
from pointsman_operator.generate.crds import definition

EXAMPLES = Path(__file__).resolve().parents[3] / "crds" / "examples"
"""Each is compiled by a test; a page shows the first one of its kind."""

_INDEX = f"""# Custom resources

Group `{GROUP}`, version `{VERSION}`, namespaced. `kubectl get pointsman` lists all kinds. The files
here are generated from the models by `make gen`; the chart installs the same definitions.

| kind | short | what it is |
|---|---|---|
"""

_MORE = """
Minimal examples, each compiled by a test: [examples/](examples/). The compiled form is the route
table: [routetable.schema.json](routetable.schema.json). Conditions and their reasons:
[conditions](../docs/reference/conditions.md).
"""

_INTRODUCTION = """This page is generated from the models by `make gen`; do not edit it.

Money is a decimal string in dollars (`"0.25"`), never a float. Shares are integers 0-100.
Durations are written as in Go (`500ms`, `30s`, `1h30m`).
"""


def reference_files() -> dict[str, str]:
    """Path from the root of the checkout -> text: a page a kind, and an index of them."""
    pages = {f"docs/reference/{_file(kind)}": "\n".join(_page(kind)) for kind in KINDS}
    rows = [
        f"| [{kind.name}](../docs/reference/{_file(kind)}) | `{kind.short}` | {_says(kind)} |\n"
        for kind in KINDS
    ]
    return {**pages, "crds/README.md": "".join((_INDEX, *rows, _MORE))}


def _file(kind: Kind) -> str:
    return f"{kind.name.lower()}.md"


def _says(kind: Kind) -> str:
    return " ".join((kind.resource.__doc__ or "").split())


def _page(kind: Kind) -> Iterator[str]:
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"# {kind.name}\n"
    yield f"{_says(kind)} Group `{GROUP}`, version `{VERSION}`, short name `{kind.short}`.\n"
    yield _INTRODUCTION
    yield from _example(kind)
    for title, part in (("What you write", "spec"), ("What the controller answers", "status")):
        yield f"## {title}\n"
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        yield from _fields(part, schema["properties"][part])
        yield ""
        rules = list(_rules(part, schema["properties"][part]))
        if rules:
            yield "Beyond types, refused by the API server:\n"
            yield from (f"- `{path}`: {message}" for path, message in rules)
            yield ""
    yield from _columns(kind)
    yield "## Conditions\n"
    yield "What they mean and what to do about each reason: [conditions](conditions.md).\n"
    yield from of_kind(kind.name)
    yield ""


def _example(kind: Kind) -> Iterator[str]:
    """The first document of the kind in the examples, as it stands there."""
    for path in sorted(EXAMPLES.glob("*.yaml")):
        for document in path.read_text("utf-8").split("---\n"):
            if yaml.safe_load(document)["kind"] == kind.name:
                yield f"From [{path.name}](../../crds/examples/{path.name}):\n"
                yield f"```yaml\n{document.strip()}\n```\n"
                return


def _columns(kind: Kind) -> Iterator[str]:
    yield f"`kubectl get {kind.short}` prints, with `-o wide` also those in brackets:\n"
    yield "| column | from |"
    yield "|---|---|"
    for column in kind.columns:
        name = f"({column.name})" if column.priority else column.name
        yield f"| {name} | `{column.path.lstrip('.')}` |"
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

"""Rules beyond types, each stated once for two judges: CEL in the cluster, Python for files.

`Struct` (meta.py) runs the rules of a whole object; `Rule` itself annotates a single field.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """One statement about a value: `cel` for the API server, `holds` for us."""

    cel: str
    message: str
    holds: Callable[[Any], bool]

    def check(self, value: Any) -> Any:
        """Return the value; raises ValueError where the rule does not hold."""
        if not self.holds(value):
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Run after the field's own validation."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the CEL form to the field's schema."""
        return with_rules(handler(schema), (self,))


@dataclass(frozen=True)
class Distinct:
    """Annotates a list whose items differ, by a member or as a whole.

    The API server's list types say the same.
    """

    key: str = ""

    def check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items; raises ValueError on the first repetition."""
        repeated = first_repeated(getattr(item, self.key) if self.key else item for item in items)
        if repeated is not None:
            message = f"{repeated!r} appears twice"
            raise ValueError(message)
        return items

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Run after the list's own validation."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say it in Kubernetes' list types."""
        kind = {"x-kubernetes-list-type": "set"}
        if self.key:
            kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}  # type: ignore[dict-item]
        return {**handler(schema), **kind}


def first_repeated(items: Iterable[Hashable]) -> Hashable | None:
    """The first item that was there before; None where all differ."""
    seen: set[Hashable] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def with_rules(schema: JsonSchemaValue, rules: tuple[Rule, ...]) -> JsonSchemaValue:
    """A schema with the CEL of these rules added."""
    if not rules:
        return schema
    stated = [{"rule": rule.cel, "message": rule.message} for rule in rules]
    return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, []), *stated]}

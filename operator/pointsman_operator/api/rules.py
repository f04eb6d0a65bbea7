"""Rules beyond types, each stated once for two judges: CEL in the cluster, Python for files.

`Struct` (meta.py) runs the rules of a whole object; a `Check` annotates a single field.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_snake
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

VALIDATIONS = "x-kubernetes-validations"


class Check(ABC):
    """Annotates a field: run after its own validation, and stated in its schema."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return the value; raises ValueError where it is not as it must be."""

    @abstractmethod
    def state(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """The schema with the same said to the API server."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Run after the field's own validation."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say it in the schema."""
        return self.state(handler(schema))


@dataclass(frozen=True)
class Rule(Check):
    """One statement about a value: `cel` for the API server, `holds` for us."""

    cel: str
    message: str
    holds: Callable[[Any], bool]
    remedy: str = ""
    """What to do, where the message does not say it."""

    def check(self, value: Any) -> Any:
        """Return the value; raises BrokenRulesError where the rule does not hold."""
        if not self.holds(value):
            raise BrokenRulesError((self,))
        return value

    def state(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Add the CEL form."""
        return with_rules(schema, (self,))


class BrokenRulesError(ValueError):
    """A value that breaks rules; says which, and what to do."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        super().__init__("; ".join(rule.message for rule in rules))
        self.remedy = "; ".join(rule.remedy for rule in rules if rule.remedy)


@dataclass(frozen=True)
class Distinct(Check):
    """Annotates a list whose items differ, by a member or as a whole.

    The API server's list types say the same.
    """

    key: str = ""

    def check(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items; raises ValueError on the first repetition."""
        repeated = first_repeated(getattr(item, self.key) if self.key else item for item in value)
        if repeated is not None:
            message = f"{repeated!r} appears twice"
            raise ValueError(message)
        return value

    def state(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Say it in Kubernetes' list types."""
        if not self.key:
            return {**schema, "x-kubernetes-list-type": "set"}
        keys = {"x-kubernetes-list-map-keys": [self.key]}
        return {**schema, "x-kubernetes-list-type": "map", **keys}


def only_with(action: str, member: str) -> Rule:
    """The rule that a member is there exactly for one action; `member` as in YAML."""
    attribute = to_snake(member)
    return Rule(
        cel=f"(self.action == '{action}') == has(self.{member})",
        message=f"{member} belongs to action: {action}, and only to it",
        holds=lambda one: (one.action == action) == (getattr(one, attribute) is not None),
    )


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

"""What all resources share: metadata, references, names, conditions, the base models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from pointsman_operator.api import bounds
from pointsman_operator.api.rules import BrokenRulesError, Distinct, Rule, with_rules

GROUP = "pointsman.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
DEFAULT_NAMESPACE = "default"

BY_NAME = Distinct("name")
"""A list map: server-side apply merges it by name, and names are unique."""
SET = Distinct()
"""A list of distinct scalars."""

Task = Literal["code", "math", "extraction", "translation", "summary", "chat", "other"]
TASKS: tuple[Task, ...] = ("code", "math", "extraction", "translation", "summary", "chat", "other")
"""Task types, in the order of the features' one-hot block (docs/contracts.md section 5)."""

Name = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=bounds.NAME_LENGTH),
]
"""A DNS label."""
ModelName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", min_length=1, max_length=bounds.NAME_LENGTH),
]
"""A model's name within its pool."""
ModelRef = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        max_length=2 * bounds.NAME_LENGTH + 1,
    ),
]
"""`pool/model`."""
Glob = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9*][A-Za-z0-9*._:/@+-]*$", min_length=1, max_length=bounds.GLOB_LENGTH
    ),
]
"""A model name in which `*` stands for any characters."""
Region = Name
"""Where a model computes, in your own words (`eu`, `eu-central-1`): compared letter by letter."""
Regions = Annotated[
    tuple[Region, ...], Field(min_length=1, max_length=bounds.REGIONS_PER_LIST), SET
]
Text = Annotated[str, Field(min_length=1, max_length=bounds.TEXT_LENGTH)]
Percent = Annotated[int, Field(ge=0, le=bounds.PERCENT)]
"""An integer share, 0-100."""
BARRED = (
    "^https?://(169[.]254[.]|0[.]0[.]0[.]0|100[.]100[.]100[.]200|168[.]63[.]129[.]16"
    "|(?i:metadata[.]google[.]internal)"
    "|[^A-Za-z0-9](fe[89abAB]|[fF][dD]00:[eE][cC]2:|::[^0-9A-Fa-f:]|::[fF]{4}:169[.]254[.]))"
)
"""Hosts that no model has and that give away a cloud's secrets. Sidecars look at addresses, too."""
Url = Annotated[
    str,
    Field(
        pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
        max_length=bounds.URL_LENGTH,
    ),
    Rule(
        cel=f"!self.matches('{BARRED}')",
        message="link-local addresses and a cloud's metadata are no provider's",
        remedy="name the host that serves the model",
        holds=lambda url: re.match(BARRED, url) is None,
    ),
]
"""`scheme://host[:port][/prefix]`, without user, query or fragment."""

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key"}
)
"""Headers that carry secrets: their values may not be matched, because tables hold what is matched
(I7)."""


class Struct(BaseModel):
    """A part of a resource: JSON types taken literally, unknown fields refused, immutable."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = tuple(rule for rule in self.RULES if not rule.holds(self))
        if broken:
            raise BrokenRulesError(broken)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the CEL form of the rules."""
        return with_rules(handler.resolve_ref_schema(handler(schema)), cls.RULES)


class ObjectMeta(BaseModel):
    """The part of Kubernetes' metadata that compiling needs.

    The rest is Kubernetes' own and ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, alias_generator=to_camel)

    name: Name
    namespace: Name = DEFAULT_NAMESPACE
    labels: dict[str, str] = {}
    generation: int = 0
    creation_timestamp: str = ""


@dataclass(frozen=True, order=True)
class ObjectName:
    """A namespaced name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, order=True)
class ObjectRef:
    """An object: kind, namespace, name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Kind namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}"


HeaderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=bounds.NAME_LENGTH),
    Rule(
        cel=f"!(self.lowerAscii() in {sorted(SECRET_HEADERS)!r})",
        message="a header that carries a secret cannot be matched",
        holds=lambda name: name.lower() not in SECRET_HEADERS,
    ),
]
"""A request header's name, any case."""


class HeaderMatch(Struct):
    """A request header and the values that match."""

    name: HeaderName
    """Header name, any case. Headers that carry secrets (`authorization`, `cookie`, …) are
    refused."""
    values: Annotated[tuple[Text, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Exact values; none: the header's presence matches."""


class Condition(Struct):
    """One observation about a resource."""

    type: Annotated[str, Field(max_length=bounds.NAME_LENGTH)]
    """What is observed."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=bounds.NAME_LENGTH)]
    """Why, as one word for machines."""
    message: Annotated[str, Field(max_length=bounds.MESSAGE_LENGTH)] = ""
    """Why, and what to do, for people."""
    observed_generation: int = 0
    """The generation of the spec that was looked at."""
    last_transition_time: Annotated[str, Field(max_length=bounds.TIME_LENGTH)] | None = None
    """When `status` last changed, RFC 3339."""


class Status(Struct):
    """The part that all statuses share."""

    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=bounds.CONDITIONS),
        Distinct("type"),
    ] = ()
    """Observations; `Ready` is the summary."""


class Resource(BaseModel):
    """A custom resource as read from a file or the API server."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        # Of "all" strings that it has read the parser keeps 16,384: one more with each edit, for
        # hours, and nobody asks for them again.
        cache_strings="keys",
    )

    KIND: ClassVar[str]

    api_version: Literal["pointsman.dev/v1alpha1"]
    kind: str
    metadata: ObjectMeta

    @property
    def ref(self) -> ObjectRef:
        """Which object this is."""
        return ObjectRef(self.KIND, self.metadata.namespace, self.metadata.name)

    @property
    def object_name(self) -> ObjectName:
        """Its namespaced name."""
        return ObjectName(self.metadata.namespace, self.metadata.name)

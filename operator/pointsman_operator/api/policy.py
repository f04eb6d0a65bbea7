"""RoutingPolicy: which workloads it serves, what it looks at, and which route a request takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.meta import (
    BY_NAME,
    SET,
    Glob,
    HeaderMatch,
    Name,
    ObjectName,
    Regions,
    Resource,
    Status,
    Struct,
    Task,
    Text,
)
from pointsman_operator.api.route import Route
from pointsman_operator.api.rules import Rule, only_with

Names = Annotated[tuple[Name, ...], Field(max_length=bounds.SIGNALS_PER_LIST), SET]
Globs = Annotated[tuple[Glob, ...], Field(max_length=bounds.NAMES_PER_LIST), SET]
LabelValue = Annotated[str, Field(max_length=bounds.NAME_LENGTH)]


class Selector(Struct):
    """Workloads by label."""

    match_labels: Annotated[
        dict[str, LabelValue], Field(min_length=1, max_length=bounds.LABELS_PER_SELECTOR)
    ]
    """All must be on the workload's pods."""


class Gateway(Struct):
    """An entry for callers outside pods, who show an API key (`pointsman keys`)."""

    replicas: Annotated[int, Field(ge=1, le=bounds.GATEWAY_REPLICAS)] = 2
    """Pods that serve it; a key's limits hold for each of them."""


class Target(Struct):
    """Whom the policy serves."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.selector) || !has(self.gateway)",
            message="at most one of selector and gateway",
            holds=lambda t: t.selector is None or t.gateway is None,
        ),
    )

    selector: Selector | None = None
    """Workloads of the policy's namespace; default: all of them."""
    gateway: Gateway | None = None
    """Callers outside pods instead, through Pods, Service and URL of the policy's own (see
    `status.gateway.url`). Only in namespaces that the chart's `gatewayNamespaces` lists."""


class PoolRef(Struct):
    """A ModelPool."""

    name: Name
    """Its name, also the first part of `POOL/MODEL`."""
    namespace: Name | None = None
    """Default: the policy's own; another one must allow it."""


class TokenRange(Struct):
    """Estimated prompt tokens, both bounds included."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.min) || has(self.max)",
            message="at least one of min and max",
            holds=lambda t: t.min is not None or t.max is not None,
        ),
        Rule(
            cel="!has(self.min) || !has(self.max) || self.min <= self.max",
            message="min must not be above max",
            holds=lambda t: t.min is None or t.max is None or t.min <= t.max,
        ),
    )

    min: Annotated[int, Field(ge=0, le=bounds.TOKENS)] | None = None
    """At least."""
    max: Annotated[int, Field(ge=0, le=bounds.TOKENS)] | None = None
    """At most."""


_SIGNAL_KINDS = ("detector", "header", "keywords", "models", "task", "tokens")


class Signal(Struct):
    """A named statement about a request; exactly one kind."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="["
            + ", ".join(f"has(self.{kind})" for kind in _SIGNAL_KINDS)
            + "].exists_one(k, k)",
            message="exactly one of " + ", ".join(_SIGNAL_KINDS),
            holds=lambda s: sum(getattr(s, kind) is not None for kind in _SIGNAL_KINDS) == 1,
        ),
    )

    name: Name
    """What rules call it."""
    detector: Literal["PII"] | None = None
    """`PII`: an e-mail address, IBAN or card number (with valid checksum) in any message."""
    header: HeaderMatch | None = None
    """A request header."""
    keywords: (
        Annotated[tuple[Text, ...], Field(min_length=1, max_length=bounds.NAMES_PER_LIST), SET]
        | None
    ) = None
    """Whole words in the last user message, any case; one is enough."""
    models: (
        Annotated[tuple[Glob, ...], Field(min_length=1, max_length=bounds.NAMES_PER_LIST), SET]
        | None
    ) = None
    """The requested model's name; one glob is enough."""
    task: Task | None = None
    """The kind of work, as recognised in the last user message."""
    tokens: TokenRange | None = None
    """The prompt's estimated length."""


class When(Struct):
    """When a rule applies: all members hold; an absent one does."""

    any_of: Names = ()
    """At least one of these signals."""
    all_of: Names = ()
    """Every one of these signals."""
    none_of: Names = ()
    """None of these signals."""
    models: Globs = ()
    """The requested model's name; `*` stands for any characters."""


class RoutingRule(Struct):
    """When, and where to."""

    name: Name
    """For records and explanations."""
    when: When = When()
    """Default: always."""
    route: Route
    """Candidates and how to choose."""


class DefaultAction(Struct):
    """What happens to a model name that no rule takes and no model bears."""

    RULES: ClassVar[tuple[Rule, ...]] = (only_with("Route", "route"),)

    action: Literal["Deny", "PassThrough", "Route"] = "Deny"
    """`Deny`: 404 model_not_found; `PassThrough`: to the pools' only provider under the caller's
    own model name, at the dearest price of the pools; `Route`: by a route of its own."""
    route: Route | None = None
    """For action: Route."""


class Residency(Struct):
    """Where requests may be answered, whatever the rules say."""

    allowed_regions: Regions
    """Models of other regions, or of none, do not exist for this policy. What a pool's
    `constraints` forbid stays forbidden."""


class RoutingPolicySpec(Struct):
    """How requests choose among models."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.rules) || self.rules.all(r, !has(r.when) || ["
            + ", ".join(
                f"!has(r.when.{member}) || r.when.{member}.all(n, has(self.signals) && "
                "self.signals.exists(s, s.name == n))"
                for member in ("anyOf", "allOf", "noneOf")
            )
            + "].all(ok, ok))",
            message="a rule names a signal that spec.signals does not define",
            holds=lambda s: not undefined_signals(s),
        ),
    )

    target: Target = Target()
    """Whom the policy serves."""
    priority: Annotated[int, Field(ge=-bounds.PRIORITY, le=bounds.PRIORITY)] = 0
    """Where two policies select one workload the higher serves it; then the older."""
    pools: Annotated[
        tuple[PoolRef, ...], Field(min_length=1, max_length=bounds.POOLS_PER_POLICY), BY_NAME
    ]
    """Where models come from."""
    signals: Annotated[
        tuple[Signal, ...], Field(max_length=bounds.SIGNALS_PER_POLICY), BY_NAME
    ] = ()
    """What rules look at."""
    rules: Annotated[
        tuple[RoutingRule, ...], Field(max_length=bounds.RULES_PER_POLICY), BY_NAME
    ] = ()
    """The first that applies decides."""
    default: DefaultAction = DefaultAction()
    """What happens where none applies: first a model or alias of the requested name, then this."""
    residency: Residency | None = None
    """Default: whatever the pools allow."""


def undefined_signals(spec: RoutingPolicySpec) -> list[str]:
    """Names that rules use and no signal bears, sorted."""
    defined = {signal.name for signal in spec.signals}
    used = {
        name
        for rule in spec.rules
        for name in (*rule.when.any_of, *rule.when.all_of, *rule.when.none_of)
    }
    return sorted(used - defined)


class GatewayStatus(Struct):
    """The policy's own entry."""

    url: Annotated[str, Field(max_length=bounds.URL_LENGTH)]
    """Base URL for SDKs, inside the cluster."""
    ready: Annotated[str, Field(max_length=bounds.SHARE_LENGTH)] = "0/0"
    """Replicas that take calls, of those that are wanted."""


class RoutingPolicyStatus(Status):
    """What is true of the policy."""

    table_digest: Annotated[str, Field(max_length=bounds.DIGEST_LENGTH)] = ""
    """The table that it compiles to."""
    models: int = 0
    """Models that it can route to."""
    rules: int = 0
    """Rules with at least one candidate."""
    pods: int = 0
    """Running pods that this policy serves."""
    injected: Annotated[str, Field(max_length=bounds.SHARE_LENGTH)] = "0/0"
    """Pods that have a router, of those that ask for one."""
    programmed: Annotated[str, Field(max_length=bounds.SHARE_LENGTH)] = "0/0"
    """Routers that run this table, of those that there are."""
    gateway: GatewayStatus | None = None
    """For target: gateway."""


class RoutingPolicy(Resource):
    """How the requests of some workloads choose a model."""

    KIND: ClassVar[str] = "RoutingPolicy"

    kind: Literal["RoutingPolicy"]
    spec: RoutingPolicySpec
    status: dict[str, Any] = Field(default={})

    @cached_property
    def pool_names(self) -> Mapping[ObjectName, str]:
        """The pools that it names, with the name that its rules use.

        Kept: who uses which pool is asked anew after every edit of any of a thousand policies.
        """
        own = self.metadata.namespace
        return MappingProxyType(
            {ObjectName(ref.namespace or own, ref.name): ref.name for ref in self.spec.pools}
        )

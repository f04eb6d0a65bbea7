"""RouteTable version 1 as it crosses the border (docs/contracts.md 1): shape, bytes, digest.

The writer's half of a pair of assertions; the reader's is
`sidecar/engine/core/src/{table,check}.rs`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from pointsman_operator.catalog.providers import Quirk
from pointsman_operator.compile.table_budget import TableBudget
from pointsman_operator.compile.table_part import Count, Part, Picodollars, Share, TableHeader

ProviderType = Literal[
    "OpenAI",
    "OpenAICompatible",
    "SelfHosted",
    "Anthropic",
    "Gemini",
    "Vertex",
    "Bedrock",
    "AzureOpenAI",
]
Surface = Literal["Completions", "Responses"]


CLOUDS: dict[ProviderType, str] = {"AzureOpenAI": "azure", "Bedrock": "aws", "Vertex": "google"}
"""Whose identity a pod has at a provider, as reports say it."""


class TableName(Part):
    """A namespaced object."""

    namespace: str
    name: str


class TableCredential(Part):
    """A key's place, never the key."""

    secret: str
    key: str
    env: str
    """The provider's usual variable; empty: none is usual."""

    def name(self, _type: ProviderType) -> str:
        """As reports name it."""
        return f"{self.secret}/{self.key}"


class TableIdentity(Part):
    """The pod's own identity at its cloud, in place of a key."""

    workload: Literal[True] = True

    def name(self, type_: ProviderType) -> str:
        """As reports name it."""
        return f"workload-identity/{CLOUDS[type_]}"


class TableWay(Part):
    """The way to a model of another namespace: its pool's gateway."""

    audience: str
    """Whose tickets it takes."""


class TableProvider(Part):
    """How a model is reached."""

    type: ProviderType
    """The format, and how a key is shown."""
    label: str
    """Provider in metrics, spend and catalogue."""
    model: str
    """Sent upstream: as `model`, or in the path."""
    base_url: Annotated[str, Field(alias="baseURL")]
    simulated: bool
    credential: TableCredential | TableIdentity | None = None
    gateway: TableWay | None = None
    """Set on models of other namespaces: a ticket goes there, no key."""
    allowed_hosts: tuple[str, ...]
    """Well-known hosts of the provider; the Secret's entry `allowed-hosts` adds to them."""
    stream_end: Literal["Done", "Eof"]
    cap_field: str
    endpoints: Literal["Service", "Pods"] | None = None
    """The hub tells the addresses (event `fleet`); absent: `baseURL` is the only one."""
    surfaces: tuple[Surface, ...] | None = None
    """What it speaks beside the format of its type: calls of these pass unchanged."""
    quirks: tuple[Quirk, ...] | None = None
    """Where a compatible server differs from OpenAI; sorted."""
    api_version: str | None = None
    """AzureOpenAI: sent as `?api-version=`."""
    region: str | None = None
    """Bedrock: what requests are signed for."""

    @property
    def known_by(self) -> str:
        """What reports call the credential; empty: none."""
        return self.credential.name(self.type) if self.credential is not None else ""


class TableMedia(Part):
    """Picodollars of sound and images."""

    input: Picodollars | None = None
    """A token that is sent; absent: as text's."""
    output: Picodollars | None = None
    """A token that is made; absent: as text's."""
    unit: Picodollars | None = None
    """A second that is written down, a character that is read aloud, an image that is made."""


class TablePricing(Part):
    """Picodollars a token."""

    input: Picodollars
    cached_input: Picodollars | None = None
    cache_write: Picodollars | None = None
    """Prompt tokens that the provider caches for some minutes."""
    cache_write_long: Picodollars | None = None
    """For an hour; there exactly where `cacheWrite` is."""
    output: Picodollars
    media: TableMedia | None = None
    """Sound and images; absent: they are billed as text."""
    source: Literal["catalogue", "pool", "gpuHour"]
    as_of: str | None = None


class TableQuality(Part):
    """Percent of good answers."""

    prior: Share
    by_task: dict[str, Share]


class TableLength(Part):
    """Expected output tokens a call."""

    default: Count
    by_task: dict[str, Count]


class TableHead(Part):
    """A logistic head, micro units; features in the order of docs/contracts.md section 5."""

    digest: str
    bias: int
    weights: tuple[int, ...]


class TableLimits(Part):
    """What its provider allows all who call a model together. Absent: no such limit."""

    account: str
    """`namespace/pool/model`, whatever a policy calls the model: shares are of that."""
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    max_in_flight: Count | None = None


class TableModel(Part):
    """One callable model."""

    name: str
    pool: TableName
    aliases: tuple[str, ...]
    tier: Annotated[int, Field(ge=0, le=9)]
    provider: TableProvider
    pricing: TablePricing
    capabilities: tuple[str, ...]
    context_window: Count
    max_output_tokens: Count
    quality: TableQuality | None = None
    output_tokens: TableLength
    head: TableHead | None = None
    region: str | None = None
    """Where it computes; told with `allowedRegions` alone."""
    allowed_regions: tuple[str, ...] | None = None
    """Where pool and policy let it compute: readers refuse a table whose model is elsewhere. None:
    anywhere."""
    limits: TableLimits | None = None
    """None behind a gateway, which holds the shares itself."""


class TableTokens(Part):
    """Estimated prompt tokens, inclusive."""

    min: Count | None = None
    max: Count | None = None


class TableSignal(Part):
    """Exactly one kind is present."""

    name: str
    detector: Literal["PII"] | None = None
    task: str | None = None
    tokens: TableTokens | None = None
    header: TableHeader | None = None
    keywords: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None


class TableWhen(Part):
    """All four hold; an empty one does."""

    any_of: tuple[str, ...]
    all_of: tuple[str, ...]
    none_of: tuple[str, ...]
    models: tuple[str, ...]


class TableCandidate(Part):
    """A model within a route."""

    model: str
    weight: Count
    priority: Count


class TableAim(Part):
    """Quality aims."""

    target_percent: Share
    floor: Share
    lambda0: int
    """Micro-probability a dollar."""


class TableRetries(Part):
    """Attempts."""

    max_attempts: Annotated[int, Field(ge=1, le=255)]
    budget_percent: Share
    min_per_second: Count


class TableTimeouts(Part):
    """Milliseconds."""

    first_token_ms: Count
    stream_idle_ms: Count
    total_ms: Count


class TableOverflow(Part):
    """When the next candidate takes over."""

    on_saturated: bool
    on_cold_start: bool
    on_error: bool


class TableHoldBack(Part):
    """Whichever is first; at least one is there."""

    tokens: Count | None = None
    ms: Count | None = None


class TableRoute(Part):
    """Candidates in order; without any, requests that come here are refused."""

    strategy: Literal["Quality", "Failover", "Weighted", "Cheapest"]
    candidates: tuple[TableCandidate, ...]
    quality: TableAim | None = None
    retries: TableRetries
    timeouts: TableTimeouts
    hold_back: TableHoldBack | None = None
    """Of a stream after its first content. Absent: nothing."""
    overflow: TableOverflow | None = None
    """Absent: always."""
    priority: Literal["Low", "High"] | None = None
    """Who is refused first where room is short. Absent: Normal. Older readers treat all alike."""
    untranslatable: Literal["Refuse"] | None = None
    """What the chosen model's format has no word for. Absent: dropped, and said."""


class TableRule(Part):
    """The first that holds decides."""

    name: str
    when: TableWhen
    route: TableRoute


class TableDefault(Part):
    """What happens to a model name that nothing takes."""

    action: Literal["Deny", "PassThrough", "Route"]
    route: TableRoute | None = None


class TableGateway(Part):
    """Who may call a pool's gateway."""

    namespaces: tuple[str, ...] | None = None
    """Other namespaces; none: all."""


Reader = Literal[1, 2, 3, 4, 5]
"""Versions of reading. Older sidecars go on with every table that does not need the newer one."""
FIRST_TYPES = frozenset({"OpenAI", "OpenAICompatible", "SelfHosted"})
"""What readers before 3 speak."""


def least_reader(models: Iterable[TableModel], routes: Iterable[TableRoute] = ()) -> Reader:
    """The oldest reader that does what the table says.

    2: models by pod selector, or by a gateway (it has no ticket). 3: types with formats of their
    own, dated versions of Azure's API, refusals in place of losses. 4: workload identity. 5:
    streams that are held back, limits of models, which older ones would go beyond.
    """
    models, routes = tuple(models), tuple(routes)
    if any(route.hold_back is not None for route in routes) or any(
        model.limits is not None for model in models
    ):
        return 5
    ways = [model.provider for model in models]
    if TableIdentity() in [way.credential for way in ways]:
        return 4
    if any(way.type not in FIRST_TYPES for way in ways) or any(
        route.untranslatable is not None for route in routes
    ):
        return 3
    return 2 if any(way.endpoints == "Pods" or way.gateway is not None for way in ways) else 1


class RouteTable(Part):
    """One policy's slice of the world."""

    version: Literal[1] = 1
    min_reader: Reader = 1
    """The oldest reader that understands this table: `least_reader`."""
    policy: TableName
    catalogue: str
    """Digest of the price catalogue behind the prices."""
    models: tuple[TableModel, ...]
    """By name."""
    signals: tuple[TableSignal, ...]
    """By name."""
    rules: tuple[TableRule, ...]
    """In order."""
    default: TableDefault
    budgets: tuple[TableBudget, ...]
    """By namespace and name."""
    gateway: TableGateway | None = None
    """Present in the table of a pool's gateway, which has models and Budgets alone."""
    removed: Literal[True] | None = None
    """Present where the policy was deleted (the hub makes that table): nothing else is in it."""

    def canonical(self) -> bytes:
        """The bytes that are published: keys sorted, no whitespace, UTF-8, no null."""
        document = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()


def digest(data: bytes) -> str:
    """`sha256:` and the hex digest of canonical bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()

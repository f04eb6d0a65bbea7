"""ModelPool: which models there are, where they run, what they cost and how good they are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.meta import (
    BY_NAME,
    SET,
    Glob,
    ModelName,
    Name,
    Percent,
    Regions,
    Resource,
    Status,
    Struct,
)
from pointsman_operator.api.money import PriceUsd
from pointsman_operator.api.provider import Provider
from pointsman_operator.api.rules import Rule, first_repeated
from pointsman_operator.api.self_hosted import SelfHosted

Capability = Literal[
    "chat",
    "json",
    "tools",
    "vision",
    "audio",
    "embeddings",
    "transcription",
    "speech",
    "images",
]
COUNTED_FOR = {"Minute": "transcription", "MCharacters": "speech", "Image": "images"}
"""What a model does that is billed by what is counted, by the unit's name."""


class UnitPrice(Struct):
    """A price by what is counted instead of by the token."""

    per: Literal["Minute", "MCharacters", "Image"]
    """A minute of sound that is written down, a million characters that are read aloud, an image
    that is made."""
    price: PriceUsd
    """Dollars, as a decimal string."""


class MediaPricing(Struct):
    """What sound and images cost, where that is not what text costs."""

    input_per_mtok: Annotated[PriceUsd | None, Field(alias="inputPerMTok")] = None
    """Their tokens in what is sent; default: pricing.inputPerMTok."""
    output_per_mtok: Annotated[PriceUsd | None, Field(alias="outputPerMTok")] = None
    """Their tokens in what is made; default: pricing.outputPerMTok."""
    unit: UnitPrice | None = None
    """For models that are not billed by the token, beside token prices of 0."""


class Pricing(Struct):
    """Dollars per million tokens, as decimal strings; overrides the catalogue."""

    input_per_mtok: Annotated[PriceUsd, Field(alias="inputPerMTok")]
    """Prompt tokens."""
    cached_input_per_mtok: Annotated[PriceUsd | None, Field(alias="cachedInputPerMTok")] = None
    """Prompt tokens that the provider had cached; default: as prompt tokens."""
    output_per_mtok: Annotated[PriceUsd, Field(alias="outputPerMTok")]
    """Answer tokens, reasoning included."""
    cache_write_per_mtok: Annotated[PriceUsd | None, Field(alias="cacheWritePerMTok")] = None
    """Prompt tokens that the provider puts into its cache for some minutes; default: 1.25 times
    inputPerMTok for Claude at Anthropic and Bedrock, inputPerMTok for others."""
    cache_write_long_per_mtok: Annotated[PriceUsd | None, Field(alias="cacheWriteLongPerMTok")] = (
        None
    )
    """The same for an hour; default: twice inputPerMTok for Claude at Anthropic and Bedrock,
    cacheWritePerMTok for others."""
    media: MediaPricing | None = None
    """Sound and images."""


class PercentByTask(Struct):
    """A percentage for each task type."""

    code: Percent | None = None
    """Writing, fixing or reading programs."""
    math: Percent | None = None
    """Calculation and proof."""
    extraction: Percent | None = None
    """Pulling fields out of text."""
    translation: Percent | None = None
    """From one language to another."""
    summary: Percent | None = None
    """Shortening text."""
    chat: Percent | None = None
    """Conversation."""
    other: Percent | None = None
    """Everything else."""


class Quality(Struct):
    """How often this model's answer is good, in percent.

    Overrides the catalogue and the learned head.
    """

    prior: Percent
    """Over all tasks."""
    by_task: PercentByTask = PercentByTask()
    """Where it differs by task."""


class ModelLimits(Struct):
    """What the provider allows all who call the model together; sidecars hold shares of it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.requestsPerMinute) || has(self.tokensPerMinute) || has(self.maxInFlight)",
            message="at least one of requestsPerMinute, tokensPerMinute and maxInFlight",
            holds=lambda m: m.requests_per_minute or m.tokens_per_minute or m.max_in_flight,
        ),
    )

    requests_per_minute: Annotated[int, Field(ge=1, le=bounds.UNITS_PER_MINUTE)] | None = None
    """Calls in any minute."""
    tokens_per_minute: Annotated[int, Field(ge=1, le=bounds.UNITS_PER_MINUTE)] | None = None
    """Tokens of prompts and answers in any minute; a call that runs counts by an estimate."""
    max_in_flight: Annotated[int, Field(ge=1, le=bounds.IN_FLIGHT)] | None = None
    """Calls at once."""


class PoolModel(Struct):
    """One model of the pool."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.provider) != has(self.selfHosted)",
            message="exactly one of provider and selfHosted",
            holds=lambda m: (m.provider is None) != (m.self_hosted is None),
        ),
        Rule(
            cel="!has(self.pricing) || !has(self.selfHosted) || !has(self.selfHosted.cost)",
            message="at most one of pricing and selfHosted.cost",
            holds=lambda m: not (m.pricing and m.self_hosted and m.self_hosted.cost),
        ),
        Rule(
            cel="!has(self.maxOutputTokens) || !has(self.contextWindow) "
            "|| self.maxOutputTokens <= self.contextWindow",
            message="maxOutputTokens must not be above contextWindow",
            holds=lambda m: (
                m.max_output_tokens is None
                or m.context_window is None
                or m.max_output_tokens <= m.context_window
            ),
        ),
        Rule(
            cel="!has(self.pricing) || !has(self.pricing.media) || !has(self.pricing.media.unit) "
            "|| (has(self.capabilities) && (self.pricing.media.unit.per == 'Minute' "
            "? 'transcription' : self.pricing.media.unit.per == 'Image' ? 'images' : 'speech') "
            "in self.capabilities)",
            message="pricing.media.unit needs what is counted in capabilities: transcription for "
            "Minute, speech for MCharacters, images for Image",
            holds=lambda m: (
                m.pricing is None
                or m.pricing.media is None
                or m.pricing.media.unit is None
                or COUNTED_FOR[m.pricing.media.unit.per] in (m.capabilities or ())
            ),
        ),
    )

    name: ModelName
    """Policies, metrics and records call it `POOL/NAME`."""
    aliases: Annotated[tuple[Glob, ...], Field(max_length=bounds.ALIASES_PER_MODEL), SET] = ()
    """Other names under which callers may ask for it; `*` stands for any characters."""
    tier: Annotated[int, Field(ge=0, le=bounds.TIER)] = 0
    """0-9; a Budget's Downgrade keeps models up to its maxTier."""
    provider: Provider | None = None
    """A model behind somebody's API."""
    self_hosted: SelfHosted | None = None
    """A model that you run yourself."""
    pricing: Pricing | None = None
    """Default: the catalogue. A model without a price is refused, never free."""
    quality: Quality | None = None
    """Default: the learned head, then the catalogue."""
    capabilities: Annotated[
        tuple[Capability, ...] | None, Field(max_length=bounds.CAPABILITIES), SET
    ] = None
    """What the model can do; default: the catalogue, `[chat]` for self-hosted models."""
    context_window: Annotated[int, Field(ge=1, le=bounds.TOKENS)] | None = None
    """Tokens of prompt and answer together; default: the catalogue."""
    max_output_tokens: Annotated[int, Field(ge=1, le=bounds.TOKENS)] | None = None
    """Most tokens of an answer; default: the catalogue, then contextWindow."""
    limits: ModelLimits | None = None
    """Over the whole fleet; where they are used up, calls go to the next candidate, else they wait
    a little and get 429."""

    @property
    def region(self) -> str | None:
        """Where it computes, whoever runs it."""
        where = self.provider or self.self_hosted
        return where.region if where else None


class AllowedNamespaces(Struct):
    """Whose policies may use the pool."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.from == 'Names') == (has(self.names) && size(self.names) > 0)",
            message="names belongs to from: Names, and only to it",
            holds=lambda a: (a.source == "Names") == bool(a.names),
        ),
    )

    source: Annotated[Literal["Same", "All", "Names"], Field(alias="from")] = "Same"
    """`Same`: the pool's own namespace; `All`; `Names`: those listed, and its own."""
    names: Annotated[tuple[Name, ...], Field(max_length=bounds.NAMES_PER_LIST), SET] = ()
    """Namespaces, for `from: Names`."""

    def admits(self, namespace: str) -> bool:
        """Whether policies of another namespace may use the pool."""
        return self.source == "All" or namespace in self.names


class Constraints(Struct):
    """What holds for whoever uses the pool: policies may tighten it, never loosen it."""

    allowed_regions: Regions | None = None
    """Models of other regions, or of none, are refused; so is `default: PassThrough`, which would
    reach models that nobody gave a region."""


class ModelPoolSpec(Struct):
    """Which models there are."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.models.all(m, !has(m.aliases) || m.aliases.all(a, self.models.exists_one("
            "n, has(n.aliases) && a in n.aliases)))",
            message="an alias belongs to one model",
            holds=lambda s: first_repeated(a for m in s.models for a in m.aliases) is None,
        ),
    )

    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    """Whose policies may use this pool."""
    constraints: Constraints = Constraints()
    """The owner's floor."""
    models: Annotated[
        tuple[PoolModel, ...], Field(min_length=1, max_length=bounds.MODELS_PER_POOL), BY_NAME
    ]
    """The models, by name."""


class TargetStatus(Struct):
    """How one model's calls go, as the sidecars that use it see it."""

    name: ModelName
    """The model."""
    closed: int = 0
    """Sidecars that call it."""
    half_open: int = 0
    """Sidecars that probe whether it is back."""
    open: int = 0
    """Sidecars that leave it alone, because its calls fail."""
    error: Annotated[str, Field(max_length=bounds.NAME_LENGTH)] | None = None
    """Why most of those do that do not call it freely: the class of the error (docs/faults.md)."""
    down_since: Annotated[str, Field(max_length=bounds.TIME_LENGTH)] | None = None
    """Since when all sidecars try it last, because several found it down."""
    near_limit: Literal["requestsPerMinute", "tokensPerMinute", "maxInFlight"] | None = None
    """Which of its `limits` is nearly used up, or refuses calls."""
    refusing_since: Annotated[str, Field(max_length=bounds.TIME_LENGTH)] | None = None
    """Since when calls wait for that limit in vain and get 429; until none did for a minute."""


class ModelPoolStatus(Status):
    """What is true of the pool."""

    models: int = 0
    """Models that can be used."""
    refused: int = 0
    """Models that cannot, for the reasons in the conditions."""
    policies: int = 0
    """Policies that route to it."""
    endpoints: Annotated[str, Field(max_length=bounds.SHARE_LENGTH)] | None = None
    """Endpoints of self-hosted models that take calls, of all that were found."""
    targets: Annotated[
        tuple[TargetStatus, ...], Field(max_length=bounds.MODELS_PER_POOL), BY_NAME
    ] = ()
    """Models that sidecars have called."""


class ModelPool(Resource):
    """A set of models that policies route to."""

    KIND: ClassVar[str] = "ModelPool"

    kind: Literal["ModelPool"]
    spec: ModelPoolSpec
    status: dict[str, Any] = Field(default={})

"""Pools to callable models, each priced from the catalogue or by the pool's own words.

A model that cannot be priced or sized is refused by itself; its neighbours do not notice (I2).
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_operator.api.meta import ObjectRef
from pointsman_operator.api.pool import COUNTED_FOR, ModelPool, PoolModel
from pointsman_operator.api.problems import Problem
from pointsman_operator.api.provider import Provider
from pointsman_operator.catalog.catalogue import Catalogue, Entry
from pointsman_operator.catalog.providers import host_of
from pointsman_operator.compile import problems, residency
from pointsman_operator.compile.hosted import (
    WITHOUT_MEDIA,
    has_embeddings,
    hosted_label,
    hosted_provider,
    listed_ids,
    simulated_provider,
)
from pointsman_operator.compile.learnt import LearntModel
from pointsman_operator.compile.pricing import catalogue_pricing, pool_pricing
from pointsman_operator.compile.self_hosted import (
    SELF_HOSTED_LABEL,
    self_hosted_pricing,
    self_hosted_provider,
)
from pointsman_operator.compile.snapshot import Knowledge
from pointsman_operator.compile.table import (
    TableCredential,
    TableHead,
    TableIdentity,
    TableLength,
    TableLimits,
    TableModel,
    TableName,
    TablePricing,
    TableProvider,
    TableQuality,
)

MEDIA = frozenset(COUNTED_FOR.values())
"""What models do that make or hear sound, or make images."""
TYPICAL_MEDIA_TOKENS = 32_000
"""Context of a model that does nothing else, where no list says it: what OpenAI's have or less."""
TYPICAL_ANSWER_TOKENS = 300
"""Expected answer length where nothing was learnt: the median of the recorded answers."""


@dataclass(frozen=True)
class ResolvedPool:
    """What a pool is worth."""

    models: dict[str, TableModel]
    """Usable models by their name within the pool; the table's name has the pool's in front."""
    refused: frozenset[str]
    """Models that cannot be used."""
    problems: tuple[Problem, ...]


def resolve_pool(pool: ModelPool, knowledge: Knowledge) -> ResolvedPool:
    """All models of a pool, each usable or refused with a problem."""
    models: dict[str, TableModel] = {}
    found: list[Problem] = []
    for index, model in enumerate(pool.spec.models):
        resolution = _Resolution(pool, model, f"spec.models[{index}]", knowledge)
        resolved = resolution.resolve()
        found += resolution.problems
        if resolved is not None:
            models[model.name] = resolved
    refused = frozenset(model.name for model in pool.spec.models) - models.keys()
    return ResolvedPool(models, refused, tuple(found))


def label_of(model: PoolModel) -> str:
    """The provider label of a model."""
    return SELF_HOSTED_LABEL if model.provider is None else hosted_label(model.provider)


class _Resolution:
    """The resolution of one model; problems gather on the way."""

    def __init__(self, pool: ModelPool, model: PoolModel, path: str, knowledge: Knowledge) -> None:
        self.problems: list[Problem] = []
        self._pool = pool
        self._ref: ObjectRef = pool.ref
        self._model = model
        self._path = path
        self._label = label_of(model)
        self._knowledge = knowledge
        self._entry = _entry(model, self._label, knowledge.catalogue)
        self._learnt = _learnt(model, knowledge)

    def resolve(self) -> TableModel | None:
        """The model as the table has it; None where something essential is not known."""
        model = self._model
        pricing, provider = self._pricing(), self._provider()
        context = self._context()
        if context is None:
            self.problems.append(problems.unknown_limit(self._ref, self._path))
        abroad = residency.model_problem(self._pool, model, self._path)
        astray = self._astray(provider)
        against = (abroad, self._unfound(provider), astray, self._not_offered())
        self.problems += [problem for problem in against if problem is not None]
        if pricing is None or context is None or any(against):
            return None
        return TableModel(
            name=f"{self._pool.metadata.name}/{model.name}",
            pool=TableName(namespace=self._pool.metadata.namespace, name=self._pool.metadata.name),
            aliases=tuple(sorted(model.aliases)),
            tier=model.tier,
            provider=provider,
            pricing=pricing,
            capabilities=self._capabilities(),
            context_window=context,
            max_output_tokens=self._max_output(context),
            quality=self._quality(),
            output_tokens=self._length(),
            head=self._head(),
            limits=self._limits(),
        )

    def _limits(self) -> TableLimits | None:
        given, pool = self._model.limits, self._pool.metadata
        if given is None:
            return None
        return TableLimits(
            account=f"{pool.namespace}/{pool.name}/{self._model.name}",
            requests_per_minute=given.requests_per_minute,
            tokens_per_minute=given.tokens_per_minute,
            max_in_flight=given.max_in_flight,
        )

    def _context(self) -> int | None:
        listed = self._entry.context_window if self._entry else None
        typical = TYPICAL_MEDIA_TOKENS if set(self._capabilities()) <= MEDIA else None
        return self._model.context_window or listed or typical

    def _unfound(self, provider: TableProvider) -> Problem | None:
        if self._knowledge.cluster or provider.endpoints is None:
            return None
        field = "service" if provider.endpoints == "Service" else "podSelector"
        path = f"{self._path}.selfHosted.endpoints"
        return problems.needs_cluster(self._ref, path, field)

    def _provider(self) -> TableProvider:
        model = self._model
        simulator = self._knowledge.simulated.get(self._label)
        if model.provider is not None:
            provider = self._hosted(model.provider)
        elif model.self_hosted is not None:
            provider = self_hosted_provider(model.self_hosted, self._pool.metadata.namespace)
        else:
            msg = "a model is hosted or self-hosted; the schema says so"
            raise ValueError(msg)
        return provider if simulator is None else simulated_provider(provider, simulator)

    def _hosted(self, given: Provider) -> TableProvider:
        provider, where = hosted_provider(given, self._capabilities()), f"{self._path}.provider"
        host, credential = host_of(provider.base_url), provider.credential
        simulated = self._label in self._knowledge.simulated
        foreign = host not in provider.allowed_hosts and not simulated
        if isinstance(credential, TableCredential) and foreign:
            secret = credential.secret
            self.problems.append(
                problems.host_not_well_known(self._ref, f"{where}.baseURL", host, secret)
            )
        return provider

    def _astray(self, provider: TableProvider) -> Problem | None:
        """A pod's own identity has no Secret that could allow other hosts."""
        host = host_of(provider.base_url)
        if not isinstance(provider.credential, TableIdentity) or host in provider.allowed_hosts:
            return None
        return problems.identity_astray(self._ref, f"{self._path}.provider.baseURL", host)

    def _not_offered(self) -> Problem | None:
        """What the schema takes and no engine does yet."""
        given = self._model.provider
        if given is None:
            return None
        where = f"{self._path}.provider"
        if self._capabilities() == ("embeddings",) and not has_embeddings(given):
            return problems.no_embeddings(self._ref, where, given.type)
        if given.type in WITHOUT_MEDIA and MEDIA.intersection(self._model.capabilities or ()):
            return problems.no_media(self._ref, where, given.type)
        return None

    def _pricing(self) -> TablePricing | None:
        own, hosted = self._model.pricing, self._model.self_hosted
        if own is not None:
            return pool_pricing(own, self._model.provider)
        if hosted is not None:
            if hosted.cost is None:
                self.problems.append(problems.unknown_own_price(self._ref, self._path))
                return None
            return self_hosted_pricing(hosted.cost)
        if self._entry is None or self._model.provider is None:
            upstream = self._model.provider.model if self._model.provider else ""
            self.problems.append(
                problems.unknown_price(self._ref, self._path, self._label, upstream)
            )
            return None
        return catalogue_pricing(self._entry, self._model.provider)

    def _capabilities(self) -> tuple[str, ...]:
        if self._model.capabilities is not None:
            return tuple(sorted(self._model.capabilities))
        return self._entry.capabilities if self._entry else ("chat",)

    def _max_output(self, context: int) -> int:
        """Never less than an answer can have: it bounds what is reserved."""
        listed = self._entry.max_output_tokens if self._entry else None
        return min(self._model.max_output_tokens or listed or context, context)

    def _quality(self) -> TableQuality | None:
        own = self._model.quality
        if own is not None:
            by_task = own.by_task.model_dump(exclude_none=True)
            return TableQuality(prior=own.prior, by_task=by_task)
        learnt = self._learnt.quality if self._learnt else None
        return TableQuality(prior=learnt.prior, by_task=learnt.by_task) if learnt else None

    def _length(self) -> TableLength:
        learnt = self._learnt.output_tokens if self._learnt else None
        if learnt is not None:
            return TableLength(default=learnt.default, by_task=learnt.by_task)
        embeds = "chat" not in self._capabilities()
        return TableLength(default=0 if embeds else TYPICAL_ANSWER_TOKENS, by_task={})

    def _head(self) -> TableHead | None:
        """The learnt head, unless the pool's own quality overrides it."""
        head = self._learnt.head if self._learnt and self._model.quality is None else None
        if head is None:
            return None
        return TableHead(digest=head.digest, bias=head.bias, weights=head.weights)


def _entry(model: PoolModel, label: str, catalogue: Catalogue) -> Entry | None:
    ids = listed_ids(model.provider) if model.provider else ()
    return next((found for it in ids if (found := catalogue.lookup(label, it))), None)


def _learnt(model: PoolModel, knowledge: Knowledge) -> LearntModel | None:
    return knowledge.learnt.get(model.provider.model) if model.provider else None

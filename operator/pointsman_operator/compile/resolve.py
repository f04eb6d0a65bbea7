"""Pools to callable models, each priced from the catalogue or by the pool's own words.

A model that cannot be priced or sized is refused by itself; its neighbours do not notice (I2).
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_operator.api import money
from pointsman_operator.api.meta import ObjectRef
from pointsman_operator.api.pool import ModelPool, PoolModel
from pointsman_operator.api.problems import Problem
from pointsman_operator.catalog.catalogue import Catalogue, Entry
from pointsman_operator.catalog.providers import BY_LABEL, host_of, provider_at
from pointsman_operator.compile import problems, residency
from pointsman_operator.compile.learnt import LearntModel
from pointsman_operator.compile.self_hosted import (
    SELF_HOSTED_LABEL,
    self_hosted_pricing,
    self_hosted_provider,
)
from pointsman_operator.compile.snapshot import Knowledge
from pointsman_operator.compile.table import (
    TableCredential,
    TableHead,
    TableLength,
    TableModel,
    TableName,
    TablePricing,
    TableProvider,
    TableQuality,
)

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
    """The provider label of a model: a known provider's, else the host of its base URL."""
    if model.provider is None:
        return SELF_HOSTED_LABEL
    if model.provider.type == "OpenAI" or model.provider.base_url is None:
        return "openai"
    known = provider_at(model.provider.base_url)
    return known.label if known else host_of(model.provider.base_url)


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
        context = model.context_window or (self._entry.context_window if self._entry else None)
        if context is None:
            self.problems.append(problems.unknown_limit(self._ref, self._path))
        abroad = residency.model_problem(self._pool, model, self._path)
        if abroad is not None:
            self.problems.append(abroad)
        unfound = self._unfound(provider)
        if unfound is not None:
            self.problems.append(unfound)
        if pricing is None or context is None or abroad is not None or unfound is not None:
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
        )

    def _unfound(self, provider: TableProvider) -> Problem | None:
        if self._knowledge.cluster or provider.endpoints is None:
            return None
        field = "service" if provider.endpoints == "Service" else "podSelector"
        path = f"{self._path}.selfHosted.endpoints"
        return problems.needs_cluster(self._ref, path, field)

    def _provider(self) -> TableProvider:
        model = self._model
        simulator = self._knowledge.simulated.get(self._label)
        if model.self_hosted is not None:
            provider = self_hosted_provider(model.self_hosted, self._pool.metadata.namespace)
        else:
            provider = self._hosted()
        if simulator is None:
            return provider
        return provider.model_copy(
            update={
                "base_url": simulator.rstrip("/"),
                "simulated": True,
                "credential": None,
                "allowed_hosts": (),
                "endpoints": None,
            }
        )

    def _hosted(self) -> TableProvider:
        given = self._model.provider
        if given is None:
            msg = "a model is hosted or self-hosted; the schema says so"
            raise ValueError(msg)
        known = BY_LABEL.get(self._label)
        base_url = given.base_url or (known.base_url if known else "")
        hosts = known.hosts if known else ()
        credential = None
        if given.credential is not None:
            secret = given.credential.secret_ref
            credential = TableCredential(
                secret=secret.name, key=secret.key, env=known.env if known else ""
            )
            simulated = self._label in self._knowledge.simulated
            if host_of(base_url) not in hosts and not simulated:
                self.problems.append(
                    problems.host_not_well_known(
                        self._ref,
                        f"{self._path}.provider.baseURL",
                        host_of(base_url),
                        secret.name,
                    )
                )
        return TableProvider(
            type=given.type,
            label=self._label,
            model=given.model,
            base_url=base_url.rstrip("/"),
            simulated=False,
            credential=credential,
            allowed_hosts=hosts,
            stream_end="Done",
            cap_field=known.cap_field if known else "max_tokens",
        )

    def _pricing(self) -> TablePricing | None:
        own, hosted = self._model.pricing, self._model.self_hosted
        if own is not None:
            cached = own.cached_input_per_mtok
            return TablePricing(
                input=money.picodollars_per_token(own.input_per_mtok),
                cached_input=None if cached is None else money.picodollars_per_token(cached),
                output=money.picodollars_per_token(own.output_per_mtok),
                source="pool",
            )
        if hosted is not None:
            if hosted.cost is None:
                self.problems.append(problems.unknown_own_price(self._ref, self._path))
                return None
            return self_hosted_pricing(hosted.cost)
        if self._entry is None:
            upstream = self._model.provider.model if self._model.provider else ""
            self.problems.append(
                problems.unknown_price(self._ref, self._path, self._label, upstream)
            )
            return None
        return TablePricing(
            input=self._entry.input,
            cached_input=self._entry.cached_input,
            output=self._entry.output,
            source="catalogue",
            as_of=self._entry.as_of,
        )

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
    return catalogue.lookup(label, model.provider.model) if model.provider else None


def _learnt(model: PoolModel, knowledge: Knowledge) -> LearntModel | None:
    return knowledge.learnt.get(model.provider.model) if model.provider else None

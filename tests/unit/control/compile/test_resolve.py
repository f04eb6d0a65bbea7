"""Pools to callable models: where each fact comes from when several could tell."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman_operator.api import ModelPool, ProblemCode
from pointsman_operator.catalog.catalogue import bundled
from pointsman_operator.compile import Knowledge, label_of
from pointsman_operator.compile.learnt import read_learnt
from pointsman_operator.compile.resolve import ResolvedPool, resolve_pool
from pointsman_operator.compile.table import TableModel
from support import resources as make

LEARNT = b"""{"gpt-4o-mini-2024-07-18": {
  "head": {"digest": "sha256:1", "bias": 1, "weights": [2]}, "provenance": {},
  "quality": {"prior": 80, "byTask": {"code": 70}}, "outputTokens": {"default": 200}}}"""
KEY = {"secretRef": {"name": "k", "key": "v"}}


def _resolved(*models: dict[str, Any], simulated: dict[str, str] | None = None) -> ResolvedPool:
    pool = make.parsed(make.pool(*models))
    assert isinstance(pool, ModelPool)
    return resolve_pool(pool, Knowledge(bundled(), read_learnt(LEARNT), simulated or {}))


def _model(document: dict[str, Any], **more: Any) -> TableModel:
    resolved = _resolved(document, **more)
    assert [p for p in resolved.problems if p.severity == "error"] == []
    (model,) = resolved.models.values()
    return model


def test_the_catalogue_prices_and_sizes_a_known_model() -> None:
    """Name alone is enough for a well-known model."""
    model = _model(make.hosted())
    assert model.name == "main/mini"
    assert (model.pricing.input, model.pricing.cached_input) == (150_000, 75_000)
    assert (model.pricing.source, model.context_window) == ("catalogue", 128_000)
    assert model.provider.cap_field == "max_completion_tokens"
    assert model.head is not None
    assert model.quality is not None
    assert (model.quality.prior, model.output_tokens.default) == (80, 200)


def test_another_name_of_a_learnt_model_counts_as_the_model() -> None:
    """`gpt-4o-mini` has the head of the dated model that it stands for."""
    model = _model(make.hosted(provider={"type": "OpenAI", "model": "gpt-4o-mini"}))
    assert model.head is not None
    assert model.head.weights == (2,)


def test_the_pools_own_words_win() -> None:
    """Price, size, capabilities and quality; an own quality switches the learnt head off."""
    model = _model(
        make.hosted(
            pricing={"inputPerMTok": "1", "outputPerMTok": "2"},
            quality={"prior": 50},
            capabilities=["chat"],
            contextWindow=1000,
        )
    )
    assert (model.pricing.input, model.pricing.cached_input) == (1_000_000, None)
    assert (model.pricing.source, model.pricing.as_of) == ("pool", None)
    assert model.head is None
    assert model.quality is not None
    assert (model.quality.prior, model.capabilities) == (50, ("chat",))
    # An answer longer than the context cannot be, so no more than that is ever reserved.
    assert (model.context_window, model.max_output_tokens) == (1000, 1000)


@pytest.mark.parametrize(
    ("engine", "field"),
    [
        ("vLLM", "max_completion_tokens"),
        ("SGLang", "max_completion_tokens"),
        ("TGI", "max_tokens"),
        ("LlamaCpp", "max_tokens"),
        ("Custom", "max_tokens"),
    ],
)
def test_the_engine_decides_which_field_caps(engine: str, field: str) -> None:
    """Each engine gets the field that it knows (I10: `engine` acts)."""
    document = make.self_hosted()
    document["selfHosted"]["engine"] = engine
    assert _model(document).provider.cap_field == field


def test_labels_come_from_hosts() -> None:
    """A known host has its provider's name, any other host its own; case is no matter."""
    pool = make.parsed(
        make.pool(
            make.hosted("a"),
            make.self_hosted("b"),
            *(
                make.hosted(name, provider={"type": kind, "model": "m", "baseURL": url})
                for name, kind, url in (
                    ("c", "OpenAICompatible", "https://API.groq.com/openai/v1"),
                    ("d", "OpenAICompatible", "https://llm.example.com/v1"),
                    ("e", "OpenAI", "https://proxy.example.com/v1"),
                )
            ),
        )
    )
    assert isinstance(pool, ModelPool)
    labels = [label_of(model) for model in pool.spec.models]
    assert labels == ["openai", "self-hosted", "groq", "llm.example.com", "openai"]


def test_a_key_on_its_way_to_a_foreign_host_is_a_warning() -> None:
    """The type's own hosts stay the allowed ones, whatever the pool's base URL says."""
    provider = {
        "type": "OpenAI",
        "model": "gpt-4o",
        "credential": KEY,
        "baseURL": "https://proxy.example.com/v1",
    }
    resolved = _resolved(make.hosted(provider=provider))
    (problem,) = resolved.problems
    assert (problem.code, problem.severity) == (ProblemCode.HOST_NOT_WELL_KNOWN, "warning")
    assert "proxy.example.com" not in resolved.models["mini"].provider.allowed_hosts


def test_a_simulated_provider_is_labelled_and_gets_no_key() -> None:
    """The overlay changes where calls go and what is sent, not what they cost."""
    real = make.hosted(provider={"type": "OpenAI", "model": "gpt-4o", "credential": KEY})
    before = _model(real)
    after = _model(real, simulated={"openai": "http://127.0.0.1:9/v1/"})
    assert after.provider.simulated
    assert (after.provider.base_url, after.provider.credential) == ("http://127.0.0.1:9/v1", None)
    assert before.provider.credential is not None
    assert after.pricing == before.pricing
    assert not _model(make.self_hosted(), simulated={"openai": "http://x/v1"}).provider.simulated

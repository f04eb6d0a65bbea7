"""Secrets and providers, as the sidecars that use them see them: one judgement for both kinds.

A pool asks about its models in all policies that route to it, a policy about those of its table.
Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman_operator.api.meta import ObjectName
from pointsman_operator.compile import CompiledTable
from pointsman_operator.controller.findings import Finding, finding, names
from pointsman_operator.controller.observed import Sidecar
from pointsman_operator.kube.reasons import Reason

MOUNTED = "pointsman-credentials"
"""The Secret that every sidecar mounts."""
MISSING = "missing"
OTHERS = {
    "malformed": Reason.CREDENTIAL_MALFORMED,
    "host_not_allowed": Reason.HOST_NOT_ALLOWED,
    "no_identity": Reason.NO_WORKLOAD_IDENTITY,
    "clock_skew": Reason.CLOCK_SKEW,
    "token_refused": Reason.TOKEN_REFUSED,
    "token_unreachable": Reason.TOKEN_UNREACHABLE,
    "refused": Reason.CREDENTIAL_REFUSED,
}
"""What else an engine says of a credential, the gravest first; after a colon in which word."""
OPEN, HALF_OPEN, CLOSED = "Open", "HalfOpen", "Closed"


@dataclass(frozen=True)
class OwnModel:
    """A model as a table calls it, and the key that it is called with."""

    name: str
    """`pool/model`."""
    pool: ObjectName
    secret: str
    """`secret/key`, or `workload-identity/cloud`; empty: none."""


def own_models(compiled: CompiledTable) -> list[OwnModel]:
    """A table's models."""
    return [
        OwnModel(
            model.name,
            ObjectName(model.pool.namespace, model.pool.name),
            model.provider.known_by,
        )
        for model in compiled.table.models
    ]


def judge_secrets(models: Sequence[OwnModel], reports: Sequence[Sidecar]) -> Finding:
    """ResolvedRefs, as far as Secrets are named."""
    wanted = {model.secret for model in models if model.secret}
    if not wanted:
        return finding("ResolvedRefs", "True", Reason.RESOLVED)
    told = [(it, secret, it.credentials[secret]) for it in reports for secret in it.credentials]
    told = [(it, secret, state) for it, secret, state in told if secret in wanted]
    missing = [(it, secret) for it, secret, state in told if state == MISSING]
    here = [entry for entry in missing if entry[1].startswith(f"{MOUNTED}/")]
    others = [
        (reason, [(it, _said(secret, state)) for it, secret, state in told if _word(state) == word])
        for word, reason in OTHERS.items()
    ]
    for reason, found in (
        (Reason.SECRET_MISSING, here),
        (Reason.SECRET_NOT_MOUNTED, missing),
        *others,
    ):
        if found:
            secrets = names({secret for _, secret in found})
            where = names({it.namespace for it, _ in found})
            return finding("ResolvedRefs", "False", reason, f"{secrets} (namespace {where})")
    if not told:
        return finding("ResolvedRefs", "Unknown", Reason.NO_REPORTER, "no sidecar uses the keys")
    return finding("ResolvedRefs", "True", Reason.RESOLVED)


def judge_gateways(without: Sequence[ObjectName]) -> Finding | None:
    """ResolvedRefs where pools of other namespaces lack a gateway that is ready; None: none."""
    if not without:
        return None
    text = f"no gateway serves ModelPool {names(map(str, without))}"
    return finding("ResolvedRefs", "False", Reason.GATEWAY_NOT_READY, text)


def judge_providers(models: Sequence[OwnModel], reports: Sequence[Sidecar]) -> Finding:
    """ProvidersReachable: False where no sidecar that has called a model still calls it.

    It does not hold up `Ready`: what fails over works.
    """
    counts = breaker_counts((model.name for model in models), reports)
    called = {name: states for name, states in counts.items() if states}
    if not called:
        text = "no sidecar has called a model yet"
        return finding("ProvidersReachable", "Unknown", Reason.NO_REPORTER, text)
    down = [name for name, states in called.items() if not states[CLOSED]]
    if down:
        text = f"no sidecar calls {names(down)}: their calls failed"
        return finding("ProvidersReachable", "False", Reason.PROVIDER_UNREACHABLE, text)
    return finding("ProvidersReachable", "True", Reason.PROVIDERS_REACHABLE)


def breaker_counts(models: Iterable[str], reports: Sequence[Sidecar]) -> dict[str, Counter[str]]:
    """How many sidecars are in which state, by model."""
    return {
        model: Counter(it.targets[model] for it in reports if model in it.targets)
        for model in models
    }


def _word(state: str) -> str:
    return state.partition(":")[0]


def _said(secret: str, state: str) -> str:
    """The credential, and in which word its token endpoint refuses it."""
    detail = state.partition(": ")[2]
    return f"{secret} ({detail})" if detail else secret

"""The problems of meaning: one function a code, so that wording and remedy stand in one place."""

from __future__ import annotations

from pointsman_operator.api.meta import ObjectName, ObjectRef
from pointsman_operator.api.problems import Problem, ProblemCode


def pool_not_found(ref: ObjectRef, path: str, pool: ObjectName) -> Problem:
    """A policy names a pool that does not exist."""
    return Problem(
        ProblemCode.POOL_NOT_FOUND,
        ref,
        path,
        f"there is no ModelPool {pool}",
        f"create ModelPool {pool.name} in namespace {pool.namespace}, or set the pool's namespace",
    )


def pool_not_allowed(ref: ObjectRef, path: str, pool: ObjectName) -> Problem:
    """A policy names a pool that is closed to its namespace."""
    return Problem(
        ProblemCode.POOL_NOT_ALLOWED,
        ref,
        path,
        f"ModelPool {pool} does not allow namespace {ref.namespace}",
        f"ask its owner for spec.allowedNamespaces: {{from: Names, names: [{ref.namespace}]}}",
    )


def gateway_not_allowed(ref: ObjectRef, path: str, pool: ObjectName) -> Problem:
    """A foreign pool's namespace is not one in which gateways may run."""
    return Problem(
        ProblemCode.GATEWAY_NAMESPACE_NOT_ALLOWED,
        ref,
        path,
        f"ModelPool {pool} is of another namespace, in which no gateway may run",
        f"add {pool.namespace} to the chart's gatewayNamespaces",
    )


def entry_not_allowed(ref: ObjectRef) -> Problem:
    """The policy's own namespace is not one in which gateways may run."""
    return Problem(
        ProblemCode.GATEWAY_NAMESPACE_NOT_ALLOWED,
        ref,
        "spec.target.gateway",
        f"no gateway may run in namespace {ref.namespace}",
        f"add {ref.namespace} to the chart's gatewayNamespaces",
    )


def pass_through_gateway(ref: ObjectRef, pool: ObjectName) -> Problem:
    """A gateway takes the names of its pool's models only."""
    return Problem(
        ProblemCode.PASS_THROUGH_AMBIGUOUS,
        ref,
        "spec.default",
        f"PassThrough does not reach beyond the gateway of ModelPool {pool}; Deny is used",
        "use Deny or Route, or a pool of the policy's own namespace",
    )


def pool_not_listed(ref: ObjectRef, path: str, model: str) -> Problem:
    """A candidate's pool is not among the policy's."""
    pool = model.split("/", 1)[0]
    return Problem(
        ProblemCode.POOL_NOT_LISTED,
        ref,
        path,
        f"{model} is of a pool that spec.pools does not list",
        f"add {{name: {pool}}} to spec.pools",
    )


def model_not_found(ref: ObjectRef, path: str, model: str, near: list[str]) -> Problem:
    """A candidate does not exist."""
    remedy = f"did you mean {near[0]}?" if near else "name a model of the pool"
    return Problem(ProblemCode.MODEL_NOT_FOUND, ref, path, f"there is no model {model}", remedy)


def model_refused(ref: ObjectRef, path: str, model: str, pool: ObjectName) -> Problem:
    """A candidate exists and cannot be used."""
    return Problem(
        ProblemCode.MODEL_REFUSED,
        ref,
        path,
        f"{model} cannot be used",
        f"see the problems of ModelPool {pool}",
    )


def no_candidate(ref: ObjectRef, path: str) -> Problem:
    """A route has nobody left: what it takes is refused rather than sent elsewhere."""
    return Problem(
        ProblemCode.NO_CANDIDATE,
        ref,
        path,
        "no candidate is left: requests that come here are refused",
        "correct the candidates above",
    )


def unknown_price(ref: ObjectRef, path: str, label: str, model: str) -> Problem:
    """Nobody knows what a token costs."""
    return Problem(
        ProblemCode.UNKNOWN_PRICE,
        ref,
        path,
        f"the catalogue has no price for {model} at {label}",
        'set pricing: {inputPerMTok: "…", outputPerMTok: "…"} in dollars per million tokens',
    )


def unknown_own_price(ref: ObjectRef, path: str) -> Problem:
    """Nobody said what a self-hosted model's hours cost."""
    return Problem(
        ProblemCode.UNKNOWN_PRICE,
        ref,
        path,
        "a self-hosted model needs a cost",
        'set selfHosted.cost: {gpuHour: "…", gpus: 1, tokensPerSecond: …}, or pricing',
    )


def unknown_limit(ref: ObjectRef, path: str) -> Problem:
    """Nobody knows how much fits into a model."""
    return Problem(
        ProblemCode.UNKNOWN_LIMIT,
        ref,
        path,
        "the size of its context is not known",
        "set contextWindow (tokens of prompt and answer together)",
    )


def unknown_quality(ref: ObjectRef, path: str, model: str) -> Problem:
    """A route compares quality and a candidate has none on record."""
    return Problem(
        ProblemCode.UNKNOWN_QUALITY,
        ref,
        path,
        f"how good {model} is, is not known: it is left out of this route",
        "set quality: {prior: …} (percent of good answers) on the model in its pool",
    )


def host_not_well_known(ref: ObjectRef, path: str, host: str, secret: str) -> Problem:
    """A key goes to a host only if the Secret's owner says so."""
    return Problem(
        ProblemCode.HOST_NOT_WELL_KNOWN,
        ref,
        path,
        f"{host} is no host of the provider's own: the key is sent only if the Secret allows it",
        f"add the entry allowed-hosts: {host} to Secret {secret}",
        severity="warning",
    )


def identity_astray(ref: ObjectRef, path: str, host: str) -> Problem:
    """A pod's own tokens go to its cloud's hosts alone."""
    return Problem(
        ProblemCode.HOST_NOT_WELL_KNOWN,
        ref,
        path,
        f"{host} is no host of the provider's own, and workload identity goes to no other",
        "remove baseURL, or use secretRef: its Secret's entry allowed-hosts can name the host",
    )


def no_embeddings(ref: ObjectRef, path: str, kind: str) -> Problem:
    """Neither Anthropic nor most models of Bedrock's make vectors."""
    return Problem(
        ProblemCode.NOT_OFFERED,
        ref,
        f"{path}.type",
        f"this model's embeddings are not offered at type {kind}: the model is refused",
        "use another type, Titan or Cohere at Bedrock, or a self-hosted model, for embeddings",
    )


def no_media(ref: ObjectRef, path: str, kind: str) -> Problem:
    """Sound and images pass through in OpenAI's format; nobody else has it."""
    return Problem(
        ProblemCode.NOT_OFFERED,
        ref,
        f"{path}.type",
        f"transcription, speech and images are not offered at type {kind}: the model is refused",
        "use type OpenAI, AzureOpenAI or OpenAICompatible, or a self-hosted model, for them",
    )


def needs_cluster(ref: ObjectRef, path: str, field: str) -> Problem:
    """Without a cluster nobody knows where a Service's endpoints are."""
    return Problem(
        ProblemCode.NEEDS_CLUSTER,
        ref,
        f"{path}.{field}",
        f"{field} names what only a cluster has: the model cannot be used here",
        "set endpoints: {url: …} in the resources for this machine, or simulate self-hosted",
    )


def alias_conflict(ref: ObjectRef, path: str, alias: str, first: str, second: str) -> Problem:
    """Two pools give one alias to different models."""
    return Problem(
        ProblemCode.ALIAS_CONFLICT,
        ref,
        path,
        f"alias {alias} belongs to {first} and to {second}: {first} keeps it",
        "list the pool that is to keep it first in spec.pools, or remove it from the other",
    )


def pass_through_ambiguous(ref: ObjectRef, providers: list[str]) -> Problem:
    """Nobody can say which provider a foreign model name is meant for."""
    found = ", ".join(providers) if providers else "none"
    return Problem(
        ProblemCode.PASS_THROUGH_AMBIGUOUS,
        ref,
        "spec.default",
        f"PassThrough needs pools with exactly one provider, here: {found}; Deny is used",
        "use Deny or Route, or a policy of its own for each provider",
    )


def pass_through_deployment(ref: ObjectRef, model: str) -> Problem:
    """One deployment would answer to every name, at its own price."""
    return Problem(
        ProblemCode.PASS_THROUGH_AMBIGUOUS,
        ref,
        "spec.default",
        f"PassThrough does not reach beyond the deployment of {model}, whose apiVersion is dated; "
        "Deny is used",
        "use Deny or Route, or the resource's v1 API: remove apiVersion from the model",
    )


def model_out_of_region(ref: ObjectRef, path: str, region: str | None, allowed: str) -> Problem:
    """A pool holds a model that its own constraints forbid."""
    has = f"its region is {region}" if region else "it has no region"
    return Problem(
        ProblemCode.REGION_NOT_ALLOWED,
        ref,
        path,
        f"{has}, spec.constraints allow {allowed}: the model is refused",
        "correct the region, or put the model into a pool of its own",
    )


def candidate_out_of_region(ref: ObjectRef, path: str, model: str, allowed: str) -> Problem:
    """A policy's candidate is outside of its own residency."""
    return Problem(
        ProblemCode.REGION_NOT_ALLOWED,
        ref,
        path,
        f"{model} is not in a region of spec.residency ({allowed}): it is left out",
        "remove the candidate, or give the model its region in the pool",
    )


def pass_through_everywhere(ref: ObjectRef, allowed: str) -> Problem:
    """PassThrough beside a residency: nobody knows the region of a name that no pool lists."""
    return Problem(
        ProblemCode.REGION_NOT_ALLOWED,
        ref,
        "spec.default",
        f"PassThrough reaches models of any region, spec.residency allows {allowed}; Deny is used",
        "list the models in the pool, or remove spec.residency",
    )


def looser_regions(ref: ObjectRef, pool: ObjectName, more: list[str], allowed: str) -> Problem:
    """A policy allows regions that a pool forbids."""
    return Problem(
        ProblemCode.LOOSER_THAN_POOL,
        ref,
        "spec.residency.allowedRegions",
        f"ModelPool {pool} allows {allowed}, not {', '.join(more)}: no model of others is used",
        f"allow {allowed} only, or ask the pool's owner",
    )


def looser_pass_through(ref: ObjectRef, pool: ObjectName, allowed: str) -> Problem:
    """PassThrough would reach what the pool's owner did not list."""
    return Problem(
        ProblemCode.LOOSER_THAN_POOL,
        ref,
        "spec.default",
        f"PassThrough reaches models of any region, ModelPool {pool} allows {allowed}; "
        "Deny is used",
        "use Deny or Route; models that are missing the pool's owner can add",
    )


def conflicted(ref: ObjectRef, winner: ObjectName, *, wholly: bool) -> Problem:
    """Another policy selects the same workloads and comes first."""
    share = "all workloads that it selects" if wholly else "some workloads that it selects"
    return Problem(
        ProblemCode.CONFLICTED,
        ref,
        "spec.target",
        f"RoutingPolicy {winner} serves {share}: it has the higher priority or is older",
        "select other labels, or raise spec.priority",
        severity="error" if wholly else "warning",
    )


def namespace_not_allowed(ref: ObjectRef, foreign: list[str]) -> Problem:
    """A Budget reaches beyond its namespace."""
    return Problem(
        ProblemCode.NAMESPACE_NOT_ALLOWED,
        ref,
        "spec.subject.namespaces",
        f"a Budget binds its own namespace only, not {', '.join(foreign)}",
        "put it into a platform namespace, or one Budget into each namespace",
    )

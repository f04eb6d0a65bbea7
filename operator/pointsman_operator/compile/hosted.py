"""Models behind somebody's API to the table: label, format, address, hosts that keys may go to."""

from __future__ import annotations

from pointsman_operator.api.provider import Provider
from pointsman_operator.catalog import natives
from pointsman_operator.catalog.natives import NATIVES, Place
from pointsman_operator.catalog.providers import (
    BY_LABEL,
    OPENAI,
    PROFILES,
    KnownProvider,
    host_of,
    provider_at,
)
from pointsman_operator.compile.table import (
    Surface,
    TableCredential,
    TableIdentity,
    TableProvider,
)

CHAT = frozenset({"OpenAI", "OpenAICompatible", "SelfHosted"})
"""Types whose simulator, as many a server, asks for no key, but for calls of its other formats."""
SIMULATED_KEY = TableCredential(secret="pointsman-simulated", key="api-key", env="")  # noqa: S106
"""What simulators are shown: no key of anybody's."""
WITHOUT_MEDIA = frozenset({"Anthropic", "Bedrock", "Gemini", "Vertex"})
"""Types without OpenAI's interface for sound and images."""


def has_embeddings(given: Provider) -> bool:
    """Whether models of the type and name can be asked for vectors."""
    if given.type == "Bedrock":
        return "titan-embed" in given.model or "cohere.embed" in given.model
    return given.type != "Anthropic"


def hosted_label(given: Provider) -> str:
    """The provider label: a type's or known provider's own, else the host of the base URL."""
    if (native := NATIVES.get(given.type)) is not None:
        return native.label
    if given.type == "OpenAI":
        return OPENAI.label
    profile = PROFILES.get(given.profile or "")
    if profile is not None and profile.label:
        return profile.label
    url = given.base_url or (profile.base_url if profile else "")
    known = provider_at(url)
    return known.label if known else host_of(url)


def hosted_provider(given: Provider, capabilities: tuple[str, ...]) -> TableProvider:
    """How a model is reached; the problems of it are the caller's to find."""
    native, known = NATIVES.get(given.type), _chat(given)
    place = _place(given, known)
    base_url = (given.base_url or place.base_url).rstrip("/")
    return TableProvider(
        type=given.type,
        label=hosted_label(given),
        model=given.deployment or given.model,
        base_url=base_url,
        simulated=False,
        credential=_credential(given, native.env if native else known.env if known else ""),
        allowed_hosts=place.hosts,
        stream_end=native.stream_end if native else given.stream_end or "Done",
        cap_field=native.cap_field if native else known.cap_field if known else "max_tokens",
        quirks=(known.quirks or None) if known else None,
        surfaces=_surfaces(given, capabilities, own=host_of(base_url) in place.hosts),
        api_version=given.api_version,
        region=given.region if given.type == "Bedrock" else None,
    )


def simulated_provider(provider: TableProvider, simulator: str) -> TableProvider:
    """The same model played by a simulator, whose URL ends before `/chat/completions`.

    The format stays. What a simulator refuses without a key is shown one of nobody's.
    """
    keyed = provider.type not in CHAT
    simulated: dict[str, object] = {
        "base_url": _played_at(provider, simulator.rstrip("/")),
        "simulated": True,
        "credential": SIMULATED_KEY if keyed else None,
        "allowed_hosts": (host_of(simulator),) if keyed else (),
        "endpoints": None,
        # It plays OpenAI itself.
        "quirks": None,
        "surfaces": provider.surfaces if keyed else None,
    }
    return provider.model_copy(update=simulated)


def listed_ids(given: Provider) -> tuple[str, ...]:
    """Under which ids the catalogue may list the model, the most particular first."""
    name = given.model
    if name.startswith("arn:"):
        name = name.rsplit("/", 1)[-1]
    regional = given.type in {"AzureOpenAI", "Bedrock"} and given.region is not None
    return (f"{given.region}/{name}", name) if regional else (name,)


def is_claude(given: Provider) -> bool:
    """Whether cache writes are dearer than other tokens without that a list says so."""
    return given.type == "Anthropic" or (given.type == "Bedrock" and "anthropic." in given.model)


def caches_nothing(given: Provider) -> bool:
    """Anthropic's endpoint in OpenAI's format never writes a cache, so no write is reserved."""
    return given.type == "OpenAICompatible" and hosted_label(given) == "anthropic"


def _chat(given: Provider) -> KnownProvider | None:
    """What is known of a server with OpenAI's format."""
    if given.type in NATIVES:
        return None
    if given.type == "OpenAI":
        return OPENAI
    return PROFILES[given.profile] if given.profile else BY_LABEL.get(hosted_label(given))


def _place(given: Provider, known: KnownProvider | None) -> Place:
    region, host = given.region or "", host_of(given.base_url or "")
    match given.type:
        case "OpenAI" | "OpenAICompatible":
            found = Place(known.base_url, known.hosts) if known else Place("", ())
        case "Anthropic":
            found = natives.ANTHROPIC
        case "Gemini":
            found = natives.GEMINI
        case "Vertex":
            found = natives.vertex(region, given.project or "")
        case "Bedrock":
            found = natives.bedrock(region)
        case "AzureOpenAI" if given.resource is not None:
            deployment = given.deployment or given.model
            found = natives.azure(given.resource, deployment, given.api_version)
        case "AzureOpenAI":
            found = Place("", natives.azure_hosts(host))
    return found


def _played_at(provider: TableProvider, simulator: str) -> str:
    root = simulator.removesuffix("/v1")
    match provider.type:
        case "Bedrock":
            return root
        case "AzureOpenAI" if provider.api_version is None:
            return f"{root}/openai/v1"
        case "AzureOpenAI":
            return f"{root}/openai/deployments/{provider.model}"
        case _:
            return simulator


def _credential(given: Provider, env: str) -> TableCredential | TableIdentity | None:
    if given.credential is None:
        return None
    secret = given.credential.secret_ref
    if secret is None:
        return TableIdentity()
    return TableCredential(secret=secret.name, key=secret.key, env=env)


def _surfaces(
    given: Provider, capabilities: tuple[str, ...], *, own: bool
) -> tuple[Surface, ...] | None:
    """What OpenAI's and Azure's own servers speak beside chat and embeddings."""
    openai = given.type in {"OpenAI", "AzureOpenAI"} and given.api_version is None
    if not (openai and own and "chat" in capabilities):
        return None
    # The legacy endpoint is all that the models of its time have, and newer ones lack it.
    legacy = "-instruct" in given.model or given.model.startswith(("babbage-", "davinci-"))
    return ("Completions",) if legacy else ("Responses",)

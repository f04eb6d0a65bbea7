"""Provider types with addresses of their own: where each is, its hosts, its key's variable.

An address may depend on a region, a project or a resource; nothing else of a pool gets into a host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GLOBAL = "global"
MULTI_REGIONS = frozenset({"eu", "us"})
"""Locations of Vertex AI that are a continent, behind hosts of another form."""
AZURE_DOMAINS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
"""Microsoft's own: a host below is a resource, whoever it belongs to, and no server of theirs."""


@dataclass(frozen=True)
class Native:
    """A type whose label does not depend on its address."""

    label: str
    """Its name in metrics, spend and catalogue."""
    env: str
    """The variable in which its users keep the key."""
    cap_field: str
    """The member of a request that caps an answer, in the type's own format."""
    stream_end: Literal["Done", "Eof"]
    """Whether a stream has a last event or ends with its body."""
    others: tuple[tuple[str, ...], ...] = ()
    """Variables that do instead, as the cloud's own tools read them: all of a row."""
    file: str = ""
    """The file below the home folder that does, too."""
    workload: tuple[tuple[str, ...], ...] = ()
    """The same for a pod's own identity."""


NATIVES = {
    "Anthropic": Native("anthropic", "ANTHROPIC_API_KEY", "max_tokens", "Done"),
    "Gemini": Native("google", "GEMINI_API_KEY", "maxOutputTokens", "Eof"),
    "Vertex": Native(
        *("vertex_ai", "GOOGLE_OAUTH_ACCESS_TOKEN", "maxOutputTokens"),
        "Eof",
        others=(("GOOGLE_APPLICATION_CREDENTIALS",),),
        file=".config/gcloud/application_default_credentials.json",
        workload=(("GOOGLE_APPLICATION_CREDENTIALS",), ("GCE_METADATA_HOST",)),
    ),
    "Bedrock": Native(
        *("bedrock", "AWS_BEARER_TOKEN_BEDROCK", "maxTokens"),
        "Eof",
        others=(
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_SHARED_CREDENTIALS_FILE",),
        ),
        file=".aws/credentials",
        workload=(
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ),
    ),
    "AzureOpenAI": Native(
        *("azure", "AZURE_OPENAI_API_KEY", "max_completion_tokens"),
        "Done",
        others=(("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),),
        workload=(("AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"),),
    ),
}
"""By the pool's `provider.type`."""


@dataclass(frozen=True)
class Place:
    """Where a model answers."""

    base_url: str
    """What a path is appended to."""
    hosts: tuple[str, ...]
    """Hosts to which its keys may go."""


ANTHROPIC = Place("https://api.anthropic.com/v1", ("api.anthropic.com",))
GEMINI = Place(
    "https://generativelanguage.googleapis.com/v1beta", ("generativelanguage.googleapis.com",)
)


def vertex(region: str, project: str) -> Place:
    """Google's own models in a location of Vertex AI."""
    host = f"{region}-aiplatform.googleapis.com"
    if region == GLOBAL:
        host = "aiplatform.googleapis.com"
    elif region in MULTI_REGIONS:
        host = f"aiplatform.{region}.rep.googleapis.com"
    models = f"projects/{project}/locations/{region}/publishers/google"
    return Place(f"https://{host}/v1/{models}", (host,))


def bedrock(region: str) -> Place:
    """Bedrock's runtime in a region of AWS; its hosts with FIPS are in `baseURL` only."""
    host = f"bedrock-runtime.{region}.amazonaws.com"
    return Place(f"https://{host}", (host, f"bedrock-runtime-fips.{region}.amazonaws.com"))


def azure(resource: str, deployment: str, api_version: str | None) -> Place:
    """A resource of Azure OpenAI: its v1 API, or, with a dated version, one deployment of it."""
    host = f"{resource}.openai.azure.com"
    prefix = "v1" if api_version is None else f"deployments/{deployment}"
    return Place(f"https://{host}/openai/{prefix}", (host,))


def azure_hosts(host: str) -> tuple[str, ...]:
    """The host of an Azure `baseURL` where it is Microsoft's own; else none."""
    return (host,) if host.endswith(AZURE_DOMAINS) else ()

"""A model behind somebody's API: which format it speaks, where it is, which key it takes."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pointsman_operator.api import bounds
from pointsman_operator.api.meta import Name, Region, Struct, Text, Url
from pointsman_operator.api.rules import Rule

ProviderType = Literal[
    "OpenAI", "OpenAICompatible", "Anthropic", "Gemini", "Vertex", "Bedrock", "AzureOpenAI"
]
Profile = Literal[
    "Mistral", "Groq", "DeepSeek", "XAI", "OpenRouter", "Together", "Ollama", "VLLM", "SGLang"
]
HOMELESS = ("SGLang", "VLLM")
"""Profiles of servers that are wherever somebody runs them."""
IN_THE_PATH = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A model that is a segment of the URL."""
AT_BEDROCK = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
"""A model id, an inference profile's id, or an ARN."""
WITH_WORKLOAD_IDENTITY = ("AzureOpenAI", "Bedrock", "Vertex")
"""Types whose cloud knows pods without a key."""


class SecretKeyRef(Struct):
    """An entry of a Secret in the pool's own namespace."""

    name: Name
    """The Secret."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=bounds.SECRET_KEY_LENGTH)]
    """The entry that holds the key."""


class WorkloadIdentity(Struct):
    """The pod's own identity at the cloud, without a key."""


class Credential(Struct):
    """How a provider knows us. Only sidecars read it; operator and hub never do."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.secretRef) != has(self.workloadIdentity)",
            message="exactly one of secretRef and workloadIdentity",
            remedy="set secretRef: {name, key}",
            holds=lambda c: (c.secret_ref is None) != (c.workload_identity is None),
        ),
    )

    secret_ref: SecretKeyRef | None = None
    """The Secret's entry. Without a cluster: `STATE/secrets/NAME/KEY`, or the provider's usual
    variables and files. For `Bedrock` a Bedrock API key or a pair of AWS keys, for `Vertex` a
    service account's JSON, for `AzureOpenAI` the resource's key or an Entra application with its
    secret: docs/providers.md says how each is spelled. Read again within two seconds."""
    workload_identity: WorkloadIdentity | None = None
    """The pod's own identity, with no key at all: EKS (a role of the service account, or Pod
    Identity), GKE (workload identity), AKS (a federated application). Goes to the cloud's own hosts
    alone."""


class Provider(Struct):
    """A model behind somebody's API."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.type != 'OpenAICompatible' || has(self.baseURL) || "
            f"(has(self.profile) && !(self.profile in {list(HOMELESS)!r}))",
            message="OpenAICompatible needs baseURL, or the profile of a service that has one",
            remedy="set baseURL: https://HOST/v1, or profile: Mistral, Groq, …",
            holds=lambda p: (
                p.type != "OpenAICompatible"
                or p.base_url is not None
                or (p.profile is not None and p.profile not in HOMELESS)
            ),
        ),
        Rule(
            cel="!has(self.profile) || self.type == 'OpenAICompatible'",
            message="profile belongs to type OpenAICompatible",
            remedy="remove profile, or set type: OpenAICompatible",
            holds=lambda p: p.profile is None or p.type == "OpenAICompatible",
        ),
        Rule(
            cel="!has(self.streamEnd) || self.type == 'OpenAICompatible'",
            message="streamEnd belongs to type OpenAICompatible",
            remedy="remove streamEnd, or set type: OpenAICompatible",
            holds=lambda p: p.stream_end is None or p.type == "OpenAICompatible",
        ),
        Rule(
            cel="!has(self.credential) || (has(self.baseURL) ? self.baseURL.startsWith('https://')"
            " : !has(self.profile) || self.profile != 'Ollama')",
            message="a credential is sent over https only: use an https baseURL",
            holds=lambda p: (
                p.credential is None
                or (
                    p.profile != "Ollama"
                    if p.base_url is None
                    else p.base_url.startswith("https://")
                )
            ),
        ),
        Rule(
            cel="!has(self.credential) || !has(self.credential.workloadIdentity) || "
            f"self.type in {list(WITH_WORKLOAD_IDENTITY)!r}",
            message=f"workloadIdentity belongs to types {', '.join(WITH_WORKLOAD_IDENTITY)}",
            remedy="use secretRef: {name, key}",
            holds=lambda p: (
                p.credential is None
                or p.credential.workload_identity is None
                or p.type in WITH_WORKLOAD_IDENTITY
            ),
        ),
        Rule(
            cel="self.type != 'AzureOpenAI' || has(self.resource) != has(self.baseURL)",
            message="AzureOpenAI needs exactly one of resource and baseURL",
            remedy="set resource: NAME, as in https://NAME.openai.azure.com, or a baseURL",
            holds=lambda p: p.type != "AzureOpenAI" or (p.resource is None) != (p.base_url is None),
        ),
        Rule(
            cel="self.type == 'AzureOpenAI' || "
            "!(has(self.resource) || has(self.deployment) || has(self.apiVersion))",
            message="resource, deployment and apiVersion belong to type AzureOpenAI",
            remedy="remove them, or set type: AzureOpenAI",
            holds=lambda p: (
                p.type == "AzureOpenAI"
                or (p.resource is None and p.deployment is None and p.api_version is None)
            ),
        ),
        Rule(
            cel="self.type != 'Vertex' || "
            "(has(self.region) && has(self.project) != has(self.baseURL))",
            message="Vertex needs region, and exactly one of project and baseURL",
            remedy="set region, such as europe-west4 or global, and project",
            holds=lambda p: (
                p.type != "Vertex"
                or (p.region is not None and (p.project is None) != (p.base_url is None))
            ),
        ),
        Rule(
            cel="!has(self.project) || self.type == 'Vertex'",
            message="project belongs to type Vertex",
            remedy="remove project, or set type: Vertex",
            holds=lambda p: p.project is None or p.type == "Vertex",
        ),
        Rule(
            cel=f"!(self.type in ['Gemini', 'Vertex']) || self.model.matches('{IN_THE_PATH}')",
            message="Gemini and Vertex take a model's id alone: letters, digits, `.`, `_`, `-`",
            remedy="write gemini-2.5-flash, not models/gemini-2.5-flash",
            holds=lambda p: (
                p.type not in {"Gemini", "Vertex"} or re.fullmatch(IN_THE_PATH, p.model) is not None
            ),
        ),
        Rule(
            cel=f"self.type != 'Bedrock' || self.model.matches('{AT_BEDROCK}')",
            message="Bedrock takes a model id, an inference profile's id, or an ARN",
            remedy="write it as the AWS console shows it",
            holds=lambda p: p.type != "Bedrock" or re.fullmatch(AT_BEDROCK, p.model) is not None,
        ),
        Rule(
            cel="self.type != 'Bedrock' || (has(self.region) && (!self.model.startsWith('arn:') "
            "|| self.model.matches('^arn:[a-z-]+:bedrock:' + self.region + ':')))",
            message="Bedrock needs region, the one that the model's ARN names",
            remedy="set region, such as eu-central-1",
            holds=lambda p: (
                p.type != "Bedrock"
                or (
                    p.region is not None
                    and (
                        not p.model.startswith("arn:")
                        or re.match(f"arn:[a-z-]+:bedrock:{p.region}:", p.model) is not None
                    )
                )
            ),
        ),
    )

    type: ProviderType
    """The format that it speaks. `OpenAICompatible`: any server with OpenAI's chat and embeddings
    endpoints. `Gemini`: Google's API by key; `Vertex`: Google's own models on Vertex AI. `Bedrock`:
    its Converse API."""
    model: Text
    """The model's name at the provider; dated names are stable, aliases such as `-latest` are
    not. For `Bedrock` an id, an inference profile's id or an ARN; for `AzureOpenAI` the model that
    is deployed, which prices it."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """Where the provider's endpoints are (`/chat/completions`, `/messages`, `/models/…`,
    `/model/…`); default: the provider's own address."""
    profile: Profile | None = None
    """For `OpenAICompatible`: whose server it is. Of known services the address, the hosts that
    their keys may go to, the label in metrics and spend and the prices; `Ollama`: this machine's
    port 11434. Of all, where they differ from OpenAI (docs/providers.md). A known service's baseURL
    says the same."""
    stream_end: Literal["Done", "Eof"] | None = None
    """For `OpenAICompatible`: what ends a whole stream after its finish reasons. `Done`, the
    default: `data: [DONE]`; `Eof`: the end of the body, for the rare server that sends no `[DONE]`,
    whose streams would all count as broken off."""
    credential: Credential | None = None
    """The key to send; none: no key is sent."""
    region: Region | None = None
    """Where the model computes, for `constraints` and `residency`: a name of your own such as `eu`,
    compared letter by letter. For `Bedrock` and `Vertex` the cloud's name (`eu-central-1`,
    `europe-west4`), which is part of the address, and part of the price where it differs. An
    inference profile such as `eu.…` or `global.…` may compute elsewhere than in its region."""
    project: Name | None = None
    """For `Vertex`: the Google Cloud project."""
    resource: Name | None = None
    """For `AzureOpenAI`: the resource, as in `https://RESOURCE.openai.azure.com`."""
    deployment: Annotated[str, Field(pattern=IN_THE_PATH, max_length=bounds.NAME_LENGTH)] | None = (
        None
    )
    """For `AzureOpenAI`: the deployment's name; default: the model's."""
    api_version: (
        Annotated[
            str,
            Field(
                pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9](-preview)?$",
                max_length=bounds.NAME_LENGTH,
            ),
        ]
        | None
    ) = None
    """For `AzureOpenAI`: a dated version, such as `2024-10-21`, for resources without the v1 API;
    calls then go to `/openai/deployments/DEPLOYMENT`, and baseURL, where it is set, ends with
    that. Default: `/openai/v1`."""

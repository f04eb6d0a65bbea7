"""Why a condition is as it is, beyond the problems of compiling: a closed list, each with a remedy.

The values are stable and for machines; `docs/reference/conditions.md` is generated from here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """What a running cluster says about a resource."""

    condition: str
    """The conditions that bear it."""
    meaning: str
    remedy: str

    def __new__(cls, value: str, condition: str, meaning: str, remedy: str) -> Self:
        """A reason is its value; the rest goes into the reference."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.condition = condition
        reason.meaning = meaning
        reason.remedy = remedy
        return reason

    PROGRAMMED = (
        "Programmed",
        "Programmed",
        "Every sidecar of the policy's pods runs this table.",
        "",
    )
    UPDATING = (
        "Updating",
        "Programmed",
        "Some sidecars still run an earlier table, or none.",
        "wait a second; if it stays, look at the log of container `pointsman` of the named pods",
    )
    SIDECAR_DISCONNECTED = (
        "SidecarDisconnected",
        "Programmed",
        "Sidecars of running pods have no stream to the hub: what they run is not known.",
        "look at the log of container `pointsman` of the named pods: NetworkPolicy, DNS, the hub",
    )
    SIDECAR_OUTDATED = (
        "SidecarOutdated",
        "Programmed",
        "Sidecars are too old for this table and keep their last one.",
        "restart the named pods, so that they get the sidecar of this release",
    )
    TABLE_REJECTED = (
        "TableRejected",
        "Programmed",
        "Sidecars refuse this table and keep their last one.",
        "this is a defect of Pointsman: report it with the message",
    )
    TOO_LARGE = (
        "TooLarge",
        "Programmed",
        "The tables of the namespace do not fit into its ConfigMap; the hub still serves them.",
        "split the namespace's policies, or shorten their pools",
    )
    HUB_UNREACHABLE = (
        "HubUnreachable",
        "Programmed, EndpointsResolved, LedgerAvailable, Enforced",
        "The controller cannot reach the hub; sidecars go on with the tables that they have.",
        "look at the StatefulSet `pointsman-hub` and its log",
    )
    HUB_REFUSED = (
        "HubRefused",
        "Programmed",
        "The hub refuses the table.",
        "this is a defect of Pointsman: report it with the message",
    )
    NO_REPORTER = (
        "NoReporter",
        "Programmed, ResolvedRefs, ProvidersReachable, EndpointsResolved, Enforced",
        "Nobody can say: no sidecar that reports runs there.",
        "",
    )
    NO_PODS = ("NoPods", "Programmed, Injected", "No running pod is selected.", "")
    INJECTED = ("Injected", "Injected", "Every pod that asks for a router has one.", "")
    INJECTION_MISSING = (
        "InjectionMissing",
        "Injected",
        "Pods that ask for a router have none: older than the request, or the webhook was away.",
        "restart the named pods",
    )
    NOT_INJECTABLE = (
        "NotInjectable",
        "Injected",
        "Pods that ask for a router cannot have one; the message says why.",
        "change what the message names and restart the pods",
    )
    ENV_CONFLICT = (
        "EnvConflict",
        "Injected",
        "An app container sets a base URL itself: its calls can bypass the router.",
        "take the variable out of the named container and restart the pods",
    )
    ENV_UNDETERMINED = (
        "EnvUndetermined",
        "Injected",
        "An app container's `envFrom` may set a base URL, so none was added: calls may bypass.",
        'annotate the pod template `pointsman.dev/env-injection: "force"`, or drop the `envFrom`',
    )
    GATEWAY_NOT_READY = (
        "GatewayNotReady",
        "ResolvedRefs",
        "A ModelPool of another namespace has no gateway that is ready and runs its table.",
        "look at the Deployment `pointsman-gateway-POOL` in the pool's namespace and at its pods",
    )
    ENTRY_NOT_READY = (
        "EntryNotReady",
        "Programmed",
        "No pod of the policy's own gateway takes calls by its table yet.",
        "look at the Deployment `pointsman-entry-POLICY` in its namespace and at its pods",
    )
    SECRET_MISSING = (
        "SecretMissing",
        "ResolvedRefs",
        "Sidecars find no Secret, or no such key in it.",
        "create Secret `pointsman-credentials` with that key in the pods' namespace",
    )
    SECRET_NOT_MOUNTED = (
        "SecretNotMounted",
        "ResolvedRefs",
        "A Secret other than `pointsman-credentials` is not mounted in running sidecars.",
        "move the key to Secret `pointsman-credentials`, or restart the pods",
    )
    HOST_NOT_ALLOWED = (
        "HostNotAllowed",
        "ResolvedRefs",
        "The Secret does not allow its key to be sent to the model's host.",
        "add the host to the Secret's entry `allowed-hosts`",
    )
    CREDENTIAL_MALFORMED = (
        "CredentialMalformed",
        "ResolvedRefs",
        "A Secret's entry is no key, and none of the documents of its cloud's tools either.",
        "write it anew, as docs/providers.md shows for each provider",
    )
    NO_WORKLOAD_IDENTITY = (
        "NoWorkloadIdentity",
        "ResolvedRefs",
        "A pod has no identity at the cloud: its variables or its token's file are not there.",
        "give the pods' service account one at the cloud, and restart the pods",
    )
    CLOCK_SKEW = (
        "ClockSkew",
        "ResolvedRefs",
        "A token endpoint refuses, as the node's clock is more than four minutes off.",
        "set the clocks of the pods' nodes, by NTP",
    )
    TOKEN_REFUSED = (
        "TokenRefused",
        "ResolvedRefs",
        "A token endpoint does not take a credential; the message has its own word for why.",
        "look at that account, its key and what it may do at the provider's cloud",
    )
    TOKEN_UNREACHABLE = (
        "TokenUnreachable",
        "ResolvedRefs",
        "A token endpoint does not answer, so that there is no token to call a provider with.",
        "look at egress rules and at the cloud's status page; it is tried again by itself",
    )
    CREDENTIAL_REFUSED = (
        "CredentialRefused",
        "ResolvedRefs",
        "The provider does not accept a credential; its calls go to other candidates.",
        "put a good key into the Secret, or allow the account what the provider's answer asks for",
    )
    RESOLVED = ("ResolvedRefs", "ResolvedRefs", "Everything that is named exists.", "")
    PROVIDER_UNREACHABLE = (
        "ProviderUnreachable",
        "ProvidersReachable",
        "A model's calls fail: several sidecars found it down, or every one that reports.",
        "look at the provider's status page, the key, the egress rules; calls resume by themselves",
    )
    PROVIDERS_REACHABLE = ("ProvidersReachable", "ProvidersReachable", "All models answer.", "")
    ENDPOINTS_RESOLVED = (
        "EndpointsResolved",
        "EndpointsResolved",
        "Every self-hosted model has an endpoint.",
        "",
    )
    ENDPOINTS_MISSING = (
        "EndpointsMissing",
        "EndpointsResolved",
        "A self-hosted model has no endpoint: no such Service or port, or no pod behind it.",
        "look at the named Service or selector and at its pods",
    )
    HAS_CAPACITY = ("HasCapacity", "HasCapacity", "Self-hosted models take calls.", "")
    SATURATED = (
        "Saturated",
        "HasCapacity",
        "Every endpoint of a self-hosted model is full; calls go to other candidates first.",
        "add replicas, or candidates that take over; `saturation` says what counts as full",
    )
    ASLEEP = (
        "Asleep",
        "HasCapacity",
        "Every engine of a self-hosted model sleeps; calls go to other candidates first.",
        "wake one where the model is needed",
    )
    STARTING = (
        "Starting",
        "HasCapacity",
        "No pod of a self-hosted model is ready yet; calls go to other candidates first.",
        "look at the pods if it stays so",
    )
    LEDGER_AVAILABLE = ("LedgerAvailable", "LedgerAvailable", "The ledger counts.", "")
    LEDGER_UNAVAILABLE = (
        "LedgerUnavailable",
        "LedgerAvailable",
        "Sidecars do not reach the ledger, or it cannot store.",
        "look at the hub's log and its volume or database",
    )
    NOT_BOUND = (
        "NotBound",
        "Enforced",
        "No policy's table holds this Budget, so nothing is counted.",
        "create a RoutingPolicy in the namespace",
    )
    PROGRAMMING = (
        "Programming",
        "Enforced",
        "Some sidecars do not run a table that holds the Budget as it is now: their calls pass it.",
        "wait a second; if it stays, look at `Programmed` of the policies of the named pods",
    )
    BELOW_THRESHOLDS = ("BelowThresholds", "NearLimit", "No threshold is reached.", "")
    THRESHOLD_REACHED = (
        "ThresholdReached",
        "NearLimit",
        "A threshold is reached; the message says which and what it does.",
        "raise the limit, or wait for the next window",
    )
    WITHIN_LIMIT = ("WithinLimit", "Exhausted", "There is money left.", "")
    LIMIT_REACHED = (
        "LimitReached",
        "Exhausted",
        "Nothing is left of a limit; under Enforce calls are refused until the window ends.",
        "raise the limit, or wait for the next window",
    )
    READY = ("Ready", "Ready", "All other conditions are as they should be.", "")

"""Why a pod got no sidecar: a closed list that the controller shows and the metrics count."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What decided; those in `CANNOT` leave a mark on the pod."""

    INJECTED = "Injected"
    """The pod has the sidecar."""
    NOT_REQUESTED = "NotRequested"
    """Neither its label nor its namespace asks for injection."""
    OPTED_OUT = "OptedOut"
    """Its label says no."""
    MIRROR_POD = "MirrorPod"
    """A kubelet runs it from a file; the API object is a copy that cannot be changed."""
    HOST_NETWORK = "HostNetwork"
    """Its loopback address is the node's: every pod there would share one port."""
    WINDOWS = "Windows"
    """The sidecar is a Linux image."""
    PORT_CLASH = "PortClash"
    """One of its containers declares a port of the sidecar's."""
    NAME_TAKEN = "NameTaken"
    """A container or volume of its own bears a name of ours."""
    LIMIT_RANGE = "LimitRange"
    """No size of the sidecar satisfies the namespace's LimitRanges."""
    QUOTA = "Quota"
    """What is left of the namespace's ResourceQuotas does not hold the smallest sidecar."""
    MALFORMED = "Malformed"
    """It is not a pod; the API server's own validation will say so."""


CANNOT = frozenset(
    {
        *(Reason.HOST_NETWORK, Reason.WINDOWS, Reason.PORT_CLASH, Reason.NAME_TAKEN),
        *(Reason.LIMIT_RANGE, Reason.QUOTA),
    }
)
"""Wanted, and impossible."""

"""The sidecar's size within what a namespace allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.inject import Namespace, Reason
from pointsman_operator.inject.names import NOT_INJECTED
from pointsman_operator.inject.quantity import milli, show_bytes, show_milli, whole
from support.pods import app, injected, pod, sidecar_of, sized

MIB = 2**20


def limit_range(kind: str = "Container", **bounds: Any) -> dict[str, Any]:
    """A LimitRange with one item."""
    return {"metadata": {"name": "range"}, "spec": {"limits": [{"type": kind, **bounds}]}}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A ResourceQuota."""
    status = {"hard": hard, "used": used or {}}
    return {"metadata": {"name": "quota"}, "spec": {"hard": hard, **spec}, "status": status}


def within(*limit_ranges: dict[str, Any], quotas: tuple[dict[str, Any], ...] = ()) -> Namespace:
    """A namespace with these."""
    return Namespace("shop", "enabled", quotas, limit_ranges)


def size(namespace: Namespace, submitted: dict[str, Any] | None = None) -> dict[str, Any]:
    """The sidecar's resources there."""
    made, outcome = injected(submitted or pod(), namespace)
    assert outcome.decision.reason is Reason.INJECTED, outcome
    resources: dict[str, Any] = sidecar_of(made)["resources"]
    return resources


DEFAULT = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


def test_by_default_it_is_small_and_its_cpu_unlimited() -> None:
    """No CPU limit: a router that is throttled delays every call."""
    assert size(within()) == DEFAULT


@pytest.mark.parametrize(
    ("bounds", "requests", "limits"),
    [
        ({"max": {"cpu": "500m"}}, ["10m", "64Mi"], ["500m", "256Mi"]),
        ({"min": {"cpu": "50m", "memory": "300Mi"}}, ["50m", "300Mi"], [None, "300Mi"]),
        ({"default": {"cpu": "100m", "memory": "64Mi"}}, ["10m", "64Mi"], ["1", "256Mi"]),
        ({"default": {"cpu": "4"}}, ["10m", "64Mi"], ["4", "256Mi"]),
        ({"max": {"memory": "128Mi"}}, ["10m", "64Mi"], [None, "128Mi"]),
        ({"maxLimitRequestRatio": {"memory": "2"}}, ["10m", "128Mi"], [None, "256Mi"]),
        ({"maxLimitRequestRatio": {"cpu": "4"}}, ["25m", "64Mi"], ["100m", "256Mi"]),
        (
            {"max": {"cpu": "200m"}, "maxLimitRequestRatio": {"cpu": "20"}},
            ["10m", "64Mi"],
            ["200m", "256Mi"],
        ),
    ],
)
def test_limit_ranges_are_kept(
    bounds: dict[str, Any], requests: list[str], limits: list[str | None]
) -> None:
    """Minimum, maximum, default and ratio each bend the size, no more than they must."""
    found = size(within(limit_range(**bounds)))
    assert [found["requests"][name] for name in ("cpu", "memory")] == requests
    assert [found["limits"].get(name) for name in ("cpu", "memory")] == limits


@pytest.mark.parametrize(
    ("namespace", "reason", "says"),
    [
        (within(limit_range(max={"memory": "32Mi"})), Reason.LIMIT_RANGE, "32Mi memory"),
        (within(limit_range("Pod", max={"memory": "1Gi"})), Reason.LIMIT_RANGE, "a pod"),
        (
            within(quotas=(quota({"limits.memory": "2Gi"}, {"limits.memory": "1008Mi"}),)),
            Reason.QUOTA,
            "leaves 16Mi of limits.memory",
        ),
        (
            within(quotas=(quota({"memory": "1Gi"}, {"memory": "0"}),)),
            Reason.QUOTA,
            "leaves 0 of memory",
        ),
        (
            within(
                limit_range(max={"memory": "128Mi"}, min={"memory": "128Mi"}),
                quotas=(quota({"limits.memory": "1088Mi"}),),
            ),
            Reason.QUOTA,
            "64Mi",
        ),
    ],
)
def test_where_no_size_fits_the_pod_starts_without(
    namespace: Namespace, reason: Reason, says: str
) -> None:
    """The mark and the warning name the object that leaves no room, and how much it leaves."""
    made, outcome = injected(pod(sized()), namespace)
    assert outcome.decision.reason is reason
    assert says in json.loads(made["metadata"]["annotations"][NOT_INJECTED])["message"]


def test_quotas_ask_for_limits_and_leave_what_they_leave() -> None:
    """A quota on limits.cpu needs a limit; the sidecar takes at most what is left."""
    hard = {"limits.cpu": "2", "requests.cpu": "2", "limits.memory": "2Gi"}
    used = {"limits.cpu": "940m", "limits.memory": "896Mi"}
    found = size(within(quotas=(quota(hard, used),)), pod(sized()))
    assert found["limits"]["cpu"] == "60m"
    assert found["limits"]["memory"] == "128Mi"
    assert found["limits"]["cpu"] == found["requests"]["cpu"], "the pod was Guaranteed"


@pytest.mark.parametrize(
    ("spec", "priority", "counts"),
    [
        ({"scopes": ["Terminating"]}, None, False),
        ({"scopes": ["NotTerminating"]}, None, True),
        ({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}}, "gold", True),
        ({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}}, None, False),
        ({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "NotIn", "values": ["gold"]}]}}, None, True),
    ],
)  # fmt: skip
def test_a_quota_counts_only_in_its_scope(
    spec: dict[str, Any], priority: str | None, *, counts: bool
) -> None:
    """What another kind of pod may use does not shrink this one's sidecar."""
    limited = quota({"limits.cpu": "300m"}, **spec)
    wanted: dict[str, Any] = {"priorityClassName": priority} if priority else {}
    submitted = pod(**wanted)
    limits = size(within(quotas=(limited,)), submitted)["limits"]
    assert limits.get("cpu") == ("300m" if counts else None)


def test_a_quota_on_best_effort_pods_keeps_the_pod_best_effort() -> None:
    """Requests of ours would move the pod under a quota that its own containers fail."""
    apart = quota({"requests.cpu": "4"}, scopes=["NotBestEffort"])
    assert size(within(quotas=(apart,))) == {}
    assert size(within(quotas=(apart,)), pod(sized("a"), app("b")))["requests"]


def test_resources_of_the_whole_pod_are_shared() -> None:
    """Under pod-level resources numbers of ours could only exceed them; a wish is warned of."""
    shared = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    submitted = pod(resources=shared, annotations={"pointsman.dev/cpu-limit": "2"})
    made, outcome = injected(submitted)
    assert sidecar_of(made)["resources"] == {}
    assert any("has no effect" in warning for warning in outcome.decision.warnings)


def test_disk_is_said_where_it_is_counted() -> None:
    """A quota on ephemeral storage wants it said by every container."""
    counted = within(quotas=(quota({"limits.ephemeral-storage": "1Gi"}),))
    assert size(counted)["limits"]["ephemeral-storage"] == "128Mi"


def test_a_wish_that_does_not_fit_is_said() -> None:
    """The author learns what is used instead."""
    wish = pod(annotations={"pointsman.dev/memory-limit": "1Gi"})
    made, outcome = injected(wish, within(limit_range(max={"memory": "512Mi"})))
    assert sidecar_of(made)["resources"]["limits"]["memory"] == "512Mi"
    assert any("1Gi does not fit, 512Mi is used" in it for it in outcome.decision.warnings)


AMOUNTS = {
    "cpu": st.integers(1, 4000).map(show_milli),
    "memory": st.integers(1, 2048).map(lambda mib: show_bytes(mib * MIB)),
}
BOUNDS = st.fixed_dictionaries({}, optional=AMOUNTS)
RATIOS = st.fixed_dictionaries(
    {}, optional={"cpu": st.integers(1, 20).map(str), "memory": st.integers(1, 8).map(str)}
)
HARD = st.fixed_dictionaries(
    {},
    optional={
        f"{kind}.{name}": AMOUNTS[name] for kind in ("limits", "requests") for name in AMOUNTS
    },
)
WISHES = st.fixed_dictionaries(
    {},
    optional={
        f"pointsman.dev/{name}-{kind}": AMOUNTS[name]
        for kind in ("limit", "request")
        for name in AMOUNTS
    },
)
PODS = st.sampled_from([(app(),), (sized(),), (sized(cpu="100m", memory="64Mi"), app("b"))])


@given(low=BOUNDS, high=BOUNDS, ratio=RATIOS, hard=HARD, wishes=WISHES, apps=PODS)
def test_whatever_the_bounds_the_answer_keeps_them(
    low: dict[str, str],
    high: dict[str, str],
    ratio: dict[str, str],
    hard: dict[str, str],
    wishes: dict[str, str],
    apps: tuple[dict[str, Any], ...],
) -> None:
    """An injected sidecar satisfies every LimitRange and quota that the pod itself satisfies."""
    ranges = limit_range(min=low, max=high, maxLimitRequestRatio=ratio)
    namespace = within(ranges, quotas=(quota(hard),))
    made, outcome = injected(pod(*apps, annotations=wishes), namespace)
    assert outcome.decision.reason in {Reason.INJECTED, Reason.LIMIT_RANGE, Reason.QUOTA}
    if outcome.decision.reason is not Reason.INJECTED:
        return
    resources = sidecar_of(made)["resources"]
    for name, read in (("cpu", milli), ("memory", whole)):
        request = read(resources["requests"][name])
        written = resources.get("limits", {}).get(name)
        limit = None if written is None else read(written)
        assert request >= read(low.get(name, "0"))
        assert limit is None or request <= limit
        assert name not in high or (limit or request) <= read(high[name])
        assert name not in ratio or (limit is not None and limit <= request * int(ratio[name]))
        _keeps_quota(hard, name, read, apps, (request, limit))


def _keeps_quota(
    hard: dict[str, str],
    name: str,
    read: Any,
    apps: tuple[dict[str, Any], ...],
    found: tuple[int, int | None],
) -> None:
    for kind, ours in zip(("requests", "limits"), found, strict=True):
        if f"{kind}.{name}" not in hard:
            continue
        assert ours is not None
        own = sum(read(it.get("resources", {}).get(kind, {}).get(name, "0")) for it in apps)
        room = read(hard[f"{kind}.{name}"]) - own
        assert room < 0 or ours <= room


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [("1", 1000), ("100m", 100), ("0.1", 100), ("1e3", 10**6), ("2k", 2 * 10**6), ("1n", 1),
     ("1.5Gi", 1536 * MIB * 1000), ("5E", (2**63 - 1))],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_reads_them(text: str, thousandths: int) -> None:
    """Suffixes of both kinds, exponents, rounding up, a cap at 64 bits."""
    assert milli(text) == thousandths


@pytest.mark.parametrize("text", ["", "m", ".", "1 Gi", "1gi", "0x1", "1" * 40, "1e1000", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """A typing error is an error, not zero."""
    with pytest.raises(ValueError, match="not a quantity"):
        milli(text)

"""Injection is repeatable, takes others' webhooks in any order, and leaves the app's own alone."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman_operator.inject import Namespace
from pointsman_operator.inject.environment import ADDITIONS
from pointsman_operator.inject.objects import containers
from support.pods import ENABLED, app, injected, pod, sized

NAMES = ("app", "worker", "istio-init", "istio-proxy", "linkerd-proxy", "migrate")
VARIABLES = st.lists(
    st.builds(
        lambda name, value: {"name": name, "value": value},
        st.sampled_from([*ADDITIONS, "PORT", "POINTSMAN_X"]),
        st.sampled_from(["x", "http://127.0.0.1:4617/v1", ""]),
    ),
    unique_by=lambda it: it["name"],
    max_size=4,
)
CONTAINERS = st.builds(
    lambda base, env, extra: {**copy.deepcopy(base), **({"env": env} if env else {}), **extra},
    st.sampled_from([app(), sized()]),
    VARIABLES,
    st.sampled_from(
        [{}, {"envFrom": [{"configMapRef": {"name": "c"}}]}, {"ports": [{"containerPort": 4617}]}]
    ),
)


def named(found: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """The containers with distinct names."""
    return [{**it, "name": name} for it, name in zip(found, names, strict=False)]


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    """Pods with meshes, variables, volumes and settings of many kinds."""
    names = draw(st.permutations(NAMES))
    running = draw(st.lists(CONTAINERS, min_size=1, max_size=3))
    before = draw(st.lists(CONTAINERS, max_size=3))
    for it in before:
        if draw(st.booleans()):
            it["restartPolicy"] = "Always"
    made = pod(
        *named(running, names[:3]),
        init=tuple(named(before, names[3:])),
        labels=draw(st.sampled_from([{}, {"pointsman.dev/inject": "false"}])),
        annotations=draw(
            st.sampled_from([{}, {"note": "x"}, {"pointsman.dev/env-injection": "force"}])
        ),
    )
    made["spec"] |= draw(
        st.sampled_from(
            [{}, {"hostNetwork": True}, {"volumes": [{"name": "data", "emptyDir": {}}]}]
        )
    )
    return made


NAMESPACES = st.sampled_from(
    [
        ENABLED,
        Namespace("shop"),
        Namespace(
            "shop",
            "required",
            limit_ranges=({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},),
        ),
    ]
)


@given(submitted=pods(), namespace=NAMESPACES)
def test_twice_is_once(submitted: dict[str, Any], namespace: Namespace) -> None:
    """Reinvocation on our own result changes nothing; also after the API server's defaults."""
    once, first = injected(submitted, namespace)
    twice, second = injected(once, namespace)
    assert second.patch == []
    assert second.decision == first.decision
    for container in containers(once):
        container.setdefault("terminationMessagePath", "/dev/termination-log")
    for volume in once["spec"].get("volumes", []):
        if "configMap" in volume:
            volume["configMap"]["defaultMode"] = 420
    assert injected(once, namespace)[1].patch == []
    assert twice["spec"].keys() == once["spec"].keys()


@given(submitted=pods(), namespace=NAMESPACES)
def test_only_the_environment_of_the_apps_containers_changes(
    submitted: dict[str, Any], namespace: Namespace
) -> None:
    """Every field that the author wrote is there afterwards as written; env only grows."""
    made, _ = injected(submitted, namespace)
    kept = copy.deepcopy(made)
    for key in ("initContainers", "containers"):
        own = [it for it in kept["spec"].get(key, []) if it["name"] != "pointsman"]
        for now, then in zip(own, submitted["spec"].get(key, []), strict=True):
            grown = now.pop("env", [])
            before = then.get("env", [])
            assert grown[: len(before)] == before
            assert {it["name"] for it in grown[len(before) :]} <= ADDITIONS.keys()
            assert now == {name: value for name, value in then.items() if name != "env"}
    volumes = [it for it in kept["spec"].get("volumes", []) if it["name"][:10] != "pointsman-"]
    assert volumes == submitted["spec"].get("volumes", [])
    rest = {"initContainers", "containers", "volumes"}
    assert {k: v for k, v in kept["spec"].items() if k not in rest} == {
        k: v for k, v in submitted["spec"].items() if k not in rest
    }


@given(submitted=pods(), proxy=st.sampled_from(["a-mesh", "istio-proxy", "linkerd-proxy"]),
       native=st.booleans(), first=st.booleans())  # fmt: skip
def test_the_order_of_other_injectors_does_not_matter(
    submitted: dict[str, Any], proxy: str, *, native: bool, first: bool
) -> None:
    """Another webhook before us, or after us with a reinvocation: the same pod."""
    taken = {it["name"] for it in containers(submitted)}
    name = proxy if proxy not in taken else "other-proxy"

    def join(into: dict[str, Any]) -> dict[str, Any]:
        added = app(name, **({"restartPolicy": "Always"} if native else {}))
        there = into["spec"].setdefault("initContainers" if native else "containers", [])
        there.insert(0 if first else len(there), added)
        return into

    before, _ = injected(join(copy.deepcopy(submitted)))
    once, _ = injected(submitted)
    after, _ = injected(join(once))
    for key in ("initContainers", "containers"):
        ours, theirs = (
            {it["name"]: it for it in made["spec"].get(key, [])} for made in (before, after)
        )
        assert ours == theirs
    assert before["metadata"] == after["metadata"]

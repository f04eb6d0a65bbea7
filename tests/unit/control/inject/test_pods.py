"""What the pod webhook decides and builds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pointsman_operator.inject import Namespace, Reason
from pointsman_operator.inject.names import NOT_INJECTED, STATUS
from support.pods import ENABLED, SETTINGS, app, environment, injected, pod, sidecar_of, sized

EMPTIED = ("initContainers", "volumes", "env")
"""Lists that came with us stay behind empty, which means the same as absent."""


@pytest.mark.parametrize(
    ("label", "injection", "reason"),
    [
        (None, "", Reason.NOT_REQUESTED),
        (None, "disabled", Reason.NOT_REQUESTED),
        (None, "enabled", Reason.INJECTED),
        (None, "required", Reason.INJECTED),
        ("true", "", Reason.INJECTED),
        ("true", "disabled", Reason.INJECTED),
        ("false", "enabled", Reason.OPTED_OUT),
        ("false", "required", Reason.OPTED_OUT),
        ("yes", "", Reason.NOT_REQUESTED),
        ("yes", "enabled", Reason.INJECTED),
    ],
)
def test_the_pod_decides_before_its_namespace(
    label: str | None, injection: str, reason: Reason
) -> None:
    """Label over namespace label; a value that means nothing is warned of."""
    labels = {} if label is None else {"pointsman.dev/inject": label}
    _, outcome = injected(pod(labels=labels), Namespace("shop", injection))
    assert outcome.decision.reason is reason
    assert bool(outcome.patch) is (reason is Reason.INJECTED)
    assert any("neither" in warning for warning in outcome.decision.warnings) is (label == "yes")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hostNetwork": True}, Reason.HOST_NETWORK),
        ({"os": {"name": "windows"}}, Reason.WINDOWS),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, Reason.WINDOWS),
        ({"volumes": [{"name": "pointsman-state", "emptyDir": {}}]}, Reason.NAME_TAKEN),
    ],
)
def test_what_cannot_work_is_marked_and_allowed(spec: dict[str, Any], reason: Reason) -> None:
    """The pod starts as submitted but for a mark that says why it has no sidecar."""
    submitted = pod(**spec)
    made, outcome = injected(submitted)
    assert outcome.decision.reason is reason
    mark = json.loads(made["metadata"]["annotations"].pop(NOT_INJECTED))
    assert mark["reason"] == reason.value
    assert mark["message"] in outcome.decision.warnings[-1]
    assert made["spec"] == submitted["spec"]


@pytest.mark.parametrize("port", [4617, 4618, 4619])
def test_a_port_of_the_sidecars_is_refused(port: int) -> None:
    """One network namespace, one listener: the app's port stays the app's."""
    taken = app(ports=[{"containerPort": port}])
    assert injected(pod(taken))[1].decision.reason is Reason.PORT_CLASH
    over_udp = app(ports=[{"containerPort": port, "protocol": "UDP"}])
    assert injected(pod(over_udp))[1].decision.reason is Reason.INJECTED


def test_a_container_called_like_ours_is_left_alone() -> None:
    """Somebody's own `pointsman` container is neither replaced nor joined."""
    for submitted in (pod(app("pointsman")), pod(init=(app("pointsman"),))):
        made, outcome = injected(submitted)
        assert outcome.decision.reason is Reason.NAME_TAKEN
        assert made["spec"] == submitted["spec"]


def test_mirror_pods_are_not_touched_at_all() -> None:
    """A kubelet's mirror pod gets not even a mark: the write would be refused."""
    _, outcome = injected(pod(annotations={"kubernetes.io/config.mirror": "x"}))
    assert (outcome.decision.reason, outcome.patch) == (Reason.MIRROR_POD, [])


@pytest.mark.parametrize(
    "broken",
    [
        {"spec": {"containers": "none"}, "metadata": {}},
        {"spec": [], "metadata": {"labels": {}}},
        {"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}},
        {"metadata": {"annotations": 1}},
    ],
)
def test_what_is_no_pod_is_left_to_the_api_server(broken: dict[str, Any]) -> None:
    """Malformed objects are allowed unchanged: validation comes later and says it better."""
    outcome = injected(broken)[1]
    assert (outcome.decision.reason, outcome.patch) == (Reason.MALFORMED, [])


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ((), 0),
        (("migrate",), 0),
        (("istio-init", "migrate"), 1),
        (("istio-validation", "istio-proxy", "migrate"), 2),
        (("linkerd-init", "linkerd-proxy", "migrate"), 2),
        (("linkerd-network-validator", "linkerd-proxy", "vault-agent", "migrate"), 2),
    ],
)
def test_it_starts_behind_the_mesh_and_before_all_others(
    before: tuple[str, ...], place: int
) -> None:
    """The mesh's network first, then the router, then whatever may call models."""
    made, _ = injected(pod(init=tuple(map(app, before))))
    names = [it["name"] for it in made["spec"]["initContainers"]]
    assert names.index("pointsman") == place
    assert [name for name in names if name != "pointsman"] == list(before)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("proxy", ["istio-proxy", "linkerd-proxy"])
def test_a_mesh_that_joins_later_ends_before_us(proxy: str, *, native: bool) -> None:
    """Reinvoked after a mesh's webhook, the order is as if the mesh had been first."""
    mesh = {**app(proxy), **({"restartPolicy": "Always"} if native else {})}
    place = "initContainers" if native else "containers"

    def with_mesh(submitted: dict[str, Any]) -> dict[str, Any]:
        submitted["spec"].setdefault(place, []).append(mesh)
        return submitted

    first, _ = injected(with_mesh(pod(init=(app("migrate"),))))
    once, _ = injected(pod(init=(app("migrate"),)))
    last, _ = injected(with_mesh(once))
    assert {json.dumps(it) for it in last["spec"][place]} == {
        json.dumps(it) for it in first["spec"][place]
    }
    names = [it["name"] for it in last["spec"]["initContainers"]]
    assert not native or names.index("pointsman") > names.index(proxy)
    assert "OPENAI_BASE_URL" not in environment(mesh)


def test_the_environment_is_never_overwritten() -> None:
    """What is unset is set; what the app sets stays, and the mark and a warning say so."""
    own = [{"name": "OPENAI_BASE_URL", "value": "https://api.openai.com/v1"}]
    made, outcome = injected(pod(app("a", env=own), app("b"), init=(app("migrate"),)))
    first, second = made["spec"]["containers"]
    assert environment(first)["OPENAI_BASE_URL"] == "https://api.openai.com/v1"
    assert environment(second) == {
        "OPENAI_BASE_URL": "http://127.0.0.1:4617/v1",
        "OPENAI_API_BASE": "http://127.0.0.1:4617/v1",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4617",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:4617",
        "POINTSMAN_URL": "http://127.0.0.1:4617",
        "OPENAI_API_KEY": "pointsman",
        "ANTHROPIC_API_KEY": "pointsman",
        "GEMINI_API_KEY": "pointsman",
    }
    assert environment(made["spec"]["initContainers"][1]) == environment(second)
    status = json.loads(made["metadata"]["annotations"][STATUS])
    assert status["conflicts"] == {"a": ["OPENAI_BASE_URL"]}
    assert any("'a' sets OPENAI_BASE_URL" in it for it in outcome.decision.warnings)


def test_a_key_of_the_apps_own_is_no_conflict() -> None:
    """The placeholder is for apps without a key; a key in a Secret stays where it is."""
    secret = {"secretKeyRef": {"name": "openai", "key": "api-key"}}
    made, _ = injected(pod(app(env=[{"name": "OPENAI_API_KEY", "valueFrom": secret}])))
    assert "conflicts" not in json.loads(made["metadata"]["annotations"][STATUS])
    kept = [it for it in made["spec"]["containers"][0]["env"] if it["name"] == "OPENAI_API_KEY"]
    assert kept == [{"name": "OPENAI_API_KEY", "valueFrom": secret}]


@pytest.mark.parametrize(
    ("own", "placeholder"),
    [("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"), ("GOOGLE_API_KEY", "GEMINI_API_KEY")],
)
def test_a_key_under_its_other_name_needs_no_placeholder(own: str, placeholder: str) -> None:
    """An SDK that finds two keys warns, or sends both."""
    made, _ = injected(pod(app(env=[{"name": own, "value": "own"}]), app("other")))
    first, second = made["spec"]["containers"]
    assert placeholder not in environment(first)
    assert "ANTHROPIC_BASE_URL" in environment(first)
    assert environment(second)[placeholder] == "pointsman"


@pytest.mark.parametrize(
    ("mode", "added", "undetermined"),
    [(None, False, True), ("true", False, True), ("force", True, False), ("false", False, False)],
)
def test_env_from_may_hide_a_base_url(mode: str | None, *, added: bool, undetermined: bool) -> None:
    """With envFrom nothing is added unless forced, and the mark says that we do not know."""
    annotations = {} if mode is None else {"pointsman.dev/env-injection": mode}
    submitted = pod(app(envFrom=[{"configMapRef": {"name": "c"}}]), annotations=annotations)
    made, _ = injected(submitted)
    assert ("OPENAI_BASE_URL" in environment(made["spec"]["containers"][0])) is added
    status = json.loads(made["metadata"]["annotations"][STATUS])
    assert status.get("undetermined") == (["app"] if undetermined else None)


def test_only_the_listed_containers_get_the_environment() -> None:
    """`containers` chooses; a name that is not there is warned of."""
    submitted = pod(app("a"), app("b"), annotations={"pointsman.dev/containers": "b, c"})
    made, outcome = injected(submitted)
    assert environment(made["spec"]["containers"][0]) == {}
    assert environment(made["spec"]["containers"][1])
    assert any("no container 'c'" in it for it in outcome.decision.warnings)


def test_bad_settings_cost_a_warning_and_not_the_pod() -> None:
    """Each annotation that is not understood is named; the defaults take its place."""
    bad = {
        "pointsman.dev/cpu-request": "much",
        "pointsman.dev/memory-limit": "12Mi",
        "pointsman.dev/log-level": "loud",
        "pointsman.dev/env-injection": "maybe",
        "pointsman.dev/workload": "Not A Name",
        "pointsman.dev/containers": " , ",
        "pointsman.dev/cpu-limt": "1",
    }
    made, outcome = injected(pod(annotations=bad))
    assert len(outcome.decision.warnings) == len(bad)
    assert all(any(key in it for it in outcome.decision.warnings) for key in bad)
    assert sidecar_of(made) == sidecar_of(injected(pod())[0])


def test_settings_are_obeyed() -> None:
    """Sizes, log level and workload are the author's where they can be."""
    wishes = {
        "pointsman.dev/cpu-request": "50m",
        "pointsman.dev/cpu-limit": "2",
        "pointsman.dev/memory-request": "300Mi",
        "pointsman.dev/log-level": "debug",
        "pointsman.dev/workload": "till",
    }
    made, outcome = injected(pod(annotations=wishes))
    container = sidecar_of(made)
    assert container["resources"] == {
        "requests": {"cpu": "50m", "memory": "300Mi"},
        "limits": {"cpu": "2", "memory": "300Mi"},
    }
    assert environment(container)["POINTSMAN_LOG_LEVEL"] == "DEBUG"
    assert environment(container)["POINTSMAN_WORKLOAD"] == "till"
    assert outcome.decision.warnings == ()


def test_sidecars_are_told_of_the_collector_only_where_there_is_one() -> None:
    """Spans go where the release says; without a collector nothing about it is in the pod."""
    told = replace(SETTINGS, otlp_endpoint="http://collector:4318", otlp_sample_percent="5")
    made, _ = injected(pod(), settings=told)
    variables = environment(sidecar_of(made))
    assert variables["POINTSMAN_OTLP_ENDPOINT"] == "http://collector:4318"
    assert variables["POINTSMAN_OTLP_SAMPLE_PERCENT"] == "5"
    plain, _ = injected(pod())
    assert not [name for name in environment(sidecar_of(plain)) if "OTLP" in name]


@pytest.mark.parametrize(
    ("metadata", "workload"),
    [
        ({"name": "alone"}, "alone"),
        ({"generateName": "batch-"}, "batch"),
        ({"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}, "db"),
        (
            {"ownerReferences": [{"kind": "Job", "name": "night-29341234", "controller": True}]},
            "night",
        ),
        ({"ownerReferences": [{"kind": "Job", "name": "once", "controller": True}]}, "once"),
        ({"ownerReferences": [{"kind": "Node", "name": "n"}], "name": "bare"}, "bare"),
    ],
)
def test_spend_is_booked_on_what_people_call_it(metadata: dict[str, Any], workload: str) -> None:
    """The workload is the owner's name without a hash or a schedule's suffix."""
    submitted = pod()
    submitted["metadata"] = metadata
    made, _ = injected(submitted)
    assert environment(sidecar_of(made))["POINTSMAN_WORKLOAD"] == workload
    of_deployment, _ = injected(pod())
    assert environment(sidecar_of(of_deployment))["POINTSMAN_WORKLOAD"] == "support"


@pytest.mark.parametrize(
    ("user", "said"), [(None, None), (0, 65532), (1000, None), (1000680000, None)]
)
def test_the_user_is_said_only_over_root(user: int | None, said: int | None) -> None:
    """Namespaces that hand out user ids (OpenShift) refuse a fixed one; root is never inherited."""
    context = {"fsGroup": 2000} | ({} if user is None else {"runAsUser": user})
    submitted = pod(securityContext=context)
    made, _ = injected(submitted)
    security = sidecar_of(made)["securityContext"]
    assert security.get("runAsUser") == said
    assert security["runAsNonRoot"] is True
    assert made["spec"]["securityContext"] == context


@pytest.mark.parametrize(("grace", "drain"), [(None, "25"), (30, "25"), (600, "595"), (3, "1")])
def test_the_drain_fits_the_grace_period(grace: int | None, drain: str) -> None:
    """Five seconds of the pod's grace are left for the last report."""
    spec: dict[str, Any] = {} if grace is None else {"terminationGracePeriodSeconds": grace}
    made, _ = injected(pod(**spec))
    assert environment(sidecar_of(made))["POINTSMAN_DRAIN_SECONDS"] == drain


def test_a_shared_process_namespace_is_pointed_out() -> None:
    """The app could then read the router's mounts."""
    _, outcome = injected(pod(shareProcessNamespace=True, automountServiceAccountToken=False))
    assert outcome.decision.reason is Reason.INJECTED
    assert any("process namespace" in it for it in outcome.decision.warnings)


def test_a_new_bundle_asks_for_no_rollout() -> None:
    """The mark's digest names the container without the CA bundle, which pods get otherwise."""
    other = type(SETTINGS)(**{**SETTINGS.__dict__, "hub_ca": "another"})
    image = type(SETTINGS)(**{**SETTINGS.__dict__, "image": "another"})
    marks = [
        json.loads(injected(pod(), ENABLED, it)[0]["metadata"]["annotations"][STATUS])["spec"]
        for it in (SETTINGS, other, image)
    ]
    assert marks[0] == marks[1] != marks[2]


def test_a_copy_of_an_injected_pod_gets_todays_sidecar() -> None:
    """`kubectl get pod -o yaml`, edited and created again, does not keep an old version."""
    made, _ = injected(pod())
    newer = type(SETTINGS)(**{**SETTINGS.__dict__, "image": "new", "version": "2"})
    again, _ = injected(made, ENABLED, newer)
    assert sidecar_of(again)["image"] == "new"
    assert json.loads(again["metadata"]["annotations"][STATUS])["version"] == "2"
    assert len(again["spec"]["volumes"]) == len(made["spec"]["volumes"])


def test_a_hindrance_that_comes_later_takes_the_sidecar_out_again() -> None:
    """Another webhook's container on our port, after us: the pod ends as if it had been first."""
    clash = app("other", ports=[{"containerPort": 4617}])
    first, _ = injected(pod(app(), clash))
    made, _ = injected(pod(app()))
    made["spec"]["containers"].append(clash)
    last, outcome = injected(made)
    assert outcome.decision.reason is Reason.PORT_CLASH
    for holder in (last["spec"], *last["spec"]["containers"]):
        for key in EMPTIED:
            if holder.get(key) == []:
                del holder[key]
    assert last == first


def test_guaranteed_pods_stay_guaranteed() -> None:
    """Limits equal requests where they do for every container of the pod."""
    made, _ = injected(pod(sized("a"), sized("b")))
    resources = sidecar_of(made)["resources"]
    assert resources["limits"] == resources["requests"] == {"cpu": "100m", "memory": "256Mi"}
    burstable, _ = injected(pod(sized("a"), app("b")))
    assert "cpu" not in sidecar_of(burstable)["resources"]["limits"]

"""What Helm installs is what the code of the three roles says it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.helm import Helm
from pointsman_operator.api.kinds import KINDS
from pointsman_operator.inject.webhooks import service_client, webhook_configuration
from pointsman_operator.injector import access
from pointsman_operator.owned import permissions
from support.charts import HOME, MONITORING, RELEASE, Object, one, rendered

ROLES = ("controller", "injector", "hub")
WORKLOADS = ("Deployment", "StatefulSet", "Job", "Pod")


def test_the_webhooks_are_the_injectors_own(helm: Helm) -> None:
    """The chart's configuration equals the builder's, which all tests of injection use."""
    found = one(rendered(helm), "MutatingWebhookConfiguration", RELEASE, None)
    client = service_client(HOME, f"{RELEASE}-injector")
    labels = found["metadata"]["labels"]
    assert found == webhook_configuration(RELEASE, HOME, labels, client)


def test_the_webhooks_keep_to_the_namespaces_that_are_served(helm: Helm) -> None:
    """With a list of namespaces the API server asks about no other."""
    found = rendered(helm, {"namespaces": ["apps", "more"]})
    for webhook in one(found, "MutatingWebhookConfiguration", RELEASE, None)["webhooks"]:
        expression = {
            "key": "kubernetes.io/metadata.name",
            "operator": "In",
            "values": ["apps", "more"],
        }
        assert expression in webhook["namespaceSelector"]["matchExpressions"]


def test_the_rights_are_the_ones_that_the_code_names(helm: Helm) -> None:
    """Not one verb more, not one less."""
    found = rendered(helm)
    everywhere = [*permissions.everywhere(), *permissions.cluster_wide()]
    webhooks = permissions.of_webhooks([RELEASE])
    assert _rules(found, "ClusterRole", "controller") == _sorted([*everywhere, *webhooks])
    assert _rules(found, "Role", "controller") == _sorted(permissions.at_home(RELEASE))
    assert _rules(found, "ClusterRole", "injector") == _sorted(access.CLUSTER_RULES)
    assert all(
        rule in _rules(found, "ClusterRole", "hub") for rule in _sorted(permissions.of_engines())
    )
    assert _rules(found, "Role", "injector") == _sorted(access.own_rules(f"{RELEASE}-ca"))


def test_sidecars_and_gateways_send_their_spans_to_one_collector(helm: Helm) -> None:
    """The injector tells sidecars, the controller gateways; without one nobody is told anything."""

    def told(values: dict[str, Any], role: str) -> dict[str, str]:
        deployment = one(rendered(helm, values), "Deployment", f"{RELEASE}-{role}")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        start = f"POINTSMAN_{role.upper()}_OTLP_"
        return {
            it["name"].removeprefix(start): it["value"]
            for it in container["env"]
            if it["name"].startswith(start)
        }

    tracing = {"otlpEndpoint": "http://collector:4318", "samplePercent": 7}
    wanted = {"ENDPOINT": "http://collector:4318", "SAMPLE_PERCENT": "7"}
    for role in ("injector", "controller"):
        assert told({"sidecar.tracing": tracing}, role) == wanted
        assert told({}, role) == {}


def test_with_a_list_of_namespaces_the_rights_end_there(helm: Helm) -> None:
    """Roles instead of a ClusterRole: elsewhere only the names of namespaces can be read."""
    found = rendered(helm, {"namespaces": ["apps"]})
    cluster = [*permissions.cluster_wide(), *permissions.of_webhooks([RELEASE])]
    assert _rules(found, "ClusterRole", "controller") == _sorted(cluster)
    served = one(found, "Role", f"{RELEASE}-served", "apps")
    assert _sorted(served["rules"]) == _sorted(permissions.everywhere())
    engines = one(found, "Role", f"{RELEASE}-engines", "apps")
    assert _sorted(engines["rules"]) == _sorted(permissions.of_engines())


def test_gateways_may_run_in_the_namespaces_that_are_listed_and_nowhere_else(helm: Helm) -> None:
    """A Role in each, of the controller alone; without a list there is none."""
    found = rendered(helm, {"gatewayNamespaces": ["ai"]})
    role = one(found, "Role", f"{RELEASE}-gateways", "ai")
    assert _sorted(role["rules"]) == _sorted(permissions.of_gateways())
    binding = one(found, "RoleBinding", f"{RELEASE}-gateways", "ai")
    assert [it["name"] for it in binding["subjects"]] == [f"{RELEASE}-controller"]
    names = [it["metadata"]["name"] for it in rendered(helm)]
    assert f"{RELEASE}-gateways" not in names


def test_nobody_may_read_secrets_of_others_or_write_workloads(helm: Helm) -> None:
    """A stolen token of ours opens no key and changes no app."""
    for document in rendered(helm):
        if document["kind"] not in {"ClusterRole", "Role"}:
            continue
        for rule in document["rules"]:
            resources = set(rule.get("resources", ()))
            assert "*" not in {*resources, *rule["verbs"], *rule.get("apiGroups", ())}
            if "secrets" in resources:
                assert document["kind"] == "Role"
                assert all(name.startswith(f"{RELEASE}-") for name in rule["resourceNames"])
            if "pods" in resources and document["metadata"]["name"] != f"{RELEASE}-test":
                assert set(rule["verbs"]) <= {"list", "watch"}
            assert not resources & {"deployments", "statefulsets", "daemonsets", "jobs"}


def test_the_hubs_metrics_are_scraped_by_who_may_see_all_budgets(helm: Helm) -> None:
    """Prometheus shows the token of an account with that one right."""
    found = rendered(helm, {}, "--api-versions", MONITORING)
    *_, hub = one(found, "PodMonitor", f"{RELEASE}-operator")["spec"]["podMetricsEndpoints"]
    secret = hub["authorization"]["credentials"]
    token = one(found, "Secret", secret["name"])
    assert token["type"] == "kubernetes.io/service-account-token"
    account = token["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    assert one(found, "ServiceAccount", account)["automountServiceAccountToken"] is False
    rules = one(found, "ClusterRole", account, None)["rules"]
    assert rules == [{"apiGroups": ["pointsman.dev"], "resources": ["budgets"], "verbs": ["get"]}]


def test_every_pod_is_restricted(helm: Helm) -> None:
    """Non-root, read-only root, no privilege, bounded memory, never injected itself."""
    for pod in _pods(rendered(helm)):
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["metadata"]["labels"]["pointsman.dev/inject"] == "false"
        for container in pod["spec"]["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not security["allowPrivilegeEscalation"]
            assert container["resources"]["limits"]["memory"]


def test_no_secret_holds_anything(helm: Helm) -> None:
    """A chart that makes keys makes new ones at every render; the controller fills them."""
    for document in rendered(helm):
        assert document["kind"] != "Secret" or not document.keys() & {"data", "stringData"}


def test_two_releases_share_no_name(helm: Helm) -> None:
    """With another full name everything is called after it, and nothing collides."""
    first = {_identity(each) for each in rendered(helm, {"crds.enabled": False})}
    others = {"crds.enabled": False, "fullnameOverride": "points"}
    second = {_identity(each) for each in rendered(helm, others)}
    assert first
    assert not first & second
    assert all(name.startswith("points") for _, _, name in second)


def test_crds_are_kept_unless_told_otherwise(helm: Helm) -> None:
    """`helm uninstall` would take every ModelPool, RoutingPolicy and Budget with them."""
    policy = "helm.sh/resource-policy"
    crds = [each for each in rendered(helm) if each["kind"] == "CustomResourceDefinition"]
    assert len(crds) == len(KINDS)
    assert all(each["metadata"]["annotations"][policy] == "keep" for each in crds)
    for crd in rendered(helm, {"crds.keep": False}):
        if crd["kind"] == "CustomResourceDefinition":
            assert policy not in crd["metadata"].get("annotations", {})
    without = rendered(helm, {"crds.enabled": False})
    assert not [each for each in without if each["kind"] == "CustomResourceDefinition"]


def test_monitors_are_made_where_the_cluster_knows_them(helm: Helm) -> None:
    """Nothing of the Prometheus operator without its API; every named port exists with it."""
    assert not [each for each in rendered(helm) if each["apiVersion"] == MONITORING]
    found = rendered(helm, None, "--api-versions", MONITORING)
    ports = {port["name"] for pod in _pods(found) for port in _ports(pod)}
    kinds = {each["kind"] for each in found if each["apiVersion"] == MONITORING}
    assert kinds == {"PodMonitor", "PrometheusRule"}
    for document in found:
        if document["kind"] == "PodMonitor":
            for endpoint in document["spec"]["podMetricsEndpoints"]:
                assert endpoint["port"] in ports | {"pointsman"}


def test_network_policies_open_ports_that_exist(helm: Helm) -> None:
    """One a role, each naming ports of its pods."""
    found = rendered(helm)
    for role in ROLES:
        policy = one(found, "NetworkPolicy", f"{RELEASE}-{role}")
        opened = {port["port"] for port in policy["spec"]["ingress"][0]["ports"]}
        component = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        (pod,) = [
            pod
            for pod in _pods(found)
            if pod["metadata"]["labels"].get("app.kubernetes.io/component") == component
        ]
        assert opened == {port["name"] for port in _ports(pod)}


def _rules(objects: list[Object], kind: str, role: str) -> list[Any]:
    namespace = HOME if kind == "Role" else None
    return _sorted(one(objects, kind, f"{RELEASE}-{role}", namespace)["rules"])


def _sorted(rules: Iterable[Any]) -> list[Any]:
    return sorted(({key: sorted(rule[key]) for key in sorted(rule)} for rule in rules), key=str)


def _pods(objects: list[Object]) -> list[Object]:
    """Pods and pod templates, as {"metadata", "spec"}."""
    return [
        each if each["kind"] == "Pod" else each["spec"]["template"]
        for each in objects
        if each["kind"] in WORKLOADS
    ]


def _ports(pod: Object) -> list[Object]:
    return [port for each in pod["spec"]["containers"] for port in each.get("ports", [])]


def _identity(document: Object) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]

"""Two namespaces on one cluster: neither sees the other's models, keys, spend."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness import apps
from harness.fixtures import fresh_namespace
from harness.installation import HOME, Installation
from harness.kubectl import Kubectl
from harness.pods import RESTRICTED
from harness.provider import Provider
from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from support import resources
from support.eventually import eventually

pytestmark = pytest.mark.timeout(600)

ASKING, PRYING = ((apps.PROGRAMS / f"{name}.py").read_text() for name in ("asking", "prying"))
HUB = f"https://pointsman-hub.{HOME}.svc/metrics"
WAY = (("pods", "list"), ("configmaps", "get"), ("pods/portforward", "get,create"))
"""What a person needs on the way to the hub."""


@dataclass(frozen=True)
class Tenant:
    """A namespace with its own provider, model, key, Budget, app, and a person who may see it."""

    name: str
    namespace: str
    kubectl: Kubectl
    person: Path
    """Her kubeconfig."""

    @property
    def key(self) -> str:
        """What her provider wants to see."""
        return f"sk-of-{self.name}-alone"

    def asked(self, *models: str) -> list[str]:
        """The models that her app is shown, then what came of a call for each of these."""
        call = ("python3", "-c", ASKING, *models)
        return self.kubectl.exec("deployment/app", *call, container="app").splitlines()

    def may_see_her_own(self) -> bool:
        """Her roles have arrived at the API server."""
        return self.commanded("budgets", "-n", self.namespace).exit_code == exits.OK

    def spent(self) -> list[str]:
        """The models that her namespace has paid for."""
        said = self.commanded("spend", "--json", "-n", self.namespace)
        assert said.exit_code == exits.OK, said.output
        return [row["key"] for row in json.loads(said.stdout)["rows"]]

    def commanded(self, *words: str) -> Result:
        """A command of hers, by her own token."""
        options = ["--kubeconfig", str(self.person), "--operator-namespace", HOME]
        return CliRunner().invoke(APPLICATION, [*words, *options])


@pytest.fixture(scope="module")
def tenants(installed: Installation) -> Iterator[tuple[Tenant, Tenant]]:
    """Two of them, whose apps have been answered once each."""
    with ExitStack() as stack:
        made = []
        for name in ("plum", "pear"):
            title = f"tenant-{name}"
            namespace = stack.enter_context(fresh_namespace(installed.cluster, title, RESTRICTED))
            stack.callback(_forget, installed, name)
            made.append(_tenant(installed, name, namespace))
        for tenant in made:
            apps.annotate(tenant.kubectl)
            place = ("--for=condition=Ready", "rpol/support", "bud/team", "--timeout=180s")
            tenant.kubectl("wait", *place)
            assert tenant.asked("auto")[1] == f"sim-{tenant.name}"
            eventually(tenant.may_see_her_own, 60)
        yield made[0], made[1]


def test_neither_sees_the_others_models(tenants: tuple[Tenant, Tenant]) -> None:
    """The router lists one's own; the other's name is as unknown as any."""
    for own, other in (tenants, tenants[::-1]):
        foreign = (f"main/{other.name}", f"sim-{other.name}", other.name, "main/unheard-of")
        listed, *answers = own.asked(*foreign)
        assert f"main/{own.name}" in listed.split(",")
        assert other.name not in listed
        assert answers == ["404 model_not_found"] * len(foreign)
        seen = own.kubectl("get", "mpool,rpol,bud", "-o", "yaml")
        assert other.name not in seen
        assert other.namespace not in seen


def test_neither_sees_the_others_keys(tenants: tuple[Tenant, Tenant]) -> None:
    """Each router was answered with its own key, and holds no other; none is in what we write."""
    for own, other in (tenants, tenants[::-1]):
        (pod,) = apps.running(own.kubectl)
        volumes = json.dumps(pod["spec"]["volumes"])
        assert apps.SECRET in volumes
        assert other.namespace not in json.dumps(pod)
        for each in (own, other):
            written = own.kubectl("get", "configmaps,pods,mpool,rpol,bud,events", "-o", "yaml")
            assert each.key not in written
            assert base64.b64encode(each.key.encode()).decode() not in written


def test_neither_sees_the_others_spend(tenants: tuple[Tenant, Tenant]) -> None:
    """By a person's own token: one's own spend and sidecars; 77 for the other's, and for all."""
    for own, other in (tenants, tenants[::-1]):
        # Her router tells the ledger within half a minute of her call.
        eventually(own.spent, apps.BOOKED_WITHIN_S)
        assert own.spent() == [f"main/{own.name}"]
        listed = own.commanded("proxy-status", "--json", "-n", own.namespace)
        assert listed.exit_code == exits.OK, listed.output
        assert {row["namespace"] for row in json.loads(listed.stdout)["sidecars"]} == {
            own.namespace
        }
        for command in ("spend", "budgets", "proxy-status"):
            for where in (["-n", other.namespace], ["-A"]):
                refused = own.commanded(command, *where)
                assert refused.exit_code == exits.FORBIDDEN, refused.output
                assert other.name not in refused.stdout


def test_a_pod_is_not_told_the_hubs_metrics(tenants: tuple[Tenant, Tenant]) -> None:
    """They show everybody's Budgets: 401 without a token that Kubernetes grants them to."""
    for tenant in tenants:
        pried = tenant.kubectl.exec("deployment/app", "python3", "-c", PRYING, HUB, container="app")
        assert pried.strip() == "401"


def _tenant(installed: Installation, name: str, namespace: str) -> Tenant:
    kubectl = installed.cluster.kubectl.within(namespace)
    simulated = Provider(installed.cluster, namespace)
    person = _person(installed, name, namespace)
    tenant = Tenant(name, namespace, kubectl, person)
    simulated.take(tenant.key)
    model = apps.keyed(apps.model(name, simulated.https_url))
    rule = resources.rule("all", f"main/{name}") | {"when": {"models": ["auto"]}}
    place = {"namespace": namespace}
    three = resources.pool(model, **place), resources.policy(rule, **place)
    kubectl.apply(
        apps.credentials(tenant.key, simulated.host), *three, resources.budget(**place), apps.app()
    )
    return tenant


def _person(installed: Installation, name: str, namespace: str) -> Path:
    """Somebody who may see one namespace's resources and go the way to the hub."""
    kubectl = installed.cluster.kubectl.within(namespace)
    kubectl("create", "serviceaccount", name)
    account = f"--serviceaccount={namespace}:{name}"
    kinds = "--resource=routingpolicies.pointsman.dev,budgets.pointsman.dev"
    kubectl("create", "role", name, "--verb=get", kinds)
    kubectl("create", "rolebinding", name, f"--role={name}", account)
    for resource, verbs in WAY:
        role = _role(name, resource)
        installed.kubectl("create", "role", role, f"--verb={verbs}", f"--resource={resource}")
        installed.kubectl("create", "rolebinding", role, f"--role={role}", account)
    return installed.cluster.kubeconfig_for_service_account(namespace, name, seconds=3600)


def _forget(installed: Installation, name: str) -> None:
    """What is left of a person in Pointsman's own namespace."""
    roles = [f"{kind}/{_role(name, it)}" for it, _ in WAY for kind in ("role", "rolebinding")]
    installed.kubectl("delete", "--ignore-not-found", *roles)


def _role(name: str, resource: str) -> str:
    return f"{name}-{resource.replace('/', '-')}"

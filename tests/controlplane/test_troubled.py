"""The API server with moods: transparent until a test wants a fault, and then just that."""

from __future__ import annotations

import gc
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import yaml

from harness.api import Api
from harness.control_plane import ControlPlane
from harness.troubled import TroubledApi
from support.eventually import eventually

ROUNDS, AT_ONCE = 20, 8


@pytest.fixture
def troubled(control_plane: ControlPlane) -> Iterator[TroubledApi]:
    """A proxy of the test's own."""
    with TroubledApi(control_plane) as running:
        yield running


@pytest.fixture
def client(control_plane: ControlPlane, troubled: TroubledApi, namespace: str) -> Iterator[Api]:
    """A ServiceAccount that may do all in its namespace, by way of the proxy."""
    control_plane.kubectl.within(namespace)(
        *("create", "rolebinding", "all", "--clusterrole=admin"),
        f"--serviceaccount={namespace}:default",
    )
    config = yaml.safe_load(troubled.kubeconfig(namespace, "default").read_text())
    token = config["users"][0]["user"]["token"]
    with Api(troubled.url, control_plane.ca, token=token) as made:
        yield made


def test_it_passes_everything_on(
    client: Api, control_plane: ControlPlane, troubled: TroubledApi, namespace: str
) -> None:
    """Kubectl works through it, under the caller's own identity and rights."""
    kubectl = control_plane.kubectl.within(namespace)
    mine = kubectl.using(troubled.kubeconfig(namespace, "default"))
    mine("create", "configmap", "c", "--from-literal=a=b")
    assert mine.json("get", "configmap", "c")["data"] == {"a": "b"}
    user = f"system:serviceaccount:{namespace}:default"
    assert mine.json("auth", "whoami")["status"]["userInfo"]["username"] == user
    assert client.status("/api/v1/nodes") == 403


def test_a_storm_hits_what_it_shall(
    client: Api, control_plane: ControlPlane, troubled: TroubledApi, namespace: str
) -> None:
    """429 with Retry-After for the requests that match, until it is over; others go through."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    troubled.refuse(matches=lambda method, path: method == "GET" and "configmaps" in path)
    before = troubled.requests
    assert {client.status(path) for _ in range(5)} == {429}
    assert troubled.requests == before + 5
    assert client.status(path.replace("configmaps", "pods")) == 200
    assert control_plane.api.status(path) == 200
    troubled.refuse(status=503)
    assert client.status(path.replace("configmaps", "pods")) == 503
    troubled.pass_on()
    assert client.status(path) == 200


def test_silence_holds_and_speech_releases(
    client: Api, troubled: TroubledApi, namespace: str
) -> None:
    """Silent it takes requests and answers none; afterwards the held ones are answered."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    troubled.silence()
    said: list[int] = []
    asking = threading.Thread(target=lambda: said.append(client.status(path)))
    asking.start()
    asking.join(0.5)
    assert said == []
    troubled.speak()
    asking.join(20)
    assert said == [200]


def test_a_watch_can_be_broken(
    client: Api, control_plane: ControlPlane, troubled: TroubledApi, namespace: str
) -> None:
    """A watch delivers events as they come, and ends without an ending when it is cut."""
    path = f"/api/v1/namespaces/{namespace}/configmaps?watch=1"
    token = control_plane.token(namespace, "default")
    seen: list[str] = []
    broken: list[bool] = []

    def watch() -> None:
        trust = ssl.create_default_context(cadata=control_plane.ca)
        named = {"Authorization": f"Bearer {token}"}
        try:
            with httpx.stream("GET", troubled.url + path, headers=named, verify=trust) as answer:
                seen.extend(answer.iter_lines())  # one by one, as they come
        except httpx.TransportError:
            broken.append(True)

    watching = threading.Thread(target=watch)
    watching.start()
    control_plane.kubectl.within(namespace)("create", "configmap", "later")
    eventually(lambda: any('"later"' in line for line in seen), 20)
    assert broken == []
    troubled.cut()
    watching.join(20)
    assert broken == [True]
    assert client.status("/api") == 200


def test_a_cut_in_a_handshake_leaves_nothing_open(
    control_plane: ControlPlane, troubled: TroubledApi
) -> None:
    """Requests that are cut while their connections are made fail, and no socket stays behind."""
    trust = ssl.create_default_context(cadata=control_plane.ca)

    def ask() -> None:
        with suppress(httpx.HTTPError):
            httpx.get(f"{troubled.url}/version", verify=trust, trust_env=False)

    for _ in range(ROUNDS):
        asking = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
        before = troubled.requests
        for each in asking:
            each.start()
        # Some have begun, and their connections are being made.
        while any(each.is_alive() for each in asking) and troubled.requests < before + AT_ONCE // 2:
            pass
        troubled.cut()
        for each in asking:
            each.join()
    # A transport that nobody closed says so when it is collected, and the test fails.
    gc.collect()

"""The injector as a process: certificates that come late and change, an API server that is away."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from support.eventually import eventually
from support.injector_process import InjectorProcess
from support.pods import pod
from support.reviews import patch_of, review

LEAVES_WITHIN_S = 25.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the webhook's certificates."""
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    """What the API server trusts."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def injector(tmp_path: Path) -> Iterator[InjectorProcess]:
    """One whose certificate is not there yet."""
    (tmp_path / "tls.crt").touch()
    (tmp_path / "tls.key").touch()
    with InjectorProcess(tmp_path) as running:
        yield running


def issue(authority: trustme.CA, folder: Path) -> bytes:
    """Put a new pair where the injector looks; what the certificate is."""
    leaf = authority.issue_cert("127.0.0.1")
    pair = {"tls.crt": leaf.cert_chain_pems[0], "tls.key": leaf.private_key_pem}
    for name, blob in pair.items():
        (folder / f"{name}.new").write_bytes(blob.bytes())
    for name in pair:
        (folder / f"{name}.new").replace(folder / name)
    return ssl.PEM_cert_to_DER_cert(pair["tls.crt"].bytes().decode())


def shown(address: str, trust: ssl.SSLContext) -> bytes:
    """The certificate of a new connection."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


@pytest.mark.timeout(180)
def test_it_serves_as_soon_as_there_is_a_certificate_and_takes_the_next_one(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """An empty Secret is waited for; a new pair counts for new connections, old ones go on."""
    first = issue(authority, injector.folder)
    address = injector.wait_serving()
    assert shown(address, trust) == first
    with injector.client(trust) as client:
        # The API server of its kubeconfig is not there: what is known decides.
        patched = patch_of(client.post("/mutate/pods/enabled", json=review(pod())))
        assert patched
        second = issue(authority, injector.folder)
        eventually(lambda: shown(address, trust) == second, 20)
        again = client.post("/mutate/pods/enabled", json=review(pod()))
        assert patch_of(again) == patched
        (injector.folder / "tls.key").write_text("half of a key")
        eventually(lambda: "cannot be used" in injector.log.read_text(), 20)
        assert shown(address, trust) == second


@pytest.mark.timeout(180)
def test_it_leaves_in_order(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """After SIGTERM it is unready at once and answers on for a while; then it exits with 0."""
    issue(authority, injector.folder)
    injector.wait_serving()
    answered = 0
    with injector.client(trust) as client:
        injector.terminate()
        eventually(lambda: "leaving" in injector.probe("/readyz").text, 10)
        for _ in range(3):
            answered += bool(patch_of(client.post("/mutate/pods/enabled", json=review(pod()))))
    assert answered == 3
    assert injector.wait(LEAVES_WITHIN_S) == 0


@pytest.mark.timeout(180)
def test_an_idle_connection_is_the_api_servers_to_close(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """A review that met our end of one would count as failed, and its pod start without a router.

    Six seconds are more than what a server of uvicorn's waits by itself.
    """
    issue(authority, injector.folder)
    host, _, port = injector.wait_serving().rpartition(":")
    body = json.dumps(review(pod())).encode()
    head = f"POST /mutate/pods/enabled HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
    with (
        socket.create_connection((host, int(port)), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(head.encode() + body)
        assert secure.recv(64 * 1024).startswith(b"HTTP/1.1 200")
        secure.settimeout(6.0)
        with pytest.raises(TimeoutError):
            # The rest of the answer may come, but no end of the connection.
            assert all(iter(partial(secure.recv, 64 * 1024), b""))


@pytest.mark.timeout(180)
def test_pods_arrive_at_a_hundred_at_once(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """Concurrent reviews are all answered, each with its own uid."""
    issue(authority, injector.folder)
    injector.wait_serving()
    told: list[bool] = []

    def ask(number: int) -> None:
        with injector.client(trust) as client:
            body = review(pod(), uid=f"uid-{number}")
            answer = client.post("/mutate/pods/enabled", json=body, timeout=30)
            told.append(answer.json()["response"]["uid"] == f"uid-{number}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 100

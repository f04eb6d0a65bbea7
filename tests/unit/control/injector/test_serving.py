"""The injector as a process: certificates that come late and change, an API server that is away."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pointsman_operator.injector.limits import LEAVE_AFTER_S as LEAVES_AFTER_S
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
    with opened(address, trust) as secure:
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
def test_on_its_way_out_it_keeps_no_connection(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """An idle one ends at once, one in progress with its answer, a new one as well.

    An API server that kept one would have pods injected by us beside our successor.
    """
    issue(authority, injector.folder)
    address = injector.wait_serving()
    with opened(address, trust) as idle, opened(address, trust) as busy:
        assert ask(idle).startswith(b"HTTP/1.1 200")
        head, body = request()
        busy.sendall(head + body[:100])
        # The server has read what came before this whole answer.
        with opened(address, trust) as other:
            assert b"connection: close" not in ask(other)
        injector.terminate()
        began = time.monotonic()
        assert idle.recv(1) == b""
        # It goes on serving for five seconds: then all would end.
        assert time.monotonic() - began < LEAVES_AFTER_S / 2
        with opened(address, trust) as new:
            assert_last(ask(new), new)
        busy.sendall(body[100:])
        assert_last(answer(busy), busy)
    assert injector.wait(LEAVES_WITHIN_S) == 0


def request() -> tuple[bytes, bytes]:
    """Head and body of a review."""
    body = json.dumps(review(pod())).encode()
    head = f"POST /mutate/pods/enabled HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode(), body


@contextmanager
def opened(address: str, trust: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection as the API server holds it."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        yield secure


def ask(connection: ssl.SSLSocket) -> bytes:
    """A review's answer, head and body."""
    connection.sendall(b"".join(request()))
    return answer(connection)


def answer(connection: ssl.SSLSocket) -> bytes:
    """What is answered, as long as its head says."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += received(connection)
    head, _, body = came.partition(b"\r\n\r\n")
    (length,) = re.findall(rb"content-length: (\d+)", head)
    while len(body) < int(length):
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: ssl.SSLSocket) -> bytes:
    """The next piece; there must be one."""
    piece = connection.recv(64 * 1024)
    assert piece, "it ended within an answer"
    return piece


def assert_last(came: bytes, connection: ssl.SSLSocket) -> None:
    """A whole answer with a patch that says that it is the connection's last, and is."""
    head, _, body = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in head
    assert json.loads(body)["response"]["patch"]
    assert connection.recv(1) == b""


@pytest.mark.timeout(180)
def test_an_idle_connection_is_the_api_servers_to_close(
    injector: InjectorProcess, authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """A review that met our end of one would count as failed, and its pod start without a router.

    Six seconds are more than what a server of uvicorn's waits by itself.
    """
    issue(authority, injector.folder)
    with opened(injector.wait_serving(), trust) as secure:
        assert ask(secure).startswith(b"HTTP/1.1 200")
        secure.settimeout(6.0)
        with pytest.raises(TimeoutError):
            secure.recv(1)


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

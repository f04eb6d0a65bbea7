"""Who cannot be reached until somebody changes something is told at once, and why."""

from __future__ import annotations

import datetime as dt
import shlex
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import trustme

from support.free_port import free_port
from support.line import LIMITS, Line
from support.processes import Sidecar, Simulator, ended
from support.tables import model, route, table

DNS = "127.0.0.153"
GONE, UNTOLD = "gone.example", "untold.example"
LABEL = b"gone"
NO_SUCH_NAME, SERVER_FAILED = 3, 2
AT_ONCE_S = 1.5
"""Less than the waits of a target that may come back, with room for a slow machine."""
PATIENCE_S = 2.0
HOPELESS = {
    "expired": ("certificate_expired", "a certificate that has expired"),
    "other": ("certificate_name", "a certificate for another host name"),
    "stranger": ("certificate_issuer", "an authority that is not trusted"),
    "barred": ("barred_address", "where no provider may be"),
    "gone": ("no_such_name", "does not exist in DNS"),
}


def answers_names(listening: socket.socket) -> None:
    """A name server: of `GONE` it says that there is none, of all else that it cannot tell."""
    while True:
        try:
            query, asker = listening.recvfrom(512)
        except OSError:
            return  # closed: the test is over
        code = NO_SUCH_NAME if LABEL in query else SERVER_FAILED
        flags = (0x8180 | code).to_bytes(2, "big")
        question = query[12 : query.index(b"\0", 12) + 5]
        listening.sendto(query[:2] + flags + b"\0\1" + bytes(6) + question, asker)


@contextmanager
def shows(leaf: trustme.LeafCert) -> Iterator[str]:
    """A server that shows a certificate; its URL. Nobody who checks it asks for more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            try:
                context.wrap_socket(accepted, server_side=True).close()
            except (ssl.SSLError, ConnectionError):
                accepted.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def routes(urls: dict[str, str], provider: Simulator) -> dict[str, Any]:
    """Each target alone, and each before one that answers."""
    models = [model(name, provider.url, provider={"baseURL": url}) for name, url in urls.items()]
    rules = [
        {"name": f"{name}-or-open", "when": {"models": [f"{name}-or-open"]}, "route": to}
        for name, to in ((name, route(name, "open")) for name in urls)
    ]
    return table([*models, model("open", provider.url)], rules)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A sidecar in a mount namespace of its own, where names are asked of our server."""
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace of one's own: {probe.stderr.decode()}")
    folder = tmp_path_factory.mktemp("hopeless")
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    leaves = {
        "expired": ours.issue_cert("127.0.0.1", not_after=past),
        "other": ours.issue_cert("elsewhere.example"),
        "stranger": theirs.issue_cert("127.0.0.1"),
    }
    (folder / "resolv.conf").write_text(f"nameserver {DNS}\n")
    bind = f"mount --bind {shlex.quote(str(folder / 'resolv.conf'))} /etc/resolv.conf"
    program = ("--mount", "sh", "-c", f"{bind} && exec {sys.executable} -m pointsman_sidecar")
    with ExitStack() as stack:
        names = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        names.bind((DNS, 53))
        threading.Thread(target=answers_names, args=(names,), daemon=True).start()
        urls = {name: stack.enter_context(shows(leaf)) for name, leaf in leaves.items()}
        urls["barred"] = "http://169.254.169.254/v1"
        urls["gone"], urls["untold"] = f"http://{GONE}/v1", f"http://{UNTOLD}/v1"
        urls["refused"] = f"http://127.0.0.1:{free_port()}/v1"
        provider = Simulator(folder, "a")
        stack.enter_context(ended(provider))
        found = Line(folder, {"a": provider})
        document = routes(urls, provider)
        trusted = {"SSL_CERT_FILE": str(folder / "ca.pem")}
        found.sidecar = Sidecar(folder, document, python="unshare", program=program, **trusted)
        stack.enter_context(ended(found.sidecar))
        client = httpx.Client(base_url=found.sidecar.url, limits=LIMITS, timeout=30)
        found.http = stack.enter_context(client)
        yield found


def asked_of(made: Line, name: str) -> tuple[httpx.Response, float, list[dict[str, Any]]]:
    """One call: its answer, how long it took and its attempts."""
    began = time.monotonic()
    answer = made.chat(model=name)
    took_s = time.monotonic() - began
    record = made.sidecar.record(answer.headers["x-pointsman-request-id"])
    return answer, took_s, record["attempts"]


@pytest.mark.parametrize("name", HOPELESS)
def test_what_another_try_cannot_mend_is_told_at_once(made: Line, name: str) -> None:
    """One attempt and no wait; the caller reads what is wrong, the record names it."""
    why, words = HOPELESS[name]
    answer, took_s, attempts = asked_of(made, name)
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert error["code"] == "upstream_unreachable"
    assert words in error["message"]
    assert [(row["class"], row["why"]) for row in attempts] == [("Connect", why)]
    assert took_s < AT_ONCE_S


@pytest.mark.parametrize("name", HOPELESS)
def test_the_next_candidate_is_asked_at_once(made: Line, name: str) -> None:
    """A target that is hopeless costs one attempt."""
    answer, took_s, attempts = asked_of(made, f"{name}-or-open")
    assert answer.headers["x-pointsman-model"] == "main/open"
    assert [row["class"] for row in attempts][-1] == "ok"
    assert len(attempts) <= 2
    assert took_s < AT_ONCE_S


@pytest.mark.parametrize("name", ["untold", "refused"])
def test_what_may_pass_is_waited_for(made: Line, name: str) -> None:
    """A name server that fails and a port that is closed for now are asked again."""
    answer, took_s, attempts = asked_of(made, name)
    assert answer.status_code == 502
    assert "could not be reached" in answer.json()["error"]["message"]
    assert len(attempts) > 2
    assert not any("why" in row for row in attempts)
    assert took_s > PATIENCE_S

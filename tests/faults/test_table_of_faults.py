"""Every fault on every surface before every provider's format: docs/faults.md is what this run saw.

A9 and A10 as callers meet them: what an app sees, what is tried again, what is booked.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.every_format import FORMATS, READER, of_format, write_keys
from support.faults_page import Fault, Seen, part, remember, section
from support.line import Line, line
from support.surfaces import SURFACES, Surface, events_of
from support.tables import model, route, table

TEXT = "the quick brown fox jumps over the lazy dog"
QUICK = {"firstTokenMs": 250, "streamIdleMs": 250, "totalMs": 20_000}
AGAIN = {"maxAttempts": 3, "budgetPercent": 100, "minPerSecond": 1000}
GARBAGE = base64.b64encode(b"220 smtp.example.org ready\r\n").decode()

BEFORE = (
    Fault("connection reset before a byte", {"refuse": True}, "Connect"),
    Fault("no HTTP at all", {"raw": GARBAGE}, "Connect"),
    Fault("accepts and says nothing", {"acceptAndStall": True}, "SlowFirstToken"),
    Fault("server error", {"error": "serverError"}, "Server"),
    Fault("overloaded", {"error": "overloaded"}, "Overload"),
    Fault(
        "rate limit, 60 s", {"error": "rateLimit", "headers": {"retry-after": "60"}}, "RateLimit"
    ),
    Fault("the bill is not paid", {"error": "billing"}, "Quota"),
    Fault("key may not do this", {"error": "permission"}, "Auth"),
    Fault("no such model", {"error": "modelGone"}, "ModelGone"),
    Fault("bad request", {"error": "badRequest"}, "BadRequest"),
    Fault("prompt too long", {"error": "contextTooLong"}, "ContextTooLong"),
    Fault("200, then garbage", {"status": 200, "body": "<html>busy</html>"}, "TruncatedEarly"),
    Fault("cut before the first content", {"cutAtByte": 5}, "TruncatedEarly"),
)
"""Nothing has gone down yet."""
UNTOLD = {"Quota": ("Auth",)}
"""Classes that not every provider tells from others: Google's unpaid bill is a 403."""
AFTER = (
    Fault("reset", {"cutAtEvent": 4, "cut": "reset"}, "MidStream"),
    Fault("closed without the last chunk", {"cutAtEvent": 4, "cut": "eof"}, "MidStream"),
    Fault("closed cleanly, too early", {"cutAtEvent": 4, "cut": "end"}, "MidStream"),
    Fault("everything but the end mark", {"noDone": True}, "MidStream"),
    Fault("stalls", {"stallAtEvent": 4}, "MidStream"),
    Fault("garbage", {"garbageAtEvent": 4}, "MidStream"),
    Fault("the provider's own error", {"errorAtEvent": 4}, "MidStream"),
)
"""In mid-stream, after content."""
ENDS_WITH_ITS_BODY = ("Gemini", "Bedrock")
"""Formats whose streams have no end mark that could be missing."""
VERSIONS = ("HTTP/1.1", "HTTP/2")


@dataclass(frozen=True)
class World:
    """A sidecar before simulators that speak every format over one version of HTTP."""

    line: Line

    def script(self, fault: Fault, name: str) -> None:
        """What a model's provider does from now on, on open connections, too."""
        self.line.script("a", {"text": TEXT, **fault.action}, model=f"{name}-2026")

    def ask(self, surface: Surface, name: str, *, stream: bool) -> Seen:
        """One call, read to its end however it ends."""
        raw, broken = b"", False
        path, body = surface.path(name, stream), surface.body(name, stream)
        with self.line.http.stream("POST", path, json=body) as answer:
            try:
                for piece in answer.iter_raw():
                    raw += piece
            except httpx.RemoteProtocolError:
                broken = True
        record = self.line.sidecar.record(answer.headers["x-pointsman-request-id"])
        return Seen(surface, answer.status_code, dict(answer.headers), raw, broken, record)

    def billed(self, seen: Seen) -> int:
        """Output tokens on the provider's own bill of a call's last attempt."""
        name = f"{seen.record['id']}.{len(seen.record['attempts'])}"
        return int(self.line.providers["a"].bill().get(name, {"output": 0})["output"])


def build(made: Line) -> dict[str, Any]:
    """`openai`, `openai-spared` and so on: alone, and with another model to go to."""
    write_keys(made.folder)
    kinds = {kind.lower(): kind for kind in FORMATS}
    models = [of_format(name, made.url("a"), kind) for name, kind in kinds.items()]
    models.append(model("spare", made.url("b")))
    routes = {name: (name,) for name in kinds} | {f"{it}-spared": (it, "spare") for it in kinds}
    rules = [
        {
            "name": name,
            "when": {"models": [name]},
            "route": route(*to, timeouts=QUICK, retries=AGAIN),
        }
        for name, to in routes.items()
    ]
    return table(models, rules, minReader=READER)


@pytest.fixture(scope="module", params=VERSIONS)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One a version; HTTP/2 is spoken over TLS."""
    folder = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        if request.param == VERSIONS[0]:
            made = stack.enter_context(line(folder, "a", "b", build=build))
        else:
            certificate = str(folder / "cert.pem")
            config = {"tls": {"certOut": certificate}}
            made = stack.enter_context(
                line(folder, "a", build=_secure, config=config, SSL_CERT_FILE=certificate)
            )
        yield World(made)


def _secure(made: Line) -> dict[str, Any]:
    made.providers["b"] = made.providers["a"]
    document = build(made)
    del made.providers["b"]
    return document


@pytest.mark.parametrize("fault", BEFORE, ids=lambda it: it.name)
@pytest.mark.parametrize("world", VERSIONS[:1], indirect=True)
def test_a_fault_before_the_answer(world: World, fault: Fault) -> None:
    """An honest error in the surface's own words, or another model's answer; nothing is booked."""
    for surface in SURFACES:
        for kind in FORMATS:
            name = kind.lower()
            world.script(fault, name)
            alone = world.ask(surface, name, stream=True)
            label = alone.record["class"]
            assert label in {fault.label, *UNTOLD.get(fault.label, ())}, (surface.name, kind)
            assert alone.status >= httpx.codes.BAD_REQUEST
            assert not alone.broken
            assert surface.error(alone.json()), (surface.name, kind, alone.raw)
            assert alone.record["outcome"] == "failed"
            recover(world, name)
            world.script(fault, name)
            spared = world.ask(surface, f"{name}-spared", stream=True)
            if spared.status == httpx.codes.OK:
                assert surface.mark(events_of(spared.raw)), (surface.name, kind, spared.raw)
                assert not spared.broken
                assert spared.record["model"] == "main/spare"
            remember(fault, kind, alone, spared, world.billed(alone))
            recover(world, name)


def recover(world: World, name: str) -> None:
    """One good answer, asked for by name, closes the breaker."""
    world.line.script("a")
    answer = world.line.chat(model=name)
    assert answer.status_code == httpx.codes.OK, answer.text


@pytest.mark.parametrize("fault", AFTER, ids=lambda it: it.name)
def test_a_fault_in_mid_stream(world: World, fault: Fault) -> None:
    """A9: the surface's error event, then a broken body; never an end or a second attempt."""
    for surface in SURFACES:
        for kind in FORMATS:
            if "noDone" in fault.action and kind in ENDS_WITH_ITS_BODY:
                continue
            name = kind.lower()
            world.script(fault, name)
            seen = world.ask(surface, f"{name}-spared", stream=True)
            at = (surface.name, kind, seen.raw, seen.record)
            events = events_of(seen.raw)
            assert seen.status == httpx.codes.OK, at
            assert seen.broken, at
            assert surface.told(events), at
            assert not surface.mark(events[:-1]), at
            assert surface.text(events), at
            assert TEXT.startswith(surface.text(events)), at
            assert (seen.record["outcome"], seen.record["class"]) == ("cut", fault.label), at
            assert len(seen.record["attempts"]) == 1, at
            assert seen.record["usage"]["output"] >= world.billed(seen) > 0, at
            remember(fault, kind, seen, None, world.billed(seen))
            recover(world, name)


def test_the_page_is_what_was_seen() -> None:
    """Runs last: the committed part of docs/faults.md equals what this run makes."""
    made = section([*BEFORE, *AFTER], SURFACES, tuple(FORMATS))
    if made is None:
        pytest.skip("only a run of this whole file makes the page")
    committed, kept = part("surfaces", made)
    assert committed == made, f"if the change is meant: cp {kept} docs/faults.md"

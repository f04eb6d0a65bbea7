"""OpenAI's SDKs hear, speak and draw through the router; the simulator's bill is the judge."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.clients import ANSWERS_WITHIN_S, APPS, NODE_PACKAGES, PYTHONS
from support.clients_others import OPENAI, OPENAI_2, OPENAI_NODE, saw
from support.media_world import MediaWorld, media_world
from support.tree import ROOT
from support.upstreams import NODE

APPS_BY_SDK = {
    "openai 3": (ROOT / PYTHONS["openai 3"] / "bin" / "python", APPS / "python"),
    "openai 2": (ROOT / PYTHONS["openai 2"] / "bin" / "python", APPS / "python"),
    "node": (NODE, NODE_PACKAGES / "apps"),
}
HEARD = "Der Zug kommt auf Gleis neun an."
SPOKEN_BYTES = 3 + 40 * 2 * 64
"""The simulator's head and 64 bytes for each token of the text."""
ALL = {
    "transcription": HEARD,
    "streamed_transcription": HEARD,
    "subtitles": "WEBVTT",
    "translation": "The train arrives at platform nine.",
    "speech": SPOKEN_BYTES,
    "image": [True, True],
    "streamed_image": [*["image_generation.partial_image"] * 2, "image_generation.completed"],
    "image_edit": [True],
    "image_variation": [True],
    "refused": 404,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MediaWorld]:
    """A router before a provider of such things."""
    with media_world(tmp_path_factory.mktemp("media")) as made:
        yield made


def asked(sdk: str, world: MediaWorld, model: str, *names: str) -> dict[str, Any]:
    """What the SDK made of it, in a process of its own."""
    program, folder = APPS_BY_SDK[sdk]
    app = folder / ("sound_and_images.mjs" if sdk == "node" else "sound_and_images.py")
    outcome = subprocess.run(
        [str(program), str(app), world.sidecar.url, model, *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * ANSWERS_WITHIN_S,
    )
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    told: dict[str, Any] = json.loads(outcome.stdout)
    return told


@pytest.mark.parametrize("sdk", APPS_BY_SDK)
def test_every_call_arrives(world: MediaWorld, sdk: str) -> None:
    """Text, events, sound and images as the SDK gives them; another name goes upstream."""
    assert asked(sdk, world, "by-token") == ALL
    name = {"openai 3": OPENAI, "openai 2": OPENAI_2, "node": OPENAI_NODE}[sdk]
    saw("Sound and images", name, *(call for call in ALL if call != "refused"))


@pytest.mark.parametrize("model", ["by-token", "by-unit"])
def test_what_is_booked_is_what_is_billed(world: MediaWorld, model: str) -> None:
    """To the picodollar where the provider tells its usage, by the token or by what it counts."""
    reported = ["transcription", "translation", "image", "image_edit", "image_variation"]
    # A stream's last event tells it; a model by the character is exact by its text alone.
    reported += ["streamed_transcription", "streamed_image"] if model == "by-token" else ["speech"]
    for name in reported:
        before = set(world.upstream.bill())
        asked("openai 3", world, model, name)
        billed = {key: row for key, row in world.upstream.bill().items() if key not in before}
        assert len(billed) == 1, (name, billed)
        (call, row), *_ = billed.items()
        assert row["cost"] > 0, (name, row)
        assert world.booked(call.rsplit(".", 1)[0]) == row["cost"], (name, row)


@pytest.mark.parametrize("name", ["subtitles", "speech"])
def test_what_says_nothing_is_never_booked_below_its_bill(world: MediaWorld, name: str) -> None:
    """Sound and subtitles have no usage: the most that they can cost is booked."""
    before = set(world.upstream.bill())
    asked("openai 3", world, "by-token", name)
    ((call, row),) = ((k, row) for k, row in world.upstream.bill().items() if k not in before)
    assert world.booked(call.rsplit(".", 1)[0]) >= row["cost"] > 0

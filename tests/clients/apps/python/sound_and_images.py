"""What OpenAI's SDK makes of sound and images: one document on standard output.

Called with the router's URL, the model's name at it, and the words that say which calls it has.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import openai

KEY = "sk-callers-own-canary"
TEXT = "The train now standing at platform nine."


def client(url: str) -> openai.OpenAI:
    """With nothing changed but base URL and key."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def sound() -> io.BytesIO:
    """A file, as the SDK takes it."""
    made = io.BytesIO(b"\xff" * 40_000)
    made.name = "train.mp3"
    return made


def transcription(url: str, model: str) -> Any:
    """Sound to text."""
    return client(url).audio.transcriptions.create(model=model, file=sound()).text


def streamed_transcription(url: str, model: str) -> Any:
    """The same as it is heard."""
    stream = client(url).audio.transcriptions.create(model=model, file=sound(), stream=True)
    events = list(stream)
    said = [event.delta for event in events if event.type == "transcript.text.delta"]
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert done.text == "".join(said)
    return done.text


def subtitles(url: str, model: str) -> Any:
    """Text that is no JSON."""
    made = client(url).audio.transcriptions.create(model=model, file=sound(), response_format="vtt")
    return str(made).split("\n", maxsplit=1)[0]


def translation(url: str, model: str) -> Any:
    """Sound to English text."""
    return client(url).audio.translations.create(model=model, file=sound()).text


def speech(url: str, model: str) -> Any:
    """Text to sound, as it is made."""
    openais = client(url)
    speaking = openais.audio.speech.with_streaming_response
    with speaking.create(model=model, voice="alloy", input=TEXT) as spoken:
        return len(b"".join(spoken.iter_bytes()))


def image(url: str, model: str) -> Any:
    """Text to images."""
    made = client(url).images.generate(model=model, prompt="A train", n=2)
    return [bool(one.b64_json) for one in made.data or []]


def streamed_image(url: str, model: str) -> Any:
    """The same with unfinished ones on the way."""
    stream = client(url).images.generate(
        model=model, prompt="A train", stream=True, partial_images=2
    )
    return [event.type for event in stream]


def image_edit(url: str, model: str) -> Any:
    """Images to another."""
    files = [("a.png", b"\x89PNG", "image/png"), ("b.png", b"\x89PNG", "image/png")]
    made = client(url).images.edit(model=model, image=files, prompt="At night")
    return [bool(one.b64_json) for one in made.data or []]


def image_variation(url: str, model: str) -> Any:
    """An image to others like it."""
    made = client(url).images.create_variation(
        model=model, image=("a.png", b"\x89PNG", "image/png")
    )
    return [bool(one.b64_json) for one in made.data or []]


def refused(url: str, model: str) -> Any:
    """A model that has nothing of the kind."""
    try:
        client(url).images.generate(model=f"not-{model}", prompt="A train")
    except openai.APIStatusError as error:
        return error.status_code
    return None


CALLS: dict[str, Callable[[str, str], Any]] = {
    "transcription": transcription,
    "streamed_transcription": streamed_transcription,
    "subtitles": subtitles,
    "translation": translation,
    "speech": speech,
    "image": image,
    "streamed_image": streamed_image,
    "image_edit": image_edit,
    "image_variation": image_variation,
    "refused": refused,
}


def main() -> None:
    """All that are named."""
    url, model, *names = sys.argv[1:]
    sys.stdout.write(json.dumps({name: CALLS[name](url, model) for name in names or CALLS}))


if __name__ == "__main__":
    main()

"""The bundled price and capability catalogue: lookup by provider label and model id.

Built by `generate` from `sources/`; `compile` gets it handed in, so that compiling reads no file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_DATE = re.compile(r"[-@](20[0-9]{2}-[01][0-9]-[0-3][0-9]|20[0-9]{2}[01][0-9][0-3][0-9])$")


@dataclass(frozen=True)
class Entry:
    """What the catalogue knows of one model at one provider."""

    model: str
    """The id under which it is listed."""
    input: int
    """Picodollars a prompt token."""
    cached_input: int | None
    """Picodollars a cached prompt token; None: as any other."""
    cache_write: int | None
    """Picodollars a prompt token that is put into the cache; None: as any other."""
    cache_write_long: int | None
    """The same for an hour."""
    output: int
    """Picodollars an answer token."""
    media_input: int | None
    """Picodollars a token of sound or images that is sent; None: as text's."""
    media_output: int | None
    """The same of one that is made."""
    unit: int | None
    """Picodollars a second that is written down, a character that is read aloud or an image that is
    made; None: tokens are billed."""
    context_window: int | None
    """Tokens of prompt and answer together, up to where the price holds."""
    max_output_tokens: int | None
    """Most tokens of an answer; None: not known."""
    capabilities: tuple[str, ...]
    """Sorted."""
    source: str
    """Which list the price is from."""
    as_of: str
    """The date of that list, ISO 8601."""


@dataclass(frozen=True)
class Catalogue:
    """Prices and limits of all listed models, by provider label and model id."""

    digest: str
    """`sha256:` and hex of the catalogue's bytes."""
    entries: Mapping[tuple[str, str], Entry]

    def lookup(self, label: str, model: str) -> Entry | None:
        """The entry of a model; a dated id that is not listed counts as its undated one."""
        found = self.entries.get((label, model))
        if found is None and (undated := _DATE.sub("", model)) != model:
            found = self.entries.get((label, undated))
        return found


@cache
def bundled() -> Catalogue:
    """The catalogue that this version ships."""
    data = resources.files(__package__).joinpath("catalogue.json").read_bytes()
    return read(data)


def read(data: bytes) -> Catalogue:
    """A catalogue from its bytes, as `generate` writes them."""
    document = json.loads(data)
    as_of = {name: source["asOf"] for name, source in document["sources"].items()}
    entries = {
        (label, model): _entry(model, fields, as_of)
        for label, models in document["providers"].items()
        for model, fields in models.items()
    }
    return Catalogue("sha256:" + hashlib.sha256(data).hexdigest(), entries)


def _entry(model: str, fields: dict[str, Any], as_of: dict[str, str]) -> Entry:
    return Entry(
        model=model,
        input=fields["input"],
        cached_input=fields.get("cachedInput"),
        cache_write=fields.get("cacheWrite"),
        cache_write_long=fields.get("cacheWriteLong"),
        output=fields["output"],
        media_input=fields.get("mediaInput"),
        media_output=fields.get("mediaOutput"),
        unit=fields.get("unit"),
        context_window=fields.get("context"),
        max_output_tokens=fields.get("maxOutput"),
        capabilities=tuple(fields["capabilities"]),
        source=fields["source"],
        as_of=as_of[fields["source"]],
    )
